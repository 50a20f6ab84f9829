package server

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTrimWaitsForQuiet(t *testing.T) {
	const mb = 1 << 20
	tr := trimmer{quiet: settled, rest: 30 * mb}
	for i, step := range []struct {
		held  uint64
		calls int
		want  bool
	}{
		{35 * mb, 0, false},  // little to gain
		{300 * mb, 5, false}, // calls run
		{300 * mb, 0, false}, // the last one has only just ended
		{300 * mb, 0, true},
		{300 * mb, 1, false},
		{30 * mb, 0, false}, // as if trimmed
		{30 * mb, 0, false},
		{30 * mb, 0, false},
		{30 * mb, 0, false},
		{30 * mb, 0, false},
		{30 * mb, 0, true}, // the last traces of the calls
		{30 * mb, 0, false},
		{30 * mb, 0, false},
		{90 * mb, 0, true}, // work without calls
	} {
		if got := tr.due(step.held, step.calls); got != step.want {
			t.Errorf("step %d: due is %v", i, got)
		}
	}
}

// TestHeldFollowsTrim: what is measured goes down by what is given back.
func TestHeldFollowsTrim(t *testing.T) {
	before := held()
	garbage := make([]byte, 64<<20)
	for i := 0; i < len(garbage); i += 4096 {
		garbage[i] = 1
	}
	during := held()
	runtime.KeepAlive(garbage)
	garbage = nil
	debug.FreeOSMemory()
	if after := held(); during < before+60<<20 || after > during-60<<20 {
		t.Errorf("%d, %d, %d bytes before, with and after 64 MiB of garbage", before, during, after)
	}
}
