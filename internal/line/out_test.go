package line_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/conference"
	"parley/internal/flow/active"
	"parley/internal/line"
	"parley/internal/line/script"
	"parley/internal/room"
)

// network is a Dialer whose callees do what their names say: a list of SIP statuses, each after a second; 200 answers.
type network struct {
	mu      sync.Mutex // guards what follows
	callees map[string][]int
	at      map[string][]string // places of an extension
	legs    []*departure
	known   map[string]*line.Line // by the Replaces header that names them

	srtp, plain bool // extensions are offered SRTP; and plain RTP after that
}

// departure is a call that was placed.
type departure struct {
	*phone
	line     *line.Line
	out      line.Outgoing
	replies  chan line.Progress
	canceled []string
}

func (n *network) Dial(_ context.Context, o line.Outgoing, its *line.Line) (line.Departure, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &departure{phone: newPhone(), line: its, out: o, replies: make(chan line.Progress, 16)}
	n.legs = append(n.legs, l)
	to := o.To
	if o.Secure {
		to += " by SRTP"
	}
	go l.live(n.callees[to])
	return l, nil
}

func (l *departure) live(statuses []int) {
	defer close(l.replies)
	timeout := time.After(l.out.Timeout)
	for _, status := range append(statuses, -1) {
		step := time.After(time.Second)
		if status == -1 {
			step = nil
		}
		select {
		case <-step:
		case <-timeout:
			l.replies <- line.Progress{Status: 408}
			l.end("local", 408)
			return
		case <-l.done:
			l.replies <- line.Progress{Status: 487}
			return
		}
		p := line.Progress{Status: status}
		if status == 183 || status == 200 {
			p.Body = offer("sendrecv", "PCMU")
		}
		l.replies <- p
		if status == 200 {
			return
		}
		if status > 200 {
			l.end("remote", status)
			return
		}
	}
}

func (n *network) Contacts(_ context.Context, _, extension string) (out []line.Outgoing, err error) {
	for _, to := range n.at[extension] {
		out = append(out, line.Outgoing{To: to, Secure: n.srtp, Plain: n.plain})
	}
	return out, nil
}

func (n *network) Replaced(header string) (*line.Line, bool) {
	return n.known[header], strings.HasPrefix(header, "early")
}

func (l *departure) Progress() <-chan line.Progress { return l.replies }

func (l *departure) Cancel(reason string) {
	l.mu.Lock()
	l.canceled = append(l.canceled, reason)
	l.mu.Unlock()
	l.end("local", 487)
}

func (l *departure) Reoffer(context.Context, []byte) ([]byte, error) { return nil, nil }
func (l *departure) Refer(context.Context, string) error             { return nil }
func (l *departure) Message(context.Context, string, []byte) error   { return nil }

// leg returns the i-th call that was placed.
func (n *network) leg(i int) *departure {
	n.mu.Lock()
	defer n.mu.Unlock()
	if i >= len(n.legs) {
		return nil
	}
	return n.legs[i]
}

// place runs f with a network.
func place(t *testing.T, callees map[string][]int, f func(b *theatre, n *network)) {
	o := open
	o.Local = func(host string) bool { return host == "parley" }
	perform(t, o, func(b *theatre) {
		n := &network{callees: callees, at: map[string][]string{}}
		for to := range callees {
			n.at[to] = append(n.at[to], to)
		}
		b.x.Use(n)
		f(b, n)
		for _, c := range b.calls() {
			if c.Status != call.Ended {
				_, _ = b.x.Hangup(b.ctx, string(c.ID))
			}
		}
	})
}

func order(to ...string) line.Order {
	o := line.Order{CustomerID: customer, Source: call.Address{Type: "tel", Target: "+4930123"}, Actions: []byte(`[{"type":"talk","option":{"text":"hello"}}]`)}
	for _, name := range to {
		o.Destinations = append(o.Destinations, call.Address{Type: "extension", Target: name})
	}
	return o
}

// single is an order for one call without a group.
func (b *theatre) single(to string) line.Order {
	o := order(to)
	o.Actions = nil
	o.Join = &line.Joining{ConferenceID: string(b.conference(conference.Settings{}).ID), Name: "Bob"}
	return o
}

