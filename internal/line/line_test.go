package line_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/line"
	"parley/internal/room"
)

var open = line.Options{AllowAnonymous: true}

func TestCall(t *testing.T) {
	bubble(t, open, func(b *bench) {
		c := b.conference(conference.Settings{})
		p := newPhone()
		_, done := b.dial(p, c)
		now := b.call()
		if now.Status != call.Progressing || now.ConferenceID != string(c.ID) || now.CustomerID != customer || b.x.Live() != 1 {
			t.Errorf("call is %s in %q of %s, %d live", now.Status, now.ConferenceID, now.CustomerID, b.x.Live())
		}
		who := b.participant()
		b.media.packet(string(who.ID))
		synctest.Wait()
		who = b.participant()
		want := conference.Media{Kind: "sip", Codec: "PCMU", Address: "203.0.113.*"}
		if who.Status != conference.Joined || who.Name != "Alice" || who.CallID != string(now.ID) || who.Media != want {
			t.Errorf("participant %+v", who)
		}
		if !bytes.Contains(p.body, []byte("m=audio 20000 ")) {
			t.Errorf("200 carries %s", p.body)
		}
		p.end("remote", 0)
		if err := <-done; err != nil {
			t.Error(err)
		}
		now = b.call()
		wantCall(t, now, call.Remote, call.Normal)
		if now.Quality == nil || now.Quality.MOS != 4.2 {
			t.Errorf("quality %+v", now.Quality)
		}
		if r, h := p.told(); r+h != 0 {
			t.Errorf("a phone that hung up was told %d, %d times", r, h)
		}
		b.wantLog("call_created", "call_ringing", "conferencecall_joining", "call_updated", "call_progressing", "conferencecall_joined",
			"conferencecall_leaving", "conferencecall_leaved", "call_hangup")
	})
}

func TestNoPacketComes(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		p.answer = 3 * time.Second
		b.dial(p, b.conference(conference.Settings{}))
		time.Sleep(3900 * time.Millisecond)
		if who := b.participant(); who.Status != conference.Joining {
			t.Errorf("participant is %s before a second has passed since ACK", who.Status)
		}
		time.Sleep(200 * time.Millisecond)
		if who := b.participant(); who.Status != conference.Joined {
			t.Errorf("participant is %s", who.Status)
		}
		p.end("remote", 0)
	})
}

func TestLateOffer(t *testing.T) {
	bubble(t, open, func(b *bench) {
		c := b.conference(conference.Settings{})
		p := newPhone()
		p.confirm = offer("sendrecv", "PCMA")
		b.run(b.ctx, b.accept(p, b.invite(string(c.ID), nil)))
		synctest.Wait()
		if !bytes.Contains(p.body, []byte("PCMU")) || !bytes.Contains(p.body, []byte("opus")) {
			t.Errorf("our offer is %s", p.body)
		}
		if m := b.media.sessions[0].media(); m.Codec.Name != "PCMA" {
			t.Errorf("codec %s", m.Codec.Name)
		}
		if who := b.participant(); who.Media.Codec != "PCMA" {
			t.Errorf("participant has %+v", who.Media)
		}
		p.end("remote", 0)

		for _, confirm := range [][]byte{nil, []byte("v=nonsense"), offer("sendrecv")} {
			time.Sleep(time.Second) // the newest call is listed first
			p := newPhone()
			p.confirm = confirm
			done := b.run(b.ctx, b.accept(p, b.invite(string(c.ID), nil)))
			if err := <-done; err != nil {
				t.Error(err)
			}
			if r, h := p.told(); r != 0 || h != 1 {
				t.Errorf("phone with answer %q was rejected %d, hung up %d times", confirm, r, h)
			}
			wantCall(t, b.calls()[0], call.Local, call.Failed)
		}
	})
}

