package group_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/internal/call"
	. "parley/internal/call/group"
	"parley/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

var epoch = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

const (
	groupID  = "90000000-0000-4000-8000-000000000000"
	customer = "50000000-0000-4000-8000-000000000000"
)

// callID makes an id of a letter.
func callID(letter string) string { return strings.Replace(groupID, "9", letter, 1) }

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// trial runs commands on a groupcall as its owner would, and watches the promises of the package on the way.
type trial struct {
	t       fataler
	group   Groupcall
	hangups int
}

func (x *trial) do(c Command) ([]Event, error) {
	x.t.Helper()
	before := viaJSON(x.t, x.group)
	events, err := x.group.Decide(c)
	if !reflect.DeepEqual(before, viaJSON(x.t, x.group)) {
		x.t.Fatalf("%T: Decide changed the groupcall", c)
	}
	if err != nil && len(events) > 0 {
		x.t.Fatalf("%T: events came with the error %v", c, err)
	}
	for _, e := range events {
		x.watch(e)
		x.group.Apply(e)
	}
	return events, err
}

var rank = map[Status]int{"": 0, Progressing: 1, HangingUp: 2, Ended: 3}

func (x *trial) watch(e Event) {
	x.t.Helper()
	was, now := &x.group, e.Groupcall
	if rank[now.Status] < rank[was.Status] || was.AnswerCallID != "" && now.AnswerCallID != was.AnswerCallID {
		x.t.Fatalf("%s goes from %q answered by %q to %q answered by %q", e.Type, was.Status, was.AnswerCallID, now.Status, now.AnswerCallID)
	}
	if e.Type == GroupcallHangup {
		x.hangups++
	}
	r := now.Resource()
	ended := now.Status == Ended
	if ended != (x.hangups == 1) || ended && (r.CallCount > 0 || len(now.Dial()) > 0 || len(now.Surplus()) > 0) {
		x.t.Fatalf("%s at %s: %d hangups, %d live, %v to dial", e.Type, now.Status, x.hangups, r.CallCount, now.Dial())
	}
	if !ended && r.CallCount == 0 && len(now.Dial()) == 0 {
		x.t.Fatalf("%s at %s: nothing is live, nothing to dial: it would never end", e.Type, now.Status)
	}
	if now.Ring == Linear && len(now.Dial()) > 1 {
		x.t.Fatalf("linear, and %v at once", now.Dial())
	}
	if slices.Contains(now.Surplus(), now.AnswerCallID) && now.Status == Progressing {
		x.t.Fatalf("the answering call is to be hung up")
	}
	if _, err := e.Data(); err != nil {
		x.t.Fatalf("%s: %v", e.Type, err)
	}
}

func viaJSON(t fataler, g Groupcall) (out Groupcall) {
	t.Helper()
	b, err := json.Marshal(g)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatalf("through JSON: %v", err)
	}
	return out
}

// TestScripts plays testdata/*.txt: "> TIME COMMAND words…", below it what follows.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s differs (run with -update and read the diff); got\n%s", file, got)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	x := &trial{t: t}
	var out strings.Builder
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "> "):
			out.WriteString(line)
			words := strings.Fields(line[2:])
			if words[1] == "new" {
				x = &trial{t: t}
				continue
			}
			events, err := x.do(command(t, words))
			if err != nil {
				fmt.Fprintf(&out, "! %s %s: %v\n", fault.KindOf(err).Class(), fault.ReasonOf(err), err)
			}
			for _, e := range events {
				out.WriteString(describe(e) + "\n")
			}
		case line == "\n" || line[0] == '#':
			out.WriteString(line)
		}
	}
	return out.String()
}

func command(t *testing.T, words []string) Command {
	offset, err := time.ParseDuration(words[0])
	if err != nil {
		t.Fatal(err)
	}
	at, args := epoch.Add(offset), words[2:]
	switch words[1] {
	case "create":
		n, _ := strconv.Atoi(args[0])
		c := Create{At: at, ID: groupID, CustomerID: customer, Source: call.Address{Type: "tel", Target: "+1"}}
		for i := range n {
			c.Destinations = append(c.Destinations, call.Address{Type: "extension", Target: strconv.Itoa(i)})
		}
		if len(args) > 1 {
			c.Ring = RingMethod(args[1])
		}
		return c
	case "dialed":
		n, _ := strconv.Atoi(args[0])
		c := Dialed{At: at, Destination: n}
		for _, letter := range args[1:] {
			c.CallIDs = append(c.CallIDs, callID(letter))
		}
		return c
	case "answered":
		return Answered{At: at, CallID: callID(args[0])}
	case "ended":
		return CallEnded{At: at, CallID: callID(args[0]), Reason: call.HangupReason(args[1])}
	case "hangup":
		return Hangup{At: at}
	case "recover":
		return Recover{At: at}
	case "delete":
		return Delete{At: at}
	}
	t.Fatalf("unknown command %q", words[1])
	return nil
}