func TestCallOut(t *testing.T) {
	for _, tt := range []struct {
		name     string
		statuses []int
		by       call.Side
		reason   call.HangupReason
		log      []string
	}{
		{"answers", []int{180, 200}, call.Local, call.Normal, []string{"call_created", "call_dialing", "call_ringing", "call_updated", "call_progressing", "call_terminating", "call_hangup"}},
		{"early media", []int{183, 200}, call.Local, call.Normal, []string{"call_created", "call_dialing", "call_progressing", "call_terminating", "call_hangup"}},
		{"busy", []int{180, 486}, call.Remote, call.Busy, []string{"call_created", "call_dialing", "call_ringing", "call_hangup"}},
		{"declines", []int{603}, call.Remote, call.NoAnswer, []string{"call_created", "call_dialing", "call_hangup"}},
		{"is unknown", []int{404}, call.Remote, call.Failed, []string{"call_created", "call_dialing", "call_hangup"}},
		{"does not answer", []int{180}, call.Local, call.DialOut, []string{"call_created", "call_dialing", "call_ringing", "call_canceling", "call_hangup"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, map[string][]int{"bob": tt.statuses}, func(b *theatre, n *network) {
				placed, err := b.x.Place(b.ctx, order("bob"))
				if err != nil || len(placed.Groups) != 1 {
					t.Fatalf("placed %+v, %v", placed, err)
				}
				time.Sleep(2 * time.Minute)
				now := b.call()
				wantCall(t, now, tt.by, tt.reason)
				if got := slices.DeleteFunc(b.log("call_*"), func(s string) bool { return s == "call_updated" }); !slices.Equal(got, without(tt.log)) {
					t.Errorf("log %q", got)
				}
				if now.GroupcallID != string(placed.Groups[0].ID) || now.Direction != call.Outbound || now.ActiveflowID == "" {
					t.Errorf("call %+v", now)
				}
				g, err := b.x.HangupGroup(b.ctx, customer, string(placed.Groups[0].ID))
				if err != nil || g.Status != group.Ended {
					t.Errorf("groupcall is %s, %v", g.Status, err)
				}
				if answered := slices.Contains(tt.statuses, 200); answered != slices.Equal(b.voice.heard(), []string{"hello"}) {
					t.Errorf("heard %q", b.voice.heard())
				}
			})
		})
	}
}

func without(log []string) []string {
	return slices.DeleteFunc(slices.Clone(log), func(s string) bool { return s == "call_updated" })
}

func TestDialOutAndAdd(t *testing.T) {
	place(t, map[string][]int{"bob": {180, 180, 200}}, func(b *theatre, n *network) {
		placed, err := b.x.Place(b.ctx, b.single("bob"))
		if err != nil || len(placed.Calls) != 1 || len(placed.Participants) != 1 {
			t.Fatalf("placed %+v, %v", placed, err)
		}
		who := b.participant()
		if who.Status != conference.Joining || who.Name != "Bob" || string(who.ID) != placed.Participants[0] {
			t.Errorf("while it rings the participant is %+v", who)
		}
		time.Sleep(5 * time.Second)
		if who = b.participant(); who.Status != conference.Joined || who.Media.Codec != "PCMU" {
			t.Errorf("participant %+v", who)
		}
		n.leg(0).end("remote", 0)
		time.Sleep(time.Second)
		wantCall(t, b.call(), call.Remote, call.Normal)
	})
}

