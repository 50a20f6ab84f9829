package run_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/run"
)

const (
	callID = "11111111-0000-4000-8000-000000000001"
	confID = "22222222-0000-4000-8000-000000000002"
	partID = "33333333-0000-4000-8000-000000000003"
	nextID = "44444444-0000-4000-8000-000000000004"
)

// script is a file of testdata. It begins with lists of actions ("flow NAME", JSON, "end"; the one named main is run). Then steps as they are expected
// and what comes of them alternate:
//
//	do TYPE [TEXT…]   a step; each TEXT occurs in its option, its have, or its participant
//	announce REASON   over REASON HANGUP [TEXT…]
//	ok | failed R | digits D | actions NAME | joins [PREFLOW] | enters PARTICIPANT [PREFLOW] | left RESULT [POSTFLOW] | hangup R |
//	interrupt RESULT [PARTICIPANT] | end REASON
//	typed D           before the line that says what came of the step
//	var NAME=VALUE    env api|complete N    path TYPE:OUTCOME[:REASON] …
type script struct {
	t     *testing.T
	lists map[string][]flow.Action
	env   run.Env
	run   *run.Run
	step  run.Step
	at    time.Time
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatal(len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{t: t, lists: map[string][]flow.Action{}, at: time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)}
			s.env = run.Env{ActiveflowID: nextID, ReferenceType: "call", ReferenceID: callID, Direction: call.Inbound, Source: call.Address{Target: "+491"}}
			s.play(strings.Split(string(text), "\n"))
		})
	}
}

func ids() func() string {
	n := 0
	return func() string {
		n++
		return fmt.Sprintf("cccccccc-0000-4000-8000-%012d", n)
	}
}

func (s *script) play(lines []string) {
	newID := ids()
	for i := 0; i < len(lines); i++ {
		verb, rest, _ := strings.Cut(strings.TrimSpace(lines[i]), " ")
		if verb == "" || verb[0] == '#' {
			continue
		}
		if verb == "flow" {
			end := i + slices.Index(lines[i:], "end")
			list, err := flow.ReadActions([]byte(strings.Join(lines[i+1:end], "\n")), flow.Reading{NewID: newID, Fragment: rest != "main"})
			if err != nil {
				s.t.Fatal(err)
			}
			s.lists[rest], i = list, end
			continue
		}
		s.line(i+1, verb, rest)
	}
	if s.step.Kind != run.Over {
		s.t.Errorf("it is not over: %+v", s.step)
	}
}

func (s *script) line(n int, verb, rest string) {
	s.t.Helper()
	if s.run == nil && verb != "env" {
		var err error
		if s.run, err = run.Start(s.env, s.lists["main"]); err != nil {
			s.t.Fatal(err)
		}
		s.next(run.Result{CallStatus: call.Progressing})
	}
	words := strings.Fields(rest)
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch verb {
	case "env":
		s.environment(words)
	case "do", "announce", "over":
		if got := s.describe(); !strings.HasPrefix(got, verb+" "+word(0)) || !containsAll(got, words[1:]) {
			s.t.Fatalf("line %d: want %s %s\ngot %s", n, verb, rest, got)
		}
	case "typed":
		s.run.Digits(rest)
	case "ok":
		s.next(run.Result{})
	case "failed":
		s.next(run.Result{Failed: rest})
	case "digits":
		s.next(run.Result{Digits: rest})
	case "hangup":
		s.next(run.Result{Hangup: call.HangupReason(rest)})
	case "actions":
		s.next(run.Result{Actions: s.list(rest), FlowID: nextID})
	case "joins":
		s.next(run.Result{Conference: run.Conference{ID: confID, Name: "room", Participant: partID}, Actions: s.list(rest)})
	case "left":
		s.next(run.Result{Conference: run.Conference{Result: word(0)}, Actions: s.list(word(1))})
	case "interrupt":
		s.step = s.run.Interrupt(run.Result{At: s.at, Conference: run.Conference{Result: word(0), Participant: word(1)}})
	case "enters":
		s.next(run.Result{Conference: run.Conference{ID: nextID, Name: "inner", Participant: word(0)}, Actions: s.list(word(1))})
	case "end":
		s.step = s.run.End(rest)
	case "var":
		name, want, _ := strings.Cut(rest, "=")
		if got := s.run.Vars[name]; got != want {
			s.t.Errorf("line %d: %s is %q, want %q", n, name, got, want)
		}
	case "path":
		if got := path(s.run); got != rest {
			s.t.Errorf("line %d: path\n%s, want\n%s", n, got, rest)
		}
	default:
		s.t.Fatalf("line %d: %s?", n, verb)
	}
}

func (s *script) list(name string) []flow.Action {
	if name == "" {
		return nil
	}
	list, ok := s.lists[name]
	if !ok {
		s.t.Fatalf("no flow %s", name)
	}
	return list
}

func (s *script) environment(words []string) {
	switch words[0] {
	case "complete":
		s.env.OnCompleteFlowID = nextID
		_, _ = fmt.Sscan(words[1], &s.env.CompleteCount)
	default:
		s.env.ReferenceType, s.env.ReferenceID = words[0], ""
	}
}

// next gives the result, and stores and loads the run on the way.
func (s *script) next(in run.Result) {
	s.t.Helper()
	s.at = s.at.Add(time.Second)
	in.At = s.at
	text, err := json.Marshal(s.run)
	if err != nil {
		s.t.Fatal(err)
	}
	s.run = &run.Run{}
	if err := json.Unmarshal(text, s.run); err != nil {
		s.t.Fatal(err)
	}
	s.step = s.run.Next(in)
}

func (s *script) describe() string {
	x := s.step
	switch x.Kind {
	case run.Do:
		return fmt.Sprintf("do %s %s have=%s participant=%s", x.Action.Type, x.Action.Option, x.Have, x.Participant)
	case run.Announce:
		return "announce " + x.Reason
	}
	text := fmt.Sprintf("over %s %s", x.End.Reason, x.End.Hangup)
	if c := x.End.OnComplete; c != nil {
		text += fmt.Sprintf(" then %s count=%d", c.FlowID, c.Count)
	}
	if x.End.TooDeep {
		text += " too-deep"
	}
	return text
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// path writes what a run has executed.
func path(r *run.Run) string {
	var b strings.Builder
	for _, v := range r.Executed {
		fmt.Fprintf(&b, " %s:%s", v.Action.Type, v.Outcome)
		if v.Reason != "" {
			b.WriteString(":" + v.Reason)
		}
	}
	return strings.TrimSpace(b.String())
}
