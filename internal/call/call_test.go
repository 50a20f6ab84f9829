package call_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "parley/internal/call"
	"parley/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

var epoch = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

const (
	callID           = "ca000000-0000-4000-8000-000000000000"
	customerID       = "50000000-0000-4000-8000-000000000000"
	conferenceID     = "c0000000-0000-4000-8000-000000000000"
	conferencecallID = "bb000000-0000-4000-8000-000000000061"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// trial runs commands on a call as its owner would, and watches the promises of the package on the way.
type trial struct {
	t          fataler
	call, fold Call
	hangups    int
}

func (x *trial) do(c Command) ([]Event, error) {
	x.t.Helper()
	before := viaJSON(x.t, x.call)
	events, err := x.call.Decide(c)
	if !reflect.DeepEqual(before, viaJSON(x.t, x.call)) {
		x.t.Fatalf("%T: Decide changed the call", c)
	}
	if err != nil {
		if len(events) > 0 {
			x.t.Fatalf("%T: events came with the error %v", c, err)
		}
		return nil, err
	}
	for _, e := range events {
		x.watch(e)
		x.call.Apply(e)
		x.fold.Apply(Event{Type: e.Type, At: e.At, Call: new(viaJSON(x.t, *e.Call))})
	}
	if !reflect.DeepEqual(x.call, x.fold) {
		x.t.Fatalf("%T: the call is not the fold of its log\ncall %+v\nfold %+v", c, x.call, x.fold)
	}
	return events, nil
}

// steps is the machine once more, written down from the documentation.
var steps = map[Status]string{
	"":          "dialing ringing",
	Dialing:     "dialing ringing progressing terminating canceling hangup",
	Ringing:     "ringing progressing terminating canceling hangup",
	Progressing: "progressing terminating hangup",
	Terminating: "terminating hangup",
	Canceling:   "canceling hangup",
	Ended:       "hangup",
}

func (x *trial) watch(e Event) {
	x.t.Helper()
	was, now := x.call.Status, e.Call.Status
	if !slices.Contains(strings.Fields(steps[was]), string(now)) {
		x.t.Fatalf("%s goes from %q to %q", e.Type, was, now)
	}
	if _, err := e.Data(); err != nil {
		x.t.Fatalf("%s: %v", e.Type, err)
	}
	if named := "call_" + string(now); e.Type != CallCreated && e.Type != CallUpdated && e.Type != CallDeleted && e.Type != named {
		x.t.Fatalf("%s at %s", e.Type, now)
	}
	if e.Type == CallHangup {
		x.hangups++
	}
	ended := now == Ended
	if ended != (x.hangups == 1) || ended != !e.Call.Times.Ended.IsZero() || ended != (e.Call.HangupReason != "") || ended != (e.Call.HangupBy != "") {
		x.t.Fatalf("%s at %s: %d hangups, end %v, by %q, reason %q", e.Type, now, x.hangups, e.Call.Times.Ended, e.Call.HangupBy, e.Call.HangupReason)
	}
	if ended && e.Call.ConferenceID != "" {
		x.t.Fatalf("%s: hung up and still seated", e.Type)
	}
}

func viaJSON(t fataler, c Call) (out Call) {
	t.Helper()
	b, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatalf("through JSON: %v", err)
	}
	return out
}

// TestScripts plays testdata/*.txt: "> TIME COMMAND key=value…", below it what follows.
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
			if words[1] == "new" { // another call
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
	at, values := epoch.Add(offset), map[string]string{}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		values[key] = value
	}
	take := func(key, fallback string) string {
		if v, ok := values[key]; ok {
			return v
		}
		return fallback
	}
	in := Incoming{
		At: at, ID: ID(take("id", callID)), CustomerID: take("customer", customerID), Type: Type(take("type", "")),
		Source:      Address{Type: "sip", Target: take("source", "ann@example.com"), Name: strings.ReplaceAll(take("name", ""), `\xff`, "\xff")},
		Destination: Address{Type: take("to", "sip"), Target: take("target", "room@example.com")},
		SIPCallID:   "a84b4c76e66710", FlowID: take("flow", ""),
	}
	switch words[1] {
	case "incoming":
		return in
	case "outgoing":
		return Outgoing(in)
	case "ring":
		return Ring{At: at}
	case "answer":
		return Answer{At: at}
	case "cancel":
		return Cancel{At: at}
	case "hangup":
		h := Hangup{At: at, By: Side(take("by", "")), Reason: HangupReason(take("reason", "")), Detail: take("detail", "")}
		if take("quality", "") != "" {
			h.Quality = &Quality{MOS: 4.3}
		}
		return h
	case "seat":
		return Seat{At: at, ConferenceID: take("conference", conferenceID), ConferencecallID: take("conferencecall", conferencecallID)}
	case "stand":
		return Seat{At: at}
	case "replace":
		return Replace{At: at, SIPCallID: "other@phone", Party: Address{Type: "sip", Target: "carol@example.com", TargetName: "Carol"}}
	case "delete":
		return Delete{At: at}
	case "recover":
		return Recover{At: at}
	}
	t.Fatalf("unknown command %q", words[1])
	return nil
}

