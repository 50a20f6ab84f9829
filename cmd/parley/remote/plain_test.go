package remote

import (
	"testing"
	"time"
)

// TestPlain: names that callers choose cannot write on the operator's terminal.
func TestPlain(t *testing.T) {
	if got := plain("a\x1b[2Jb\nc\u0085d\u202ee"); got != "a[2Jbcde" {
		t.Errorf("%q", got)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{5 * time.Second: "5s", 61 * time.Second: "1m01s", 26 * time.Hour: "26h00m", 72 * time.Hour: "3d", -time.Second: "0s"} {
		if got := age(at, at.Add(d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}