func TestKickWhileItRings(t *testing.T) {
	place(t, map[string][]int{"bob": {180}}, func(b *theatre, n *network) {
		if _, err := b.x.Place(b.ctx, b.single("bob")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		who := b.participant()
		if _, err := b.rooms.Do(b.ctx, who.ConferenceID, conference.Kick{At: time.Now(), ID: who.ID}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := b.call(); got.Status != call.Ended || len(n.leg(0).canceled) != 1 {
			t.Errorf("call is %s, canceled %q", got.Status, n.leg(0).canceled)
		}
	})
}

// TestStopOfRunWhileItRings says that ending the run of a call that nobody has answered ends the call at once.
func TestStopOfRunWhileItRings(t *testing.T) {
	for name, end := range map[string]func(p *script.Performer, b *theatre, id string) (active.Activeflow, error){
		"stop": func(p *script.Performer, b *theatre, id string) (active.Activeflow, error) {
			return p.Stop(b.ctx, customer, id)
		},
		"delete": func(p *script.Performer, b *theatre, id string) (active.Activeflow, error) {
			return p.Delete(b.ctx, customer, id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			place(t, map[string][]int{"bob": {180}}, func(b *theatre, n *network) {
				if _, err := b.x.Place(b.ctx, order("bob")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				a, err := end(b.o.Flows.(*script.Performer), b, b.call().ActiveflowID)
				if err != nil || a.Status != active.Ended || a.EndReason != "stopped" {
					t.Errorf("%+v, %v", a, err)
				}
				time.Sleep(100 * time.Millisecond)
				wantCall(t, b.call(), call.Local, call.Canceled)
				if len(n.leg(0).canceled) != 1 || b.x.Live() != 0 || len(b.voice.heard()) != 0 {
					t.Errorf("canceled %q, %d live, heard %q", n.leg(0).canceled, b.x.Live(), b.voice.heard())
				}
				runs := slices.DeleteFunc(b.log("activeflow_*"), func(s string) bool { return s == "activeflow_deleted" })
				if !slices.Equal(runs, []string{"activeflow_created", "activeflow_updated"}) {
					t.Errorf("log %q", runs)
				}
			})
		})
	}
}

func TestFirstAnswerWins(t *testing.T) {
	place(t, map[string][]int{"bob": {180, 180, 180, 200}, "carol": {180, 200}, "dave": {486}}, func(b *theatre, n *network) {
		o := order("bob", "carol", "dave")
		o.Group, o.Actions = true, []byte(`[{"type":"sleep","option":{"duration":60000}}]`)
		placed, err := b.x.Place(b.ctx, o)
		if err != nil || len(placed.Groups) != 1 || len(placed.Calls) != 0 {
			t.Fatalf("placed %+v, %v", placed, err)
		}
		time.Sleep(10 * time.Second)
		live := slices.DeleteFunc(b.calls(), func(c call.Call) bool { return c.Status != call.Progressing })
		if len(live) != 1 || live[0].Destination.Target != "carol" {
			t.Errorf("live: %+v", live)
		}
		for i := range 3 {
			if l := n.leg(i); l.out.To == "bob" && len(l.canceled) != 1 {
				t.Error("bob's phone goes on ringing")
			}
		}
		g, err := b.x.HangupGroup(b.ctx, customer, string(placed.Groups[0].ID))
		if err != nil || g.Status != group.Ended || g.AnswerCallID == "" {
			t.Errorf("groupcall %+v, %v", g, err)
		}
	})
}

func TestConnect(t *testing.T) {
	const hash = "0123456789ab"
	for _, tt := range []struct {
		name    string
		bob     []int
		relay   string
		by      call.Side
		reason  call.HangupReason
		goes    bool // the flow goes on with the talk
		connect bool
	}{
		{"answered, callee hangs up", []int{180, 200}, "false", call.Local, call.Normal, true, true},
		{"busy", []int{180, 486}, "false", call.Local, call.Normal, true, false},
		{"busy, relayed", []int{180, 486}, "true", call.Local, call.Busy, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, map[string][]int{"bob": tt.bob}, func(b *theatre, n *network) {
				b.flow(`[{"type":"answer"},{"type":"connect","option":{"destinations":[{"type":"extension","target":"bob"}],"relay_reason":`+tt.relay+`}},
					{"type":"talk","option":{"text":"it is over"}}]`, hash)
				p := newPhone()
				b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
				time.Sleep(10 * time.Second)
				if tt.connect {
					joined := slices.DeleteFunc(b.participants(), func(p conference.Participant) bool { return p.Status != conference.Joined })
					if len(joined) != 2 {
						t.Fatalf("%d have joined", len(joined))
					}
					n.leg(0).end("remote", 0)
				}
				b.runs.Wait()
				synctest.Wait()
				for _, c := range b.calls() {
					if c.Direction == call.Inbound {
						wantCall(t, c, tt.by, tt.reason)
					}
				}
				if got := slices.Contains(b.voice.heard(), "it is over"); got != tt.goes {
					t.Errorf("heard %q", b.voice.heard())
				}
			})
		})
	}
}

func TestMasterTakesItsCallsAlong(t *testing.T) {
	const hash = "0123456789ab"
	place(t, map[string][]int{"bob": {200}}, func(b *theatre, n *network) {
		b.flow(`[{"type":"call","option":{"destinations":[{"type":"extension","target":"bob"}],"chained":true,"actions":[{"type":"sleep","option":{"duration":600000}}]}},
			{"type":"sleep","option":{"duration":600000}}]`, hash)
		p := newPhone()
		b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
		time.Sleep(5 * time.Second)
		if n := b.x.Live(); n != 2 {
			t.Fatalf("%d calls are live", n)
		}
		p.end("remote", 0)
		time.Sleep(5 * time.Second)
		if n := b.x.Live(); n != 0 {
			t.Errorf("%d calls are live after the master's end", n)
		}
	})
}

func TestStopWhileItRings(t *testing.T) {
	perform(t, open, func(b *theatre) {
		n := &network{callees: map[string][]int{"bob": {180}}, at: map[string][]string{"bob": {"bob"}}}
		x := line.New(b.o)
		x.Use(n)
		ctx, cancel := context.WithCancel(b.ctx)
		done := make(chan error, 1)
		go func() { done <- x.Run(ctx) }()
		synctest.Wait()
		if _, err := x.Place(b.ctx, order("bob")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		cancel()
		if err := <-done; err != nil || x.Live() != 0 || len(n.leg(0).canceled) != 1 {
			t.Errorf("%v, %d live, canceled %q", err, x.Live(), n.leg(0).canceled)
		}
		_, err := x.Place(b.ctx, order("bob"))
		wantReason(t, err, "STOPPING")
	})
}

// TestFlowBeforeTheAnswer says that the flow of a call with early_execution begins while the phone rings; what needs its ear waits, and a phone that
// does not answer ends it.
func TestFlowBeforeTheAnswer(t *testing.T) {
	const hash = "0123456789ab"
	for _, tt := range []struct {
		early   string
		bob     []int
		heard   []string // half a second after the answer
		entered bool     // and the conference, which comes right after
	}{
		{"true", []int{180, 180, 180, 200}, []string{"hello"}, true},
		{"false", []int{180, 180, 180, 200}, nil, false},
		{"true", []int{180, 180, 180, 486}, nil, false},
	} {
		place(t, map[string][]int{"bob": tt.bob}, func(b *theatre, n *network) {
			room := string(b.conference(conference.Settings{}).ID)
			b.flow(`[{"type":"call","option":{"destinations":[{"type":"extension","target":"bob"}],"early_execution":`+tt.early+`,"actions":[
				{"type":"sleep","option":{"duration":2000}},{"type":"talk","option":{"text":"hello","async":true}},
				{"type":"conference_join","option":{"conference_id":"`+room+`"}}]}},{"type":"sleep","option":{"duration":600000}}]`, hash)
			p := newPhone()
			b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
			time.Sleep(3500 * time.Millisecond)
			if heard := b.voice.heard(); len(heard) != 0 || n.leg(0).isAnswered() {
				t.Errorf("%+v: before the answer %q were said", tt, heard)
			}
			time.Sleep(time.Second)
			joined := slices.DeleteFunc(b.participants(), func(p conference.Participant) bool { return p.Status == conference.Leaved })
			if heard := b.voice.heard(); !slices.Equal(heard, tt.heard) || len(joined) == 1 != tt.entered {
				t.Errorf("%+v: %q were said, %d are in the conference", tt, heard, len(joined))
			}
			p.end("remote", 0)
		})
	}
}