func describe(e Event) string {
	c := e.Call
	line := fmt.Sprintf("%-16s %s %s %s -> %s", e.Type, c.Status, c.Direction, c.Source.Target, c.Destination.Target)
	if c.Source.Name != "" {
		line += fmt.Sprintf(" name=%q", c.Source.Name)
	}
	if c.ConferenceID != "" {
		line += " seated"
	}
	if c.HangupBy != "" {
		line += fmt.Sprintf(" by=%s reason=%s", c.HangupBy, c.HangupReason)
	}
	if c.HangupDetail != "" {
		line += " detail=" + c.HangupDetail
	}
	if c.Quality != nil {
		line += fmt.Sprintf(" mos=%v", c.Quality.MOS)
	}
	for _, at := range []struct {
		word string
		at   time.Time
	}{{"ringing", c.Times.Ringing}, {"progressing", c.Times.Progressing}, {"ended", c.Times.Ended}, {"deleted", c.Times.Deleted}} {
		if !at.at.IsZero() {
			line += fmt.Sprintf(" %s=%v", at.word, at.at.Sub(epoch))
		}
	}
	return line
}

// TestRandomCommands plays random commands; trial checks the promises after each.
func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &trial{t: t}
		at := epoch
		do := func(t *rapid.T, c Command) []Event {
			x.t = t
			events, err := x.do(c)
			if err != nil && fault.KindOf(err) == fault.Internal {
				t.Fatalf("%+v: %v", c, err)
			}
			return events
		}
		tick := func(t *rapid.T) time.Time {
			at = at.Add(time.Duration(rapid.IntRange(0, 2_000_000_000).Draw(t, "step")))
			return at
		}
		setup := func(t *rapid.T) Incoming {
			return Incoming{
				At: tick(t), ID: callID, CustomerID: customerID, SIPCallID: rapid.String().Draw(t, "call id"),
				Source:      Address{Type: "sip", Name: string(rapid.SliceOf(rapid.Byte()).Draw(t, "name"))},
				Destination: Address{Type: rapid.SampledFrom([]string{"", "sip", "tel", "pigeon"}).Draw(t, "type"), Target: "+1"},
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"incoming": func(t *rapid.T) { do(t, setup(t)) },
			"outgoing": func(t *rapid.T) { do(t, Outgoing(setup(t))) },
			"ring":     func(t *rapid.T) { do(t, Ring{At: tick(t)}) },
			"answer":   func(t *rapid.T) { do(t, Answer{At: tick(t)}) },
			"cancel":   func(t *rapid.T) { do(t, Cancel{At: tick(t)}) },
			"seat": func(t *rapid.T) {
				do(t, Seat{At: tick(t), ConferenceID: conferenceID, ConferencecallID: conferencecallID})
			},
			"stand": func(t *rapid.T) { do(t, Seat{At: tick(t)}) },
			"hangup": func(t *rapid.T) {
				h := Hangup{
					At: tick(t), By: rapid.SampledFrom([]Side{"", Local, Remote, "x"}).Draw(t, "by"),
					Reason: rapid.SampledFrom([]HangupReason{"", Normal, Busy, "x"}).Draw(t, "reason"),
					Detail: string(rapid.SliceOf(rapid.Byte()).Draw(t, "detail")),
				}
				if do(t, h); x.call.Status == Ended {
					if again := do(t, h); len(again) > 0 {
						t.Fatalf("a second hangup gave %s", again[0].Type)
					}
				}
			},
			"delete": func(t *rapid.T) { do(t, Delete{At: tick(t)}) },
			"recover": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rare") > 0 {
					return
				}
				if do(t, Recover{At: tick(t)}); x.call.ID != "" && x.call.Status != Ended {
					t.Fatalf("%s after Recover", x.call.Status)
				}
			},
		})
	})
}

