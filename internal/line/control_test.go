package line_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/line"
)

// waiting is a flow that answers and waits.
const waiting = `[{"type":"answer"},{"type":"sleep","option":{"duration":600000}}]`

func (b *theatre) control(do string, change func(*line.Control)) call.Call {
	b.Helper()
	c := line.Control{Do: do}
	if change != nil {
		change(&c)
	}
	for _, known := range b.calls() {
		if known.Status == call.Ended {
			continue
		}
		got, err := b.x.Control(b.ctx, customer, string(known.ID), c)
		if err != nil {
			b.Errorf("%s: %v", do, err)
		}
		return got
	}
	b.Fatal("no call is live")
	return call.Call{}
}

func TestControlInBooth(t *testing.T) {
	perform(t, open, func(b *theatre) {
		const hash = "0123456789ab"
		b.flow(waiting, hash)
		p := newPhone()
		b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
		time.Sleep(time.Second)
		tag := string(b.call().ID)
		for _, step := range []struct {
			do, direction, muted string
		}{{"mute", "in", "in"}, {"mute", "", "both"}, {"unmute", "in", "out"}, {"unmute", "", ""}, {"silence", "", "out"}, {"unsilence", "", ""}} {
			now := b.control(step.do, func(c *line.Control) { c.Direction = step.direction })
			port := b.media.port(tag)
			if now.MuteDirection != step.muted || port.Muted != (step.muted == "in" || step.muted == "both") || port.Deaf != (step.muted == "out" || step.muted == "both") {
				t.Errorf("after %s %s: %q, port %+v", step.do, step.direction, now.MuteDirection, port)
			}
		}
		b.control("talk", func(c *line.Control) { c.Text = "hello" })
		b.control("play", func(c *line.Control) { c.URLs = []string{"http://a", "http://b"} })
		time.Sleep(5 * time.Second)
		b.control("hold", nil)
		if port := b.media.port(tag); !port.Held {
			t.Errorf("on hold: %+v", port)
		}
		b.control("unhold", nil)
		b.control("moh", nil)
		b.control("stop", nil)
		synctest.Wait()
		if heard := b.voice.heard(); !slices.Equal(heard, []string{"hello", "http://a", "http://b", "music", "music"}) {
			t.Errorf("heard %q", heard)
		}
		b.control("digits", func(c *line.Control) { c.Digits = "12#" })
		_, err := b.x.Control(b.ctx, stranger, tag, line.Control{Do: "hold"})
		wantReason(t, err, "CALL_NOT_FOUND")
		_, err = b.x.Control(b.ctx, customer, uuid.NewString(), line.Control{Do: "hold"})
		wantReason(t, err, "CALL_NOT_FOUND")
		_, err = b.x.Control(b.ctx, customer, tag, line.Control{Do: "dance"})
		wantReason(t, err, "INVALID_ARGUMENT")
		_, err = b.x.Control(b.ctx, customer, tag, line.Control{Do: "recording_start"})
		wantReason(t, err, "RECORDING_UNAVAILABLE")
		p.end("remote", 0)
		b.runs.Wait()
		_, err = b.x.Control(b.ctx, customer, tag, line.Control{Do: "hold"})
		wantReason(t, err, "CALL_ALREADY_HANGUP")
	})
}

func TestControlInConference(t *testing.T) {
	perform(t, open, func(b *theatre) {
		p := newPhone()
		b.dial(p, b.conference(conference.Settings{}))
		b.media.packet(string(b.participant().ID))
		synctest.Wait()
		b.control("mute", func(c *line.Control) { c.Direction = "in" })
		if who := b.participant(); !who.Muted || who.Deaf {
			t.Errorf("muted: %+v", who)
		}
		b.control("unmute", func(c *line.Control) { c.Direction = "in" })
		b.control("hold", nil)
		if who := b.participant(); !who.Held || who.Muted {
			t.Errorf("held: %+v", who)
		}
		b.control("unhold", nil)
		if who := b.participant(); who.Held {
			t.Errorf("taken off hold: %+v", who)
		}
		p.end("remote", 0)
	})
}

func TestReferBringsSomebodyIn(t *testing.T) {
	place(t, map[string][]int{"bob": {180, 200}, "carol": {486}}, func(b *theatre, n *network) {
		c := b.conference(conference.Settings{})
		p := newPhone()
		in := b.invite(string(c.ID), offer("sendrecv", "PCMU"))
		anonymous := b.accept(p, in)
		b.run(b.ctx, anonymous)
		synctest.Wait()
		wantReason(t, anonymous.Refer(b.ctx, "sip:bob@parley", ""), "REFER_DENIED")
		p.end("remote", 0)
		b.runs.Wait()

		q := newPhone()
		in.CustomerID, in.Extension = customer, "alice"
		l := b.accept(q, in)
		b.run(b.ctx, l)
		synctest.Wait()
		wantReason(t, l.Refer(b.ctx, "sip:carol@parley", ""), "CALLEE_UNAVAILABLE")
		if err := l.Refer(b.ctx, "sip:bob@parley", ""); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		joined := slices.DeleteFunc(b.participants(), func(p conference.Participant) bool { return p.Status != conference.Joined })
		if len(joined) != 2 {
			t.Errorf("%d have joined", len(joined))
		}
		q.end("remote", 0)
	})
}
