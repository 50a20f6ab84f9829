package line_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/call/transfer"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line"
	start "parley/internal/line/transfer"
)

// everybody are callees that answer, or do not.
var everybody = map[string][]int{"bob": {180, 200}, "carol": {180, 200}, "busy": {486}, "slow": {180, 180, 180, 180, 180, 180, 200}, "dead": {180}}

// talk has alice, a phone of ours, call somebody and talk to it.
func (b *theatre) talk(to string) (*phone, *line.Line) {
	b.Helper()
	p := newPhone()
	in := b.invite(to, offer("sendrecv", "PCMU"))
	in.CustomerID, in.Extension = customer, "alice"
	l := b.accept(p, in)
	b.run(b.ctx, l)
	time.Sleep(10 * time.Second)
	return p, l
}

// seen says who is in which conference, in the order of their names; those on hold have a *.
func (b *theatre) seen() string {
	b.Helper()
	rooms := map[string][]string{}
	for _, p := range b.participants() {
		if p.Status == conference.Joined || p.Status == conference.Joining {
			name := p.Name
			if p.Held {
				name += "*"
			}
			rooms[string(p.ConferenceID)] = append(rooms[string(p.ConferenceID)], name)
		}
	}
	var all []string
	for _, names := range rooms {
		slices.Sort(names)
		all = append(all, strings.Join(names, " "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (b *theatre) wantSeen(want string) {
	b.Helper()
	synctest.Wait()
	if got := b.seen(); got != want {
		b.Errorf("seen: %q, want %q", got, want)
	}
}

func (b *theatre) liveCalls() (n int) {
	for _, c := range b.calls() {
		if c.Status != call.Ended {
			n++
		}
	}
	return n
}

func refer(l *line.Line, b *theatre, to, replaces string) <-chan error {
	done := make(chan error, 1)
	b.runs.Go(func() { done <- l.Refer(b.ctx, to, replaces) })
	return done
}

// TestReferOfTwo has a phone send its partner on.
func TestReferOfTwo(t *testing.T) {
	for _, tt := range []struct {
		name, to string
		leaves   bool   // the phone hangs up at once
		want     string // reason; "" for success
		during   string
		after    string
	}{
		{name: "stays", to: "carol", during: "Alice bob", after: "bob carol"},
		{name: "leaves", to: "carol", leaves: true, during: "bob*", after: "bob carol"},
		{name: "busy", to: "busy", want: "CALLEE_UNAVAILABLE", during: "Alice bob", after: "Alice bob"},
		{name: "busy, leaves", to: "busy", leaves: true, want: "CALLEE_UNAVAILABLE", during: "bob*"},
		{name: "nobody answers", to: "dead", want: "CALLEE_UNAVAILABLE", during: "Alice bob", after: "Alice bob"},
		{name: "nobody answers, leaves", to: "dead", leaves: true, want: "CALLEE_UNAVAILABLE", during: "bob*"},
		{name: "unknown", to: "nobody", want: "EXTENSION_NOT_REGISTERED", during: "Alice bob", after: "Alice bob"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, everybody, func(b *theatre, n *network) {
				p, l := b.talk("bob")
				b.wantSeen("Alice bob")
				done := refer(l, b, "sip:"+tt.to+"@parley", "")
				time.Sleep(500 * time.Millisecond)
				if tt.leaves {
					p.end("remote", 0)
				}
				time.Sleep(100 * time.Millisecond)
				b.wantSeen(tt.during)
				if second := l.Refer(b.ctx, "sip:carol@parley", ""); !tt.leaves && tt.to != "nobody" {
					wantReason(t, second, "REFER_PENDING")
				}
				err := <-done
				if fault.ReasonOf(err) != tt.want && (err != nil || tt.want != "") {
					t.Errorf("refer: %v, want %q", err, tt.want)
				}
				time.Sleep(5 * time.Second)
				if tt.to != "nobody" {
					b.wantSeen(tt.after)
				}
				if _, hung := p.told(); tt.want == "" && !tt.leaves && hung != 1 {
					t.Errorf("the phone was hung up %d times", hung)
				}
				if bob := n.leg(0); tt.after != "" && closed(bob.done) {
					t.Error("bob is gone")
				} else if tt.after == "" && !closed(bob.done) {
					t.Error("bob is left alone")
				}
				if tt.after != "" {
					n.leg(0).end("remote", 0)
					time.Sleep(5 * time.Second)
				}
				if live := b.liveCalls(); live != 0 && tt.to != "nobody" {
					t.Errorf("%d calls are live", live)
				}
			})
		})
	}
}

// TestReferByCallee has the phone that was called send its caller on.
func TestReferByCallee(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		p, _ := b.talk("bob")
		if err := n.leg(0).line.Refer(b.ctx, "sip:carol@parley", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		b.wantSeen("Alice carol")
		p.end("remote", 0)
		time.Sleep(3 * time.Second)
		if live := b.liveCalls(); live != 0 {
			t.Errorf("%d calls are live", live)
		}
	})
}

// TestReferReplaces has a phone put the other sides of two calls together.
func TestReferReplaces(t *testing.T) {
	for _, tt := range []struct {
		name  string
		refer func(b *theatre, first, second *line.Line) error
	}{
		{"first call", func(b *theatre, first, _ *line.Line) error { return first.Refer(b.ctx, "sip:carol@parley", "second") }},
		{"second call", func(b *theatre, _, second *line.Line) error { return second.Refer(b.ctx, "sip:bob@parley", "first") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, everybody, func(b *theatre, n *network) {
				p, first := b.talk("bob")
				q, second := b.talk("carol")
				n.known = map[string]*line.Line{"first": first, "second": second}
				b.wantSeen("Alice bob, Alice carol")
				if err := tt.refer(b, first, second); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * time.Second)
				b.wantSeen("bob carol")
				for _, phone := range []*phone{p, q} {
					if _, hung := phone.told(); hung != 1 {
						t.Errorf("a phone of Alice's was hung up %d times", hung)
					}
				}
				n.leg(1).end("remote", 0)
				time.Sleep(3 * time.Second)
				if live := b.liveCalls(); live != 0 || !closed(n.leg(0).done) {
					t.Errorf("%d calls are live", live)
				}
			})
		})
	}
}

