package gate

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/fault"
)

func answer(ok bool) func() (bool, error) { return func() (bool, error) { return ok, nil } }

func wants(t *testing.T, err error, reason string) {
	t.Helper()
	if fault.ReasonOf(err) != reason {
		t.Errorf("error %v, want %q", err, reason)
	}
}

func TestOneCall(t *testing.T) {
	var all Gates
	g := all.Open("c")
	wants(t, g.Try(answer(false)), "PIN_WRONG")
	wants(t, g.Try(answer(false)), "PIN_WRONG")
	if err := g.Try(answer(true)); err != nil {
		t.Error(err)
	}
	broken := errors.New("store is slow")
	if err := g.Try(func() (bool, error) { return false, broken }); err != broken {
		t.Errorf("%v counts as wrong", err)
	}
	wants(t, g.Try(answer(false)), "PIN_LOCKED")
	wants(t, g.Try(func() (bool, error) { t.Error("a locked gate looks"); return true, nil }), "PIN_LOCKED")
	if err := all.Open("c").Try(answer(true)); err != nil {
		t.Errorf("another call: %v", err)
	}
}

func TestManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all Gates
		for range burst {
			wants(t, all.Open("c").Try(answer(false)), "PIN_WRONG")
		}
		wants(t, all.Open("c").Try(answer(true)), "PIN_LOCKED")
		if err := all.Open("d").Try(answer(true)); err != nil {
			t.Errorf("another conference: %v", err)
		}
		time.Sleep(every)
		wants(t, all.Open("c").Try(answer(false)), "PIN_WRONG")
		wants(t, all.Open("c").Try(answer(true)), "PIN_LOCKED")
		for i := range 2 * knownMax {
			_ = all.Open(fmt.Sprint(i)).Try(answer(false))
		}
		if n := len(all.wrongs); n > knownMax {
			t.Errorf("%d conferences are remembered", n)
		}
	})
}