func TestReasonOf(t *testing.T) {
	for status, want := range map[int]HangupReason{
		0: Normal, 200: Normal, 302: Failed, 403: Failed, 404: Failed, 408: NoAnswer, 480: NoAnswer, 486: Busy, 487: Canceled, 488: Failed,
		500: Failed, 503: Failed, 600: Busy, 603: NoAnswer, 604: Failed, 999: Failed,
	} {
		if got := ReasonOf(status); got != want {
			t.Errorf("%d: got %s, want %s", status, got, want)
		}
	}
}

// TestCommandsOfNobody: what no owner sends is an error and never an event.
func TestCommandsOfNobody(t *testing.T) {
	x := &trial{t: t}
	in := Incoming{ID: callID, CustomerID: customerID}
	if events, err := x.do(in); err == nil {
		t.Errorf("a command without a time gave %v", events)
	}
	in.At = epoch
	if _, err := x.do(in); err != nil {
		t.Fatal(err)
	}
	if events, err := x.do(nil); err == nil {
		t.Errorf("no command gave %v", events)
	}
}

func TestResourceOfFreshCall(t *testing.T) {
	x := &trial{t: t}
	if _, err := x.do(Incoming{At: epoch, ID: callID, CustomerID: customerID, Source: Address{Type: "sip", Target: "ann@example.com"}}); err != nil {
		t.Fatal(err)
	}
	const want = `{"id":"ca000000-0000-4000-8000-000000000000","customer_id":"50000000-0000-4000-8000-000000000000","owner_type":"",` +
		`"owner_id":"00000000-0000-0000-0000-000000000000","flow_id":"00000000-0000-0000-0000-000000000000",` +
		`"activeflow_id":"00000000-0000-0000-0000-000000000000","type":"","master_call_id":"00000000-0000-0000-0000-000000000000",` +
		`"chained_call_ids":[],"recording_id":"00000000-0000-0000-0000-000000000000","recording_ids":[],` +
		`"groupcall_id":"00000000-0000-0000-0000-000000000000","source":{"type":"sip","target":"ann@example.com"},"destination":{},` +
		`"status":"ringing","action":{"id":"00000000-0000-0000-0000-000000000000","next_id":"00000000-0000-0000-0000-000000000000","type":"",` +
		`"option":{},"tm_execute":null},"metadata":{},"direction":"incoming","mute_direction":"","hangup_by":"","hangup_reason":"",` +
		`"tm_progressing":null,"tm_ringing":"2026-01-15T09:30:00.000000Z","tm_hangup":null,"tm_create":"2026-01-15T09:30:00.000000Z",` +
		`"tm_update":null,"tm_delete":null,"conference_id":"00000000-0000-0000-0000-000000000000",` +
		`"conferencecall_id":"00000000-0000-0000-0000-000000000000","sip_call_id":"","hangup_detail":"","quality":null}`
	got, err := json.Marshal(x.call.Resource())
	if err != nil || string(got) != want {
		t.Errorf("got  %s\nwant %s\n%v", got, want, err)
	}
}

// FuzzIncoming: what the network says about a caller never stops the call from being recorded.
func FuzzIncoming(f *testing.F) {
	f.Add("ann@example.com", "Ann", "a84b4c76e66710")
	f.Add("\xff\x00", strings.Repeat("ü", 2000), "")
	f.Fuzz(func(t *testing.T, target, name, sipCallID string) {
		x := &trial{t: t}
		if _, err := x.do(Incoming{At: epoch, ID: callID, CustomerID: customerID, SIPCallID: sipCallID, Source: Address{Type: "sip", Target: target, Name: name}}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestNoLineBreaksGoOut: what goes into headers of an INVITE of ours cannot hold others.
func TestNoLineBreaksGoOut(t *testing.T) {
	for _, source := range []Address{{Type: "sip", Target: "a\r\nX: y"}, {Type: "tel", Target: "+49", TargetName: "a\nX: y"}} {
		out := Outgoing{
			At: time.Now(), ID: "aaaaaaaa-0000-4000-8000-00000000000a", CustomerID: "aaaaaaaa-0000-4000-8000-00000000000b",
			Source: source, Destination: Address{Type: "tel", Target: "+4930"},
		}
		var c Call
		if _, err := c.Decide(out); err == nil {
			t.Errorf("%q was taken", source)
		}
	}
}
