package server

import (
	"context"
	"runtime/debug"
	measured "runtime/metrics"
	"time"
)

// While calls run, the collector is given room, so that it seldom disturbs them. Nothing would take that room back afterwards: the next
// collection may be a long time off. So when there are no calls, what is no longer needed goes back to the system.
const (
	trimEvery = 10 * time.Second
	trimSlack = 8 << 20 // bytes over what was left last time that are not worth the work, beside a tenth of it
	settled   = 6       // quiet looks after which the last calls' SIP transactions (32 s) and rooms (30 s) are gone too
)

// trimmer decides when memory is given back.
type trimmer struct {
	quiet int    // looks in a row without calls
	rest  uint64 // bytes that were left after the last trim
}

// due reports whether to trim now, with held bytes of memory and so many calls: soon after the last call, again when its traces are gone, and
// after that when something else has taken memory. Between two calls one after the other it stays away.
func (t *trimmer) due(held uint64, calls int) bool {
	if calls > 0 {
		t.quiet = 0
		return false
	}
	t.quiet = min(t.quiet+1, settled+1)
	return t.quiet == settled || t.quiet > 1 && held > t.rest+t.rest/10+trimSlack
}

// trim gives memory back while there are no calls, until ctx ends.
func (p *parts) trim(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	t := trimmer{quiet: settled, rest: held()}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if t.due(held(), p.lines.Live()) {
			debug.FreeOSMemory()
			t.rest = held()
		}
	}
}

// held returns the bytes of memory that the Go runtime has from the system.
func held() uint64 {
	s := []measured.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	measured.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