// TestReferReplacesRefused: what would be no call of somebody with somebody.
func TestReferReplacesRefused(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		_, first := b.talk("bob")
		c := b.conference(conference.Settings{})
		_, alone := b.talk(string(c.ID))
		n.known = map[string]*line.Line{"first": first, "alone": alone}
		wantReason(t, first.Refer(b.ctx, "sip:x@parley", "first"), "REFER_PENDING")
		wantReason(t, first.Refer(b.ctx, "sip:x@parley", "alone"), "TRANSFER_NOBODY")
		b.wantSeen("Alice, Alice bob")
		_, second := b.talk(string(c.ID))
		n.known["second"] = second
		wantReason(t, alone.Refer(b.ctx, "sip:x@parley", "second"), "TRANSFER_SAME_CONFERENCE")
		if err := first.Refer(b.ctx, "sip:x@parley", "second"); err != nil { // bob comes into the room
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		b.wantSeen("Alice bob")
		n.leg(0).end("remote", 0)
	})
}

// TestReferReplacesEarly has a phone send its partner on to whom it is still calling.
func TestReferReplacesEarly(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		p, first := b.talk("bob")
		q := newPhone()
		in := b.invite("slow", offer("sendrecv", "PCMU"))
		in.CustomerID, in.Extension = customer, "alice"
		second := b.accept(q, in)
		b.run(b.ctx, second)
		time.Sleep(2 * time.Second)
		n.known = map[string]*line.Line{"early": second}
		if err := first.Refer(b.ctx, "sip:slow@parley", "early"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		b.wantSeen("bob slow")
		if rejected, _ := q.told(); rejected != 1 || !closed(p.done) || len(n.leg(1).canceled) != 1 {
			t.Errorf("the phone's second call was rejected %d times, its callee's canceled %q", rejected, n.leg(1).canceled)
		}
		n.leg(0).end("remote", 0)
	})
}

