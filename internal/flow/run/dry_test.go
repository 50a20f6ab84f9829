package run_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/run"
)

// world has some flows and one conference with a pre-flow and a post-flow.
type world map[string][]flow.Action

func (w world) Flow(id string) ([]flow.Action, error) {
	if list, ok := w[id]; ok {
		return list, nil
	}
	return nil, fault.New(fault.NotFound, "FLOW_NOT_FOUND", "no such flow")
}

func (w world) Conference(id string) (name, pre, post string, err error) {
	if id != confID {
		return "", "", "", fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "no such conference")
	}
	return "room", callID, nextID, nil
}

func read(t testing.TB, list string) []flow.Action {
	t.Helper()
	got, err := flow.ReadActions([]byte(list), flow.Reading{NewID: ids()})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const pinFlow = `[{"id":"ask","type":"talk","option":{"text":"pin"}},
	{"type":"digits_receive","option":{"length":4,"key":"#","duration":5000}},
	{"type":"branch","option":{"target_ids":{"1234":"in"},"default_target_id":"wrong"}},
	{"id":"wrong","type":"goto","option":{"target_id":"ask","loop_count":1}},
	{"type":"hangup","option":{"reason":"failed"}},
	{"id":"in","type":"talk","option":{"text":"welcome"}}]`

func env() run.Env {
	return run.Env{ActiveflowID: nextID, ReferenceType: "call", ReferenceID: callID}
}

func TestDryRun(t *testing.T) {
	w := world{callID: read(t, pinFlow), nextID: read(t, `[{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`)}
	main := read(t, `[{"type":"conference_join","option":{"conference_id":"`+confID+`"}},{"type":"sleep","option":{"duration":1000}}]`)
	for _, tt := range []struct {
		digits, path string
		end          call.HangupReason
		took         time.Duration
	}{
		{"1234", "conference_join talk digits_receive branch talk confbridge_join talk sleep", call.Normal, time.Second},
		{"12,1234", "conference_join talk digits_receive branch goto talk digits_receive branch talk confbridge_join talk sleep", call.Normal, 6 * time.Second},
		{"9#1234", "conference_join talk digits_receive branch goto talk digits_receive branch talk confbridge_join talk sleep", call.Normal, time.Second},
		{"12345678", "conference_join talk digits_receive branch talk confbridge_join talk sleep", call.Normal, time.Second},
		{"", "conference_join talk digits_receive branch goto talk digits_receive branch hangup", call.Failed, 10 * time.Second},
	} {
		got, err := run.DryRun(env(), main, run.Script{Digits: tt.digits, Conference: "kicked"}, w)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, v := range got.Run.Executed {
			types = append(types, string(v.Action.Type))
		}
		if strings.Join(types, " ") != tt.path || got.End.Hangup != tt.end || got.Took != tt.took {
			t.Errorf("%s: %v %+v %v", tt.digits, types, got.End, got.Took)
		}
	}
	unknown := read(t, `[{"type":"conference_join","option":{"conference_id":"`+partID+`"}},{"type":"fetch_flow","option":{"flow_id":"`+partID+`"}}]`)
	got, err := run.DryRun(env(), unknown, run.Script{}, w)
	if err != nil || !reflect.DeepEqual(got.Announced, []string{"CONFERENCE_NOT_FOUND"}) || got.End.Reason != "FLOW_NOT_FOUND" {
		t.Errorf("%v %+v", err, got)
	}
	for digits, ok := range map[string]bool{"12*#A,": true, "a": false, " ": false} {
		if err := run.CheckDigits(digits); (err == nil) != ok {
			t.Errorf("%q: %v", digits, err)
		}
	}
}

func TestVariableLimits(t *testing.T) {
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint(i)] = ""
	}
	for name, vars := range map[string]map[string]string{
		"many": many, "long": {"a": strings.Repeat("x", 32<<10+1)}, "no name": {"": "x"}, "bytes": {"a": "\xff"}, "long name": {strings.Repeat("x", 256): ""},
		"all": {"a": strings.Repeat("x", 32<<10), "b": strings.Repeat("x", 32<<10)},
	} {
		e := env()
		e.Variables = vars
		if _, err := run.Start(e, nil); fault.ReasonOf(err) != "INVALID_VARIABLES" {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := env()
	e.Variables = map[string]string{"voipbin.call.id": "forged", "mine": "1"}
	r, err := run.Start(e, nil)
	if err != nil || r.Vars["voipbin.call.id"] != callID || r.Vars["mine"] != "1" {
		t.Errorf("%v %v", err, r.Vars)
	}
	// A text that grows by its variables does so within bounds.
	e.Variables = map[string]string{"a": strings.Repeat("x", 30<<10)}
	got, err := run.DryRun(e, read(t, `[{"type":"variable_set","option":{"key":"b","value":"${a}${a}${a}"}}]`), run.Script{}, world{})
	if err != nil || path(got.Run) != "variable_set:failed:ACTION_OPTION_INVALID" {
		t.Errorf("%v %s", err, path(got.Run))
	}
}

// phone is an executor as a call's owner is one, written apart from the dry run: it types digit by digit and stores the run now and then.
type phone struct {
	w      world
	digits string
	at     time.Time
}

func (p *phone) call(t *testing.T, actions []flow.Action) *run.Run {
	r, err := run.Start(env(), actions)
	if err != nil {
		t.Fatal(err)
	}
	in := run.Result{CallStatus: call.Progressing}
	for n := range 1000 {
		if n%10 == 3 {
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			r = new(run.Run)
			if err := json.Unmarshal(text, r); err != nil {
				t.Fatal(err)
			}
		}
		in.At = p.at
		s := r.Next(in)
		if s.Kind == run.Over {
			return r
		}
		if in = (run.Result{}); s.Kind == run.Do {
			in = p.do(s)
		}
	}
	t.Fatal("no end")
	return nil
}

func (p *phone) do(s run.Step) (in run.Result) {
	switch o := s.Option.(type) {
	case *action.Receiving:
		have := s.Have
		for {
			value, _, complete := o.Take(have)
			if in.Digits = value; complete {
				return in
			}
			if p.digits == "" || p.digits[0] == ',' {
				p.digits = strings.TrimPrefix(p.digits, ",")
				p.at = p.at.Add(time.Duration(o.Duration) * time.Millisecond)
				return in
			}
			have, p.digits = have+p.digits[:1], p.digits[1:]
		}
	case *action.Lasting:
		p.at = p.at.Add(time.Duration(o.Duration) * time.Millisecond)
	case *action.Joining:
		if s.Action.Type == action.ConferenceJoin {
			name, pre, _, err := p.w.Conference(o.ConferenceID)
			if err != nil {
				return run.Result{Failed: fault.ReasonOf(err)}
			}
			list, err := p.w.Flow(pre)
			if err != nil {
				return run.Result{Failed: fault.ReasonOf(err)}
			}
			return run.Result{Conference: run.Conference{ID: o.ConferenceID, Name: name, Participant: partID}, Actions: list}
		}
		if s.Participant != "" {
			list, _ := p.w.Flow(nextID)
			return run.Result{Conference: run.Conference{Result: "left"}, Actions: list}
		}
	case *action.Fetching:
		if s.Action.Type == action.FetchFlow {
			list, err := p.w.Flow(o.FlowID)
			if err != nil {
				return run.Result{Failed: fault.ReasonOf(err)}
			}
			return run.Result{Actions: list, FlowID: o.FlowID}
		}
		return run.Result{Failed: "FETCH_NOT_IN_DRY_RUN"}
	}
	return in
}

// anyFlow makes a list of actions at random, with every type that there is and many jumps.
func anyFlow(t testing.TB, rnd *rand.Rand) []flow.Action {
	n := 1 + rnd.IntN(8)
	var list []string
	for i := range n {
		to := func() string { return fmt.Sprintf("a%d", rnd.IntN(n)) }
		next := ""
		if rnd.IntN(6) == 0 {
			next = to()
		}
		body := [...]string{
			`"answer"`, `"beep"`, `"stop"`, `"empty"`, `"block"`, `"hangup"`,
			`"sleep","option":{"duration":1800000}`, `"talk","option":{"text":"${voipbin.call.digits}-${x}"}`,
			`"digits_receive","option":{"length":2,"key":"#","duration":5000}`, `"digits_receive","option":{"duration":5000,"key":"*"}`,
			`"branch","option":{"target_ids":{"12":"` + to() + `","1":"` + to() + `"},"default_target_id":"` + to() + `"}`,
			`"goto","option":{"target_id":"` + to() + `","loop_count":` + fmt.Sprint(rnd.IntN(4)) + `}`,
			`"condition_call_digits","option":{"length":2,"false_target_id":"` + to() + `"}`,
			`"condition_datetime","option":{"condition":">","hour":10,"false_target_id":"` + to() + `"}`,
			`"condition_variable","option":{"condition":"==","variable":"${x}","value_string":"12","false_target_id":"` + to() + `"}`,
			`"condition_call_status","option":{"status":"progressing","false_target_id":"` + flow.FinishID + `"}`,
			`"variable_set","option":{"key":"x","value":"${voipbin.call.digits}"}`,
			`"conference_join","option":{"conference_id":"` + []string{confID, partID}[rnd.IntN(2)] + `"}`,
			`"confbridge_join","option":{"confbridge_id":"` + confID + `"}`,
			`"fetch","option":{"event_url":"http://a/"}`, `"fetch_flow","option":{"flow_id":"` + []string{callID, nextID, partID}[rnd.IntN(3)] + `"}`,
			`"webhook_send","option":{"uri":"http://a/${x}"}`,
		}
		list = append(list, fmt.Sprintf(`{"id":"a%d","next_id":%q,"type":%s}`, i, next, body[rnd.IntN(len(body))]))
	}
	return read(t, "["+strings.Join(list, ",")+"]")
}

// TestDryRunEqualsRun says that a dry run takes the path of the run, for any flow and any digits, and that both end within the limits.
func TestDryRunEqualsRun(t *testing.T) {
	long := 0
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := world{callID: anyFlow(t, rnd), nextID: anyFlow(t, rnd)}
		main := anyFlow(t, rnd)
		var digits strings.Builder
		for range rnd.IntN(12) {
			digits.WriteByte("12#*,"[rnd.IntN(5)])
		}
		at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
		dry, err := run.DryRun(env(), main, run.Script{At: at, Digits: digits.String()}, w)
		if err != nil {
			t.Fatal(err)
		}
		real := (&phone{w: w, digits: digits.String(), at: at}).call(t, main)
		if a, b := path(dry.Run), path(real); a != b || dry.End.Reason != real.Step.End.Reason {
			t.Fatalf("seed %d: %s\n%s %s\n%s %s", seed, digits.String(), a, dry.End.Reason, b, real.Step.End.Reason)
		}
		n := len(real.Executed)
		if n > run.ActionsMax {
			t.Fatalf("seed %d: %d actions", seed, n)
		}
		if n > 5 {
			long++
		}
		for _, v := range real.Executed {
			if v.Outcome == run.Running {
				t.Fatalf("seed %d: %s still runs: %s", seed, v.Action.Type, path(real))
			}
		}
	}
	if long < 60 {
		t.Errorf("only %d of the flows got anywhere", long)
	}
}

