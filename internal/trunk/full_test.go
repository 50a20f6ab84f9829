package trunk_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/fault"
	"parley/internal/store/memory"
	"parley/internal/trunk"
	"parley/internal/trunk/guard"
	"parley/internal/trunk/route"
)

// TestFullTrunks: a call that no trunk has room for is refused when it is planned, by the rule of the trunk that it would have gone over; with room on another
// one it is planned over all.
func TestFullTrunks(t *testing.T) {
	const first, second = "10000000-0000-4000-8000-000000000000", "20000000-0000-4000-8000-000000000000"
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ limits, rule string }{
			{`{"concurrent":1}`, "trunk_concurrent"},
			{`{"calls_per_second":1}`, "trunk_calls_per_second"},
			{`{"calls_per_minute":1}`, "trunk_calls_per_minute"},
			{`{"minutes_per_day":1}`, "trunk_minutes_per_day"},
		} {
			st := memory.New()
			x, stop := running(t, trunk.Options{Store: st, Policy: policy(t, "+49")})
			add(t, x, ann, first, `{"host":"a.example","limits":`+tt.limits+`}`)
			add(t, x, ann, second, `{"host":"b.example","priority":5,"limits":`+tt.limits+`}`)
			use := func(id string) *guard.Pass {
				hops, err := x.Plan(t.Context(), ann, tel("+49401234"), tel("+4930"))
				if err != nil || len(hops) != 2 || hops[0].TrunkID != first {
					t.Fatalf("%s: %+v, %v", tt.rule, hops, err)
				}
				i := slices.IndexFunc(hops, func(h route.Hop) bool { return h.TrunkID == id })
				pass, err := x.Admit(trunk.Request{CustomerID: ann, Hop: hops[i]})
				if err != nil {
					t.Fatal(tt.rule, err)
				}
				pass.Answered()
				return pass
			}
			one, other := use(first), use(second)
			if tt.rule == "trunk_minutes_per_day" {
				time.Sleep(61 * time.Second)
			}
			_, err := x.Plan(t.Context(), ann, tel("+49401234"), tel("+4930"))
			var r *trunk.Refusal
			if !errors.As(err, &r) || r.Rule != tt.rule || r.TrunkID != first || fault.ReasonOf(err) != "CALLS_OUT_LIMIT_REACHED" {
				t.Errorf("%s: %v", tt.rule, err)
			}
			time.Sleep(20 * time.Second) // talk and refusals are written now and then
			if got := refusals(t, st); len(got) != 1 || got[0]["rule"] != tt.rule {
				t.Errorf("%s: told %v", tt.rule, got)
			}
			one.Release()
			other.Release()
			time.Sleep(24 * time.Hour)
			use(second).Release()
			stop()
		}
	})
}