// TestReferElsewhere has the callee's phone replace a dialog that is not ours.
func TestReferElsewhere(t *testing.T) {
	const there = "carol?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2"
	place(t, map[string][]int{"bob": {180, 200}, "carol": nil, there: {200}}, func(b *theatre, n *network) {
		_, l := b.talk("bob")
		if err := l.Refer(b.ctx, "sip:carol@parley", "abc;to-tag=1;from-tag=2"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		b.wantSeen("bob carol")
		if to := n.leg(1).out.To; to != there {
			t.Errorf("dialled %s", to)
		}
		n.leg(1).end("remote", 0)
	})
}

// TestReplace has a phone take the place of another one.
func TestReplace(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		p, l := b.talk("bob")
		in := b.invite("ignored", offer("sendrecv", "PCMA"))
		in.SIPCallID, in.Source.TargetName = "new@phone", "Dora"
		_, err := l.Replace(in, newPhone(), false)
		wantReason(t, err, "AUTHENTICATION_REQUIRED")
		in.CustomerID = stranger
		_, err = l.Replace(in, newPhone(), true)
		wantReason(t, err, "REPLACES_DENIED")
		in.CustomerID, in.Extension = customer, "dora"
		before := b.participants()
		for i, body := range [][]byte{offer("sendrecv", "PCMA"), nil} {
			q := newPhone()
			q.confirm = offer("sendrecv", "G722")
			in.Offer = body
			h, err := l.Replace(in, q, false)
			if err != nil {
				t.Fatal(err)
			}
			b.runs.Go(func() { _ = h.Run(b.ctx) })
			time.Sleep(2 * time.Second)
			if _, hung := p.told(); hung != 1 || !closed(p.done) {
				t.Errorf("the phone before was hung up %d times", hung)
			}
			want := []string{"PCMA", "G722"}[i]
			if m := b.media.sessions[0].media(); m.Codec.Name != want {
				t.Errorf("codec %s, want %s", m.Codec.Name, want)
			}
			p = q
		}
		b.wantSeen("Dora bob")
		if after := b.participants(); len(after) != len(before) {
			t.Errorf("%d participants, were %d", len(after), len(before))
		}
		for _, c := range b.calls() {
			if c.Direction == call.Inbound && (c.SIPCallID != "new@phone" || c.Source.Target != "dora" || c.Status != call.Progressing) {
				t.Errorf("call %+v", c)
			}
		}
		for _, secure := range []bool{false, true} { // nonsense, and plain RTP of a phone that has to encrypt
			bad := newPhone()
			in.Offer, in.Secure = []byte("no sdp"), secure
			if secure {
				in.Offer = offer("sendrecv", "PCMU")
			}
			if h, err := l.Replace(in, bad, false); err != nil {
				t.Error(err)
			} else if err := h.Run(b.ctx); err != nil {
				t.Error(err)
			}
			if rejected, _ := bad.told(); rejected != 1 || closed(p.done) {
				t.Errorf("secure %v: an offer that cannot be taken has replaced a phone", secure)
			}
		}
		p.end("remote", 0)
		time.Sleep(3 * time.Second)
		if live := b.liveCalls(); live != 0 || !closed(n.leg(0).done) {
			t.Errorf("%d calls are live", live)
		}
	})
}

// TestPickUp has a phone take a call that another one rings for.
func TestPickUp(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		p := newPhone()
		in := b.invite("dead", offer("sendrecv", "PCMU"))
		in.CustomerID, in.Extension = customer, "alice"
		b.run(b.ctx, b.accept(p, in))
		time.Sleep(3 * time.Second)
		q := newPhone()
		in.Source, in.Extension = call.Address{TargetName: "Dora"}, "dora"
		h, err := n.leg(0).line.Replace(in, q, false)
		if err != nil {
			t.Fatal(err)
		}
		b.runs.Go(func() { _ = h.Run(b.ctx) })
		time.Sleep(3 * time.Second)
		b.wantSeen("Alice Dora")
		if canceled := n.leg(0).canceled; len(canceled) != 1 {
			t.Errorf("canceled %q", canceled)
		}
		q.end("remote", 0)
		time.Sleep(3 * time.Second)
		if _, hung := p.told(); hung != 1 || b.liveCalls() != 0 {
			t.Errorf("hung up %d times, %d calls are live", hung, b.liveCalls())
		}
	})
}