func describe(e Event) string {
	g, r := e.Groupcall, e.Groupcall.Resource()
	line := fmt.Sprintf("%-21s %s %s live=%d index=%d", e.Type, g.Status, g.Ring, r.CallCount, r.DialIndex)
	if g.AnswerCallID != "" {
		line += " answered=" + g.AnswerCallID[:1]
	}
	for _, l := range g.Legs {
		line += fmt.Sprintf(" %s:%d%s", l.CallID[:1], l.Destination, l.Reason)
	}
	if turn := g.Dial(); len(turn) > 0 {
		line += fmt.Sprint(" dial=", turn)
	}
	for i, id := range g.Surplus() {
		if i == 0 {
			line += " hang up"
		}
		line += " " + id[:1]
	}
	return line
}

// TestRandomCommands plays random commands; trial checks the promises after each. Whoever does what Dial and Surplus say gets to the end.
func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &trial{t: t}
		n := rapid.IntRange(1, 4).Draw(t, "destinations")
		c := Create{At: epoch, ID: groupID, CustomerID: customer, Methods: Methods{Ring: rapid.SampledFrom([]RingMethod{"", RingAll, Linear}).Draw(t, "ring")}}
		for range n {
			c.Destinations = append(c.Destinations, call.Address{Type: "sip", Target: "a@b"})
		}
		if _, err := x.do(c); err != nil {
			t.Fatal(err)
		}
		made := 0
		anyCall := func(t *rapid.T) string {
			return fmt.Sprintf("ca000000-0000-4000-8000-%012d", rapid.IntRange(0, 8).Draw(t, "call"))
		}
		dial := func(to int, calls int) {
			var ids []string
			for range calls {
				ids = append(ids, fmt.Sprintf("ca000000-0000-4000-8000-%012d", made))
				made++
			}
			_, _ = x.do(Dialed{At: epoch, Destination: to, CallIDs: ids})
		}
		do := func(c Command) {
			if _, err := x.do(c); err != nil && fault.KindOf(err) == fault.Internal {
				t.Fatalf("%+v: %v", c, err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"dial": func(t *rapid.T) {
				x.t = t
				dial(rapid.IntRange(-1, n).Draw(t, "to"), rapid.IntRange(0, 2).Draw(t, "calls"))
			},
			"answer": func(t *rapid.T) { x.t = t; do(Answered{At: epoch, CallID: anyCall(t)}) },
			"end":    func(t *rapid.T) { x.t = t; do(CallEnded{At: epoch, CallID: anyCall(t), Reason: call.Busy}) },
			"rare": func(t *rapid.T) {
				x.t = t
				if rapid.IntRange(0, 9).Draw(t, "which") == 0 {
					do(Hangup{At: epoch})
				}
			},
		})
		x.t = t
		for range n + 1 {
			for _, i := range x.group.Dial() {
				dial(i, 1)
			}
			for _, l := range x.group.Legs {
				do(CallEnded{At: epoch, CallID: l.CallID, Reason: call.NoAnswer})
			}
		}
		if x.group.Status != Ended {
			t.Fatalf("%+v does not end", x.group)
		}
	})
}

func TestResource(t *testing.T) {
	x := &trial{t: t}
	for _, line := range []string{"0s create 1", "1s dialed 0 a", "2s answered a"} {
		if _, err := x.do(command(t, strings.Fields(line))); err != nil {
			t.Fatal(err)
		}
	}
	got, err := json.Marshal(x.group.Resource())
	const none = "00000000-0000-0000-0000-000000000000"
	want := `{"id":"` + groupID + `","customer_id":"` + customer + `","owner_type":"","owner_id":"` + none + `","status":"progressing","flow_id":"` + none +
		`","source":{"type":"tel","target":"+1"},"destinations":[{"type":"extension","target":"0"}],"master_call_id":"` + none +
		`","master_groupcall_id":"` + none + `","ring_method":"ring_all","answer_method":"hangup_others","answer_call_id":"` + callID("a") +
		`","call_ids":["` + callID("a") + `"],"answer_groupcall_id":"` + none + `","groupcall_ids":[],"call_count":1,"groupcall_count":0,"dial_index":0,` +
		`"tm_create":"2026-01-15T09:30:00.000000Z","tm_update":"2026-01-15T09:30:02.000000Z","tm_delete":null}`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

// TestCommandsOfNobody: what no owner sends is an error and never an event.
func TestCommandsOfNobody(t *testing.T) {
	x := &trial{t: t}
	for _, c := range []Command{nil, Create{ID: groupID, CustomerID: customer, Destinations: []call.Address{{}}}} {
		if _, err := x.do(c); err == nil {
			t.Errorf("%T was accepted", c)
		}
	}
}