func TestRouting(t *testing.T) {
	const hash = "0123456789ab"
	id := "aaaaaaaa-0000-4000-8000-00000000000a"
	cases := []struct {
		name, target, customer string
		closed                 bool   // anonymous calls are not allowed
		want                   string // reason; "" for taken
	}{
		{name: "id", target: id},
		{name: "id in capitals", target: "AAAAAAAA-0000-4000-8000-00000000000A"},
		{name: "conference:id", target: "conference:" + id},
		{name: "alias", target: "weekly"},
		{name: "direct hash", target: "direct." + hash},
		{name: "direct hash in capitals", target: "DIRECT.0123456789AB"},
		{name: "of its own customer", target: id, customer: customer},
		{name: "of another customer", target: id, customer: stranger, want: "CONFERENCE_NOT_FOUND"},
		{name: "alias of another customer", target: "weekly", customer: stranger, want: "CONFERENCE_NOT_FOUND"},
		{name: "direct hash of another customer", target: "direct." + hash, customer: stranger},
		{name: "anonymous by id", target: id, closed: true, want: "AUTHENTICATION_REQUIRED"},
		{name: "anonymous by alias", target: "weekly", closed: true, want: "AUTHENTICATION_REQUIRED"},
		{name: "anonymous, unknown", target: "nobody", closed: true, want: "AUTHENTICATION_REQUIRED"},
		{name: "anonymous by direct hash", target: "direct." + hash, closed: true},
		{name: "authenticated", target: id, customer: customer, closed: true},
		{name: "unknown id", target: uuid.NewString(), want: "CONFERENCE_NOT_FOUND"},
		{name: "unknown alias", target: "nobody", want: "CONFERENCE_NOT_FOUND"},
		{name: "unknown direct hash", target: "direct.ffffffffffff", want: "CONFERENCE_NOT_FOUND"},
		{name: "empty", want: "CONFERENCE_NOT_FOUND"},
		{name: "only a prefix", target: "conference:", want: "CONFERENCE_NOT_FOUND"},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, line.Options{AllowAnonymous: !tt.closed}, func(b *bench) {
				_, err := b.rooms.Create(b.ctx, conference.Create{
					CustomerID: customer, ID: conference.ID(id), DirectHash: hash, Settings: conference.Settings{DialIn: "weekly"},
				})
				if err != nil {
					t.Fatal(err)
				}
				p := newPhone()
				in := b.invite(tt.target, offer("sendrecv", "PCMU"))
				in.CustomerID = tt.customer
				l, err := b.x.Accept(b.ctx, in, p)
				if tt.want != "" {
					wantReason(t, err, tt.want)
					if n := len(b.calls()); n != 0 {
						t.Errorf("a refused call has %d records", n)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				b.run(b.ctx, l)
				synctest.Wait()
				if c := b.call(); c.ConferenceID != id {
					t.Errorf("call is in %q", c.ConferenceID)
				}
				p.end("remote", 0)
			})
		})
	}
}

func TestRefusedBeforeAnythingIsWritten(t *testing.T) {
	o := open
	o.MaxCalls = 1
	bubble(t, o, func(b *bench) {
		c := b.conference(conference.Settings{})
		ended := b.conference(conference.Settings{})
		if _, err := b.rooms.Do(b.ctx, ended.ID, conference.Terminate{At: time.Now()}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		refuse := func(in line.Invite, reason string) {
			t.Helper()
			_, err := b.x.Accept(b.ctx, in, newPhone())
			wantReason(t, err, reason)
		}
		good := b.invite(string(c.ID), offer("sendrecv", "PCMU"))
		refuse(b.invite(string(ended.ID), offer("sendrecv", "PCMU")), "CONFERENCE_NOT_PROGRESSING")
		refuse(b.invite(string(c.ID), []byte("no sdp")), "INVALID_SDP")
		refuse(b.invite(string(c.ID), []byte("v=0\r\no=- 1 1 IN IP4 203.0.113.77\r\ns=-\r\nc=IN IP4 203.0.113.77\r\nt=0 0\r\nm=audio 4 RTP/AVP 99\r\na=rtpmap:99 odd/8000\r\n")), "NOT_ACCEPTABLE_MEDIA")
		b.media.ports = 0
		refuse(good, "MEDIA_PORTS_EXHAUSTED")
		b.media.ports = -1
		b.media.admit = errors.New("late")
		if _, err := b.x.Accept(b.ctx, good, newPhone()); err == nil {
			t.Error("accepted while overloaded")
		}
		b.media.admit = nil
		b.store.fail(errFull)
		refuse(good, "STORE_FULL")
		b.store.fail(nil)
		if n := len(b.calls()); n != 0 {
			t.Errorf("%d calls were written", n)
		}
		p := newPhone()
		b.dial(p, c)
		refuse(good, "OVERLOADED")
		p.end("remote", 0)
	})
}

func TestGuessesOfDirectHashesRunOut(t *testing.T) {
	bubble(t, line.Options{}, func(b *bench) {
		c := b.conference(conference.Settings{})
		right, wrong := b.invite("direct."+c.DirectHash, offer("sendrecv", "PCMU")), b.invite("direct.ffffffffffff", offer("sendrecv", "PCMU"))
		for range 10 {
			_, err := b.x.Accept(b.ctx, wrong, newPhone())
			wantReason(t, err, "CONFERENCE_NOT_FOUND")
		}
		for _, in := range []line.Invite{wrong, right} {
			_, err := b.x.Accept(b.ctx, in, newPhone())
			wantReason(t, err, "RATE_LIMIT_EXCEEDED")
		}
		time.Sleep(7 * time.Second)
		p := newPhone()
		b.run(b.ctx, b.accept(p, right))
		p.end("remote", 0)
	})
}

func TestHoldAndResume(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		l, _ := b.dial(p, b.conference(conference.Settings{}))
		b.media.packet(string(b.participant().ID))
		synctest.Wait()
		tag := string(b.participant().ID)
		for _, step := range []struct {
			body     []byte
			held     bool
			answer   string
			codec    string
			silently bool // nothing changes for the participant
		}{
			{offer("sendonly", "PCMU"), true, "a=recvonly", "PCMU", false},
			{offer("sendrecv", "PCMU"), false, "a=sendrecv", "PCMU", false},
			{offer("inactive", "PCMU"), true, "a=inactive", "PCMU", false},
			{bytes.Replace(offer("sendrecv", "PCMU"), []byte("c=IN IP4 203.0.113.77"), []byte("c=IN IP4 0.0.0.0"), 1), true, "", "PCMU", false},
			{offer("sendrecv", "PCMA"), false, "a=sendrecv", "PCMA", false},
			{offer("recvonly", "PCMA"), false, "a=sendonly", "PCMA", true},
		} {
			before := len(b.log("conferencecall_updated"))
			answer, err := l.Offer(b.ctx, step.body)
			if err != nil || !bytes.Contains(answer, []byte(step.answer)) {
				t.Errorf("answer %s, %v", answer, err)
			}
			who := b.participant()
			if who.RemoteHeld != step.held || b.media.port(tag).Held != step.held || who.Media.Codec != step.codec {
				t.Errorf("after %s: held %v (port %v), codec %s", step.body, who.RemoteHeld, b.media.port(tag).Held, who.Media.Codec)
			}
			if told := len(b.log("conferencecall_updated")) - before; (told == 0) != step.silently {
				t.Errorf("%d events after %s", told, step.body)
			}
			time.Sleep(time.Minute) // no packets come, and nobody minds
		}
		if _, err := l.Offer(b.ctx, []byte("nonsense")); err == nil {
			t.Error("nonsense was answered")
		}
		ours, err := l.Offer(b.ctx, nil)
		if err != nil || !bytes.Contains(ours, []byte("opus")) {
			t.Errorf("our offer %s, %v", ours, err)
		}
		if err := l.Answered(b.ctx, offer("sendrecv", "G722")); err != nil {
			t.Error(err)
		}
		if m := b.media.sessions[0].media(); m.Codec.Name != "G722" || b.participant().Media.Codec != "G722" {
			t.Errorf("codec %s, participant %s", m.Codec.Name, b.participant().Media.Codec)
		}
		l.Digit(b.ctx, "5")
		l.Digit(b.ctx, "nonsense")
		if n := len(b.log("conferencecall_digit_received")); n != 1 {
			t.Errorf("%d digits", n)
		}
		p.end("remote", 0)
		b.runs.Wait()
		_, err = l.Offer(b.ctx, offer("sendrecv", "PCMU"))
		wantReason(t, err, "CALL_ENDED")
	})
}