func (b *theatre) transfer(l *line.Line, kind transfer.Type, to string) transfer.Transfer {
	b.Helper()
	got, err := b.x.Transfer(b.ctx, b.idOf(l), start.Request{CustomerID: customer, Type: kind, Addresses: order(to).Destinations})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// idOf is the id of the newest call that came in.
func (b *theatre) idOf(*line.Line) string {
	for _, c := range b.calls() {
		if c.Direction == call.Inbound && c.Status != call.Ended {
			return string(c.ID)
		}
	}
	b.Fatal("there is no call")
	return ""
}

func (b *theatre) transfers() []string {
	return b.log("transfer_created", "transfer_updated", "transfer_completed", "transfer_failed")
}

// TestTransfer has the API transfer a call of two.
func TestTransfer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   transfer.Type
		to     string
		act    func(b *theatre, p *phone, n *network, id string) // after 6 s
		during string
		after  string
		log    string
	}{
		{
			"attended", transfer.Attended, "carol", func(_ *theatre, p *phone, _ *network, _ string) { p.end("remote", 0) },
			"Alice carol, bob*", "bob carol", "created updated completed",
		},
		{
			"attended, transferee leaves", transfer.Attended, "carol", func(_ *theatre, _ *phone, n *network, _ string) { n.leg(1).end("remote", 0) },
			"Alice carol, bob*", "Alice bob", "created updated failed",
		},
		{
			"attended, partner leaves", transfer.Attended, "carol", func(_ *theatre, _ *phone, n *network, _ string) { n.leg(0).end("remote", 0) },
			"Alice carol, bob*", "Alice carol", "created updated",
		},
		{
			"attended, canceled", transfer.Attended, "carol", func(b *theatre, _ *phone, _ *network, id string) {
				if got, err := b.x.CancelTransfer(b.ctx, customer, id); err != nil || got.EndReason != transfer.Canceled {
					b.Errorf("canceled: %+v, %v", got, err)
				}
			},
			"Alice carol, bob*", "Alice bob", "created updated failed",
		},
		{"attended, busy", transfer.Attended, "busy", nil, "Alice bob", "Alice bob", "created failed"},
		{
			"attended, hung up before the answer", transfer.Attended, "slow", func(_ *theatre, p *phone, _ *network, _ string) { p.end("remote", 0) },
			"Alice, bob*", "bob slow", "created updated completed",
		},
		{"blind", transfer.Blind, "carol", nil, "bob carol", "bob carol", "created updated completed"},
		{"blind, busy", transfer.Blind, "busy", nil, "", "", "created failed"},
		{
			"blind, partner leaves", transfer.Blind, "slow", func(_ *theatre, _ *phone, n *network, _ string) { n.leg(0).end("remote", 0) },
			"bob*", "", "created failed",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, everybody, func(b *theatre, n *network) {
				p, l := b.talk("bob")
				made := b.transfer(l, tt.kind, tt.to)
				if made.Status != transfer.Dialing {
					t.Errorf("made %+v", made)
				}
				time.Sleep(6 * time.Second)
				b.wantSeen(tt.during)
				if tt.act != nil {
					tt.act(b, p, n, made.ID)
				}
				time.Sleep(12 * time.Second)
				b.wantSeen(tt.after)
				if got := strings.ReplaceAll(strings.Join(b.transfers(), " "), "transfer_", ""); got != tt.log {
					t.Errorf("log %q, want %q", got, tt.log)
				}
				p.end("remote", 0)
				for i := range 2 {
					if leg := n.leg(i); leg != nil {
						leg.end("remote", 0)
					}
				}
				time.Sleep(5 * time.Second)
				if live := b.liveCalls(); live != 0 {
					t.Errorf("%d calls are live", live)
				}
			})
		})
	}
}

// TestTransferInRoom has the API transfer a participant of a room: the others hear nothing of the consultation.
func TestTransferInRoom(t *testing.T) {
	place(t, everybody, func(b *theatre, n *network) {
		c := b.conference(conference.Settings{})
		p, l := b.talk(string(c.ID))
		other, _ := b.dial(newPhone(), c)
		third := newPhone()
		b.dial(third, c)
		time.Sleep(3 * time.Second)
		_ = other
		for _, x := range b.calls() {
			if x.Source.Type == "extension" || x.Source.TargetName == "Alice" {
				continue
			}
		}
		got, err := b.x.Transfer(b.ctx, b.first(), start.Request{CustomerID: customer, Type: transfer.Attended, Addresses: order("carol").Destinations})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		b.wantSeen("Alice Alice, Alice carol")
		p.end("remote", 0)
		time.Sleep(5 * time.Second)
		b.wantSeen("Alice Alice carol")
		_, err = b.x.CancelTransfer(b.ctx, customer, got.ID)
		wantReason(t, err, "TRANSFER_ENDED")
		_, err = b.x.CancelTransfer(b.ctx, stranger, got.ID)
		wantReason(t, err, "TRANSFER_NOT_FOUND")
		_ = l
	})
}

// first is the id of the oldest call.
func (b *theatre) first() string {
	all := b.calls()
	return string(all[len(all)-1].ID)
}
