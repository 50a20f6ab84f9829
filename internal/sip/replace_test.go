package sip

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/line"
	"parley/internal/line/leg"
	"parley/internal/loop"
	"parley/internal/room"
	"parley/internal/sip/replaces"
	"parley/internal/sip/sanity"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const ours = "11111111-1111-4111-8111-111111111111"

// switchboard is a server with real lines and rooms.
type switchboard struct {
	*Server
	t     *testing.T
	store *memory.Store
	rooms *room.Host
	lines *line.Exchange
	at    sync.Map // URIs of extensions
}

func newSwitchboard(t *testing.T) *switchboard {
	t.Helper()
	engine, err := loop.Open(loop.Options{IP: netip.MustParseAddr("127.0.0.1"), Low: 31000, High: 31999, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	quiet, before := slog.New(slog.DiscardHandler), goleak.IgnoreCurrent()
	b := &switchboard{t: t, store: memory.New()}
	b.rooms = room.New(room.Options{
		Store: b.store, Media: room.Engine(engine), Log: quiet, Limits: conference.Limits{MaxAge: time.Hour, LeavingDeadline: 5 * time.Second, Retries: 2},
	})
	b.lines = line.New(line.Options{
		Store: b.store, Rooms: b.rooms, Media: leg.Engine(engine), Log: quiet, AllowAnonymous: true, ConnectAfter: 10 * time.Millisecond,
		Local: func(host string) bool { return host == "here" },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running []<-chan error
	for _, run := range []func(context.Context) error{engine.Run, b.rooms.Run, b.lines.Run} {
		running = append(running, later(func() error { return run(ctx) }))
	}
	t.Cleanup(func() { // after the server's own
		defer goleak.VerifyNone(t, before)
		cancel()
		for _, done := range running {
			<-done
		}
	})
	b.Server, err = Open(Options{
		Addr: "127.0.0.1:0", Timing: Timing{T1: 50 * time.Millisecond, Drain: 2 * time.Second}, Exchange: Lines(b.lines), Authenticate: believed, Check: sanity.Check,
		Contacts: func(_ context.Context, _, extension string) (out []line.Outgoing, err error) {
			if at, ok := b.at.Load(extension); ok {
				out = append(out, line.Outgoing{To: at.(string)})
			}
			return out, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.lines.Use(b.Server)
	served, stop := context.WithCancel(context.Background())
	done := later(func() error { return b.Run(served) })
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// believed takes a phone's word for who it is: customer/extension.
func believed(req *sip.Request, _ netip.AddrPort) (Identity, *sip.Response) {
	h := req.GetHeader("x-who")
	if h == nil {
		return Identity{}, nil
	}
	customer, extension, _ := strings.Cut(h.Value(), "/")
	return Identity{CustomerID: customer, Extension: extension}, nil
}

func (b *switchboard) conference(kind conference.Type) string {
	b.t.Helper()
	v, err := b.rooms.Create(b.t.Context(), conference.Create{CustomerID: ours, Type: kind})
	if err != nil {
		b.t.Fatal(err)
	}
	return string(v.Conference.ID)
}

// enters has a phone of ours call a conference.
func (b *switchboard) enters(name, target string, extra ...string) *phone {
	b.t.Helper()
	p := newPhone(b.t, b.Server, "UDP", target)
	p.write(p.request("INVITE", offerSDP, append([]string{
		"X-Who: " + ours + "/" + name, fmt.Sprintf("From: %q <sip:%s@127.0.0.1>;tag=from-%s", name, name, p.callID),
	}, extra...)...))
	p.answered()
	return p
}

// answered waits for the 200 of an INVITE and confirms it.
func (p *phone) answered() {
	p.t.Helper()
	for res := p.anything(); ; res = p.anything() {
		if res.StatusCode == 200 {
			p.toTag = res.To().Params.GetOr("tag", "")
			break
		}
		if res.StatusCode > 200 {
			p.t.Fatalf("the call is refused: %s", res)
		}
	}
	p.write(p.request("ACK", ""))
}

func (p *phone) anything() *sip.Response {
	p.t.Helper()
	m := p.next(5 * time.Second)
	res, ok := m.(*sip.Response)
	if !ok {
		p.t.Fatalf("no response but %v", m)
	}
	p.last = fmt.Sprintf("%d %s", res.StatusCode, res.CSeq().Value())
	return res
}

// dialog names the phone's dialog as the server's side has it.
func (p *phone) dialog() replaces.Header {
	return replaces.Header{CallID: p.callID, ToTag: p.toTag, FromTag: "from-" + p.callID}
}

// asks sends a REFER in the dialog.
func (p *phone) asks(to string) {
	p.t.Helper()
	p.write(p.request("REFER", "", "Refer-To: <"+to+">", fmt.Sprintf("From: <sip:x@127.0.0.1>;tag=from-%s", p.callID)))
}

// hears waits for the NOTIFYs of a REFER that was taken, and returns the last status.
func (p *phone) hears() (status string) {
	p.t.Helper()
	for {
		req := p.expectRequest("NOTIFY", 200, "")
		status = strings.TrimSpace(strings.TrimPrefix(string(req.Body()), "SIP/2.0 "))
		if strings.HasPrefix(header(req, "subscription-state"), "terminated") {
			return status
		}
	}
}

// present says who has joined where.
func (b *switchboard) present(conference string) string {
	b.t.Helper()
	rows, err := b.store.List(context.Background(), store.Query{Kind: store.Conferencecall, Conference: conference, Live: true, Limit: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, r := range rows {
		var p struct{ Name, Status string }
		if err := json.Unmarshal(r.Doc, &p); err == nil && p.Status == "joined" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (b *switchboard) wantPresent(conference, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = b.present(conference); got == want {
			return
		}
	}
	b.t.Fatalf("present is %q, want %q", got, want)
}

// wantNoGhosts waits until no call is left, and nobody in any room.
func (b *switchboard) wantNoGhosts() {
	b.t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if b.lines.Live() == 0 && b.rooms.Stats().Seats == 0 && b.Stats().Dialogs == 0 {
			return
		}
	}
	b.t.Errorf("%d calls, %d seats and %d dialogs are left", b.lines.Live(), b.rooms.Stats().Seats, b.Stats().Dialogs)
}

func (b *switchboard) calls() (all []call.Call) {
	b.t.Helper()
	rows, err := b.store.List(context.Background(), store.Query{Kind: store.Call, Limit: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range rows {
		var c call.Call
		if err := json.Unmarshal(r.Doc, &c); err != nil {
			b.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// TestReplacesIsJudged has INVITEs name dialogs that cannot be replaced (RFC 3891 section 3).
func TestReplacesIsJudged(t *testing.T) {
	s, x := start(t, nil)
	up, ringing := newPhone(t, s, "UDP", "room"), newPhone(t, s, "UDP", "ring")
	l, _ := up.call(x)
	ringing.write(ringing.request("INVITE", offerSDP))
	res := ringing.expect(180)
	ringing.toTag = res.To().Params.GetOr("tag", "")
	answered := up.dialog().String()
	for _, tt := range []struct {
		headers []string
		want    int
	}{
		{[]string{"Replaces: " + answered}, 603}, // its line cannot be
		{[]string{"Replaces: " + answered, "Require: replaces"}, 603},
		{[]string{"Replaces: " + answered + ";early-only"}, 486},
		{[]string{"Replaces: " + ringing.dialog().String()}, 481},
		{[]string{"Replaces: unknown;to-tag=1;from-tag=2"}, 481},
		{[]string{"Replaces: " + replaces.Header{CallID: up.callID, ToTag: "from-" + up.callID, FromTag: up.toTag}.String()}, 481}, // the other way round
		{[]string{"Replaces: " + up.callID}, 400},
		{[]string{"Replaces: " + answered, "Join: " + answered}, 400},
	} {
		p := newPhone(t, s, "UDP", "room")
		p.write(p.request("INVITE", offerSDP, tt.headers...))
		p.expect(tt.want)
		p.write(p.request("ACK", ""))
	}
	up.bye()
	l.cause(t)
	ringing.write(ringing.request("CANCEL", ""))
	up.gone(s)
}

// TestReplaces has a phone take another's place in a room, by its credentials, and be refused without.
func TestReplaces(t *testing.T) {
	b := newSwitchboard(t)
	id := b.conference(conference.Standard)
	alice, bob := b.enters("alice", id), b.enters("bob", id)
	b.wantPresent(id, "alice bob")
	foreign := newPhone(t, b.Server, "UDP", id)
	foreign.write(foreign.request("INVITE", offerSDP, "X-Who: 22222222-2222-4222-8222-222222222222/eve", "Replaces: "+alice.dialog().String()))
	foreign.expect(403)
	foreign.write(foreign.request("ACK", ""))
	seat := b.seatOf(id, "alice")

	carol := b.enters("carol", id, "Replaces: "+alice.dialog().String(), "Require: replaces")
	if bye := alice.expectRequest("BYE", 200, ""); !strings.Contains(header(bye, "reason"), "replaced") {
		t.Errorf("BYE %s", bye)
	}
	b.wantPresent(id, "bob carol")
	if now := b.seatOf(id, "carol"); now != seat {
		t.Errorf("she sits in %s, Alice sat in %s", now, seat)
	}
	if n := len(b.calls()); n != 2 {
		t.Errorf("%d calls", n)
	}
	again := newPhone(t, b.Server, "UDP", id)
	again.write(again.request("INVITE", offerSDP, "X-Who: "+ours+"/dora", "Replaces: "+alice.dialog().String()))
	res := again.anything()
	for res.StatusCode == 100 {
		res = again.anything()
	}
	if res.StatusCode != 603 && res.StatusCode != 481 {
		t.Errorf("a dialog that is over is replaced: %s", res)
	}
	again.write(again.request("ACK", ""))
	carol.write(carol.request("UPDATE", offerSDP)) // the dialog lives
	carol.expect(200)
	carol.bye()
	bob.bye()
	b.wantNoGhosts()
}

// TestPickUp has a phone take a call that another one rings for (RFC 3891 section 3: an early dialog that we began).
func TestPickUp(t *testing.T) {
	b := newSwitchboard(t)
	id := b.conference(conference.Standard)
	bob := newPhone(t, b.Server, "UDP", "bob")
	b.at.Store("bob", "sip:bob@"+bob.local())
	_, err := b.lines.Place(t.Context(), line.Order{
		CustomerID: ours, Source: call.Address{Type: "tel", Target: "+49301"}, Destinations: []call.Address{{Type: "extension", Target: "bob"}},
		Join: &line.Joining{ConferenceID: id},
	})
	if err != nil {
		t.Fatal(err)
	}
	ringing := &placed{phone: bob}
	invite := bob.expectRequest("INVITE", 0, "")
	ringing.reply(invite, 180, "bob-tag", "")
	named := replaces.Header{CallID: invite.CallID().Value(), ToTag: invite.From().Params.GetOr("tag", ""), FromTag: "bob-tag", EarlyOnly: true}
	for end := time.Now().Add(5 * time.Second); b.book.named(named) == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	dora := b.enters("dora", id, "Replaces: "+named.String())
	bob.expectRequest("CANCEL", 200, "")
	ringing.reply(invite, 487, "bob-tag", "")
	b.wantPresent(id, "dora")
	dora.bye()
	b.wantNoGhosts()
	if all := b.calls(); len(all) != 1 || all[0].Destination.Target != "dora" || all[0].HangupBy != call.Remote {
		t.Errorf("calls %+v", all)
	}
}

// seatOf is the id of a participant.
func (b *switchboard) seatOf(id, name string) string {
	b.t.Helper()
	rows, err := b.store.List(context.Background(), store.Query{Kind: store.Conferencecall, Conference: id, Live: true, Limit: 100})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range rows {
		if strings.Contains(string(r.Doc), `"Name":"`+name+`"`) {
			return r.ID
		}
	}
	b.t.Fatalf("no %s in %s", name, id)
	return ""
}

// TestAttendedTransfer: Alice talks with Bob and with Carol; her phone tells us to put the two together (RFC 5589 section 7).
func TestAttendedTransfer(t *testing.T) {
	for _, kind := range []conference.Type{conference.Connect, conference.Standard} {
		b := newSwitchboard(t)
		first, second := b.conference(kind), b.conference(conference.Connect)
		one, bob := b.enters("alice", first), b.enters("bob", first)
		two, carol := b.enters("alice", second), b.enters("carol", second)
		b.wantPresent(first, "alice bob")
		b.wantPresent(second, "alice carol")
		one.write(one.request("INVITE", offerSDP+"a=sendonly\r\n", fmt.Sprintf("From: <sip:x@127.0.0.1>;tag=from-%s", one.callID))) // hold, as phones do
		one.expect(200)
		one.write(one.request("ACK", ""))

		one.asks(two.dialog().In("sip:carol@here"))
		one.expect(202)
		if got := one.hears(); got != "200 OK" {
			t.Errorf("transfer of %s: %s", kind, got)
		}
		two.expectRequest("BYE", 200, "")
		one.expectRequest("BYE", 200, "")
		b.wantPresent(first, "bob carol")
		carol.bye()
		if kind == conference.Connect {
			bob.expectRequest("BYE", 200, "")
		} else {
			bob.bye()
		}
		b.wantNoGhosts()
	}
}

// TestReferInEveryState sends REFERs that cannot be carried out, or come at a bad time: each gets a clear answer, and nothing is left.
func TestReferInEveryState(t *testing.T) {
	b := newSwitchboard(t)
	id := b.conference(conference.Connect)
	alice, bob := b.enters("alice", id), b.enters("bob", id)
	b.wantPresent(id, "alice bob")
	for _, tt := range []struct{ name, to, want string }{
		{"itself", alice.dialog().In("sip:alice@here"), "480"},
		{"a dialog of somebody who is not there", "sip:nobody@here?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2", "480"},
		{"nobody", "sip:nobody@here", "480"},
		{"where calls may not go", "sip:carol@example.com", "403"},
		{"a number", "tel:+4930123456", "403"},
	} {
		alice.asks(tt.to)
		alice.expect(202)
		if got := alice.hears(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("to %s: %s, want %s", tt.name, got, tt.want)
		}
	}
	for _, to := range []string{"mailto:carol@here", "carol", "sip:", ""} {
		t.Log(to)
		alice.asks(to)
		alice.expect(400)
	}
	b.wantPresent(id, "alice bob")

	stranger := newPhone(t, b.Server, "UDP", b.conference(conference.Standard)) // without credentials
	stranger.write(stranger.request("INVITE", offerSDP))
	stranger.answered()
	stranger.asks("sip:bob@here")
	stranger.expect(202)
	if got := stranger.hears(); !strings.HasPrefix(got, "403") {
		t.Errorf("a stranger's: %s", got)
	}
	stranger.bye()

	alice.bye()
	bob.expectRequest("BYE", 200, "")
	alice.asks("sip:nobody@here") // it has left
	alice.expect(481)
	b.wantNoGhosts()
}
