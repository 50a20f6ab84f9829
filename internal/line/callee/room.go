package callee

import "parley/internal/trunk"

// Admit asks the guard for the first of the ways that has room, and returns the ways from there on: whoever wants the call made hears a refusal at once.
// Without room on any it is the refusal of the first. What was let pass is given back with Release.
func Admit(ways []Hop, t Trunks) (left []Hop, err error) {
	for i := range ways {
		refusal := ways[i].Admit(t)
		if refusal == nil {
			return ways[i:], nil
		}
		if err == nil {
			err = refusal
		}
		if !trunk.NextHop(refusal) {
			break
		}
	}
	return nil, err
}

// Release tells the guard that none of the ways is used.
func Release(ways []Hop) {
	for i := range ways {
		ways[i].Release()
	}
}
