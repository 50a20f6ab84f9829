package script_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/run"
	"parley/internal/store"
)

// paper is the world of a dry run: that of the fake.
type paper struct{ w *world }

func (p paper) Flow(id string) ([]flow.Action, error) {
	f, err := p.w.p.Flow(p.w.t.Context(), me, id)
	return f.Actions, err
}

func (p paper) Conference(id string) (name, pre, post string, err error) {
	if s := p.w.call.seats[id]; s != nil {
		return s.place.Name, s.place.PreFlow, s.place.PostFlow, nil
	}
	return "", "", "", fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "no")
}

// step draws an action of a flow with so many.
func step(t *rapid.T, i, of int, sub string) string {
	label := func(s string) string { return rapid.StringMatching("[12]").Draw(t, s) }
	target := fmt.Sprintf("s%d", rapid.IntRange(0, of-1).Draw(t, "target"))
	type_ := rapid.SampledFrom([]string{
		"answer", "beep", "talk", "play", "sleep", "digits_receive", "digits_receive", "digits_receive", "branch", "condition_call_digits", "condition_variable", "goto", "variable_set", "fetch_flow", "conference_join",
		"conference_join", "mute", "echo", "digits_send", "transcribe_start", "block", "empty", "stop", "hangup", "amd",
	}).Draw(t, "type")
	option := map[string]string{
		"talk": `{"text":"say ${voipbin.call.digits} 5","digits_handle":"` + rapid.SampledFrom([]string{"", "next"}).Draw(t, "handle") + `"}`, "play": `{"stream_urls":["http://a/5"]}`,
		"sleep": `{"duration":5}`, "echo": `{"duration":5}`, "digits_send": `{"digits":"1"}`,
		"digits_receive": `{"duration":200,"length":` + label("length") + `,"key":"#"}`,
		"branch":         `{"default_target_id":"` + target + `","target_ids":{"` + label("value") + `":"s0"}}`,
		"goto":           `{"target_id":"` + target + `","loop_count":` + label("loops") + `}`, "condition_call_digits": `{"length":1,"key":"1","false_target_id":"` + target + `"}`,
		"condition_variable": `{"condition":"==","variable":"${v}","value_string":"1","false_target_id":"` + target + `"}`,
		"variable_set":       `{"key":"v","value":"` + label("v") + `${voipbin.conference.result}"}`, "fetch_flow": `{"flow_id":"` + sub + `"}`,
		"conference_join": `{"conference_id":"` + rapid.SampledFrom([]string{roomID, innerID, callID}).Draw(t, "room") + `"}`,
	}[type_]
	if option == "" {
		option = "{}"
	}
	return fmt.Sprintf(`{"id":"s%d","type":"%s","option":%s}`, i, type_, option)
}

func list(t *rapid.T, sub string) string {
	n := rapid.IntRange(1, 8).Draw(t, "steps")
	var steps []string
	for i := range n {
		steps = append(steps, step(t, i, n, sub))
	}
	return `[` + strings.Join(steps, ",") + `]`
}

// TestDryRunIsReal says that a dry run takes the path of a real run in which the same happens: same actions, same outcomes, same announcements, same end.
func TestDryRunIsReal(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lowest := list(rt, uuid.NewString())
		main := list(rt, "00000000-0000-4000-8000-00000000000a")
		pre, post := list(rt, uuid.NewString()), list(rt, uuid.NewString())
		// Each group is typed into one digits_receive; a comma is its patience.
		digits := rapid.StringMatching(`[12#]{0,3}(,[12#]{0,3}){0,4}`).Draw(rt, "digits")
		result := rapid.SampledFrom([]string{"left", "kicked", "terminated"}).Draw(rt, "result")
		synctest.Test(t, func(t *testing.T) { same(t, main, lowest, pre, post, digits, result) })
	})
}

func same(t *testing.T, main, sub, pre, post, digits, result string) {
	w := newWorld(t)
	subID := keepFlow(t, w.st, sub)
	main = strings.ReplaceAll(main, "00000000-0000-4000-8000-00000000000a", subID)
	room := w.call.room(roomID, w.flow(pre), w.flow(post))
	room.result = result
	w.call.room(innerID, "", "").result = result
	w.call.again = true
	w.call.script, w.call.digits = &keys{left: digits}, make(chan byte)
	plan, err := w.p.Prepare(t.Context(), w.plan(main))
	if err != nil {
		t.Fatal(err)
	}
	dry, err := run.DryRun(plan.Env, plan.Actions, run.Script{At: time.Now(), Digits: digits, Conference: result}, paper{w})
	if err != nil {
		t.Fatal(err)
	}
	end := w.p.Perform(t.Context(), plan, w.call.stage())
	w.call.acting(t.Context(), flow.Action{})
	rec, err := w.st.Get(t.Context(), store.Activeflow, plan.Env.ActiveflowID)
	if err != nil || rec.Live {
		t.Fatal(err, rec.Live)
	}
	var want strings.Builder
	for _, v := range dry.Run.Executed {
		fmt.Fprintf(&want, " %s:%s", v.Action.Type, v.Outcome)
		if v.Reason != "" {
			want.WriteString(":" + v.Reason)
		}
	}
	if got := path(w.record(plan.Env.ActiveflowID)); got != strings.TrimSpace(want.String()) || end.Reason != dry.End.Reason || end.Hangup != dry.End.Hangup {
		t.Fatalf("main %s\nsub %s\npre %s\npost %s\ndigits %q\ncall: %s\nreal %s %s\ndry%s %s", main, sub, pre, post, digits, w.call.told(true), got, end.Reason, want.String(), dry.End.Reason)
	}
}