func TestHangup(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		b.dial(p, b.conference(conference.Settings{}))
		id := string(b.call().ID)
		c, err := b.x.Hangup(b.ctx, id)
		if err != nil || c.Status != call.Ended {
			t.Errorf("call is %s, %v", c.Status, err)
		}
		wantCall(t, c, call.Local, call.Normal)
		if r, h := p.told(); r != 0 || h != 1 {
			t.Errorf("rejected %d, hung up %d times", r, h)
		}
		c, err = b.x.Hangup(b.ctx, id)
		wantReason(t, err, "CALL_ALREADY_HANGUP")
		if c.Status != call.Ended {
			t.Errorf("call is %s", c.Status)
		}
		_, err = b.x.Hangup(b.ctx, uuid.NewString())
		wantReason(t, err, "CALL_NOT_FOUND")
	})
}

// crash makes n calls whose end is never written.
func (b *bench) crash(n int) {
	b.Helper()
	c := b.conference(conference.Settings{})
	ctx, cancel := context.WithCancel(b.ctx)
	for range n {
		b.run(ctx, b.accept(newPhone(), b.invite(string(c.ID), offer("sendrecv", "PCMU"))))
	}
	synctest.Wait()
	b.store.fail(errFull) // the power goes
	cancel()
	b.runs.Wait()
	b.store.fail(nil)
}

func TestRecover(t *testing.T) {
	bubble(t, open, func(b *bench) {
		b.crash(100)
		for range 2 {
			if err := b.x.Recover(b.ctx); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range b.calls() {
			wantCall(t, c, call.Local, call.Failed)
		}
	})
}

func TestHangupOfACallWithoutLine(t *testing.T) {
	bubble(t, open, func(b *bench) {
		b.crash(1)
		c, err := b.x.Hangup(b.ctx, string(b.call().ID))
		if err != nil || c.Status != call.Ended {
			t.Errorf("call is %s, %v", c.Status, err)
		}
	})
}

func TestSomebodyElseHasWritten(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		b.dial(p, b.conference(conference.Settings{}))
		if err := line.New(b.o).Recover(b.ctx); err != nil {
			t.Fatal(err)
		}
		p.end("remote", 0)
		b.runs.Wait()
		wantCall(t, b.call(), call.Local, call.Failed)
	})
}