// FuzzRun says that nothing that comes in breaks a run, whatever the order.
func FuzzRun(f *testing.F) {
	f.Add(uint64(1), []byte("nnnnnnnnnn"))
	f.Add(uint64(2), []byte("ndfxijhne"))
	f.Fuzz(func(t *testing.T, seed uint64, moves []byte) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		r, err := run.Start(env(), anyFlow(t, rnd))
		if err != nil {
			t.Fatal(err)
		}
		var s run.Step
		for _, m := range moves {
			over := s.Kind == run.Over
			switch m {
			case 'd':
				r.Digits("12")
				continue
			case 'f':
				s = r.Next(run.Result{Failed: "X"})
			case 'x':
				s = r.Next(run.Result{Actions: anyFlow(t, rnd), Digits: "12", Conference: run.Conference{ID: confID, Participant: partID}})
			case 'i':
				s = r.Interrupt(run.Result{Conference: run.Conference{Result: "kicked"}})
			case 'h':
				s = r.Next(run.Result{Hangup: call.Busy})
			case 'e':
				s = r.End(run.CallEnded)
			default:
				s = r.Next(run.Result{})
			}
			if over && s.Kind != run.Over || len(r.Executed) > run.ActionsMax {
				t.Fatalf("%+v after the end, %d actions", s, len(r.Executed))
			}
		}
	})
}

// BenchmarkStep measures one action with its step, variables in its text, away from I/O.
func BenchmarkStep(b *testing.B) {
	list := read(b, `[{"id":"a","type":"talk","option":{"text":"hello ${voipbin.call.source.target}, you typed ${voipbin.call.digits}","language":"en-US"},"next_id":"b"},
		{"id":"b","type":"digits_receive","option":{"length":4,"duration":5000},"next_id":"c"},
		{"id":"c","type":"branch","option":{"target_ids":{"1234":"a"},"default_target_id":"a"}}]`)
	for b.Loop() {
		r, err := run.Start(env(), list)
		if err != nil {
			b.Fatal(err)
		}
		for s := r.Next(run.Result{}); s.Kind != run.Over; s = r.Next(run.Result{Digits: "1234"}) {
			continue
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/run.ActionsMax, "ns/action")
}
