package roll

import (
	"slices"
	"testing"

	"parley/internal/fault"
)

func TestRoll(t *testing.T) {
	r := New[string](2)
	for id, want := range map[string]bool{"a": true, "b": true} {
		if err := r.Enlist("id", id); (err == nil) != want {
			t.Error(err)
		}
	}
	if err := r.Enlist("other", "c"); err != nil {
		t.Error(err)
	}
	if err := r.Enlist("third", "d"); fault.ReasonOf(err) != "OVERLOADED" {
		t.Error(err)
	}
	r.Strike("other")
	if r.Live() != 1 || r.Line("other") != "" || r.Line("id") == "" {
		t.Errorf("%d live", r.Live())
	}
	r.Chain("id", "x")
	r.Chain("id", "y")
	if got := r.Unchain("id"); !slices.Equal(got, []string{"x", "y"}) || len(r.Unchain("id")) != 0 {
		t.Errorf("chained %v", got)
	}
}
