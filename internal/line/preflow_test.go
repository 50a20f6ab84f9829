package line_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/room"
)

// do carries a command out in a room.
func (b *theatre) do(c conference.Conference, command conference.Command) {
	b.Helper()
	if _, err := b.rooms.Do(b.ctx, c.ID, command, room.DoOptions{}); err != nil {
		b.Fatal(err)
	}
}

// TestEndsInPreFlow says what becomes of a caller, of its participant and of its flow when something ends the way into a conference.
func TestEndsInPreFlow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		end    func(b *theatre, c conference.Conference, p *phone)
		reason conference.LeaveReason
		by     call.Side
		heard  []string // after the PIN was asked for
	}{
		{"the caller hangs up", func(b *theatre, _ conference.Conference, p *phone) { p.end("remote", 0) }, conference.LeftHangup, call.Remote, nil},
		{"the call is hung up", func(b *theatre, _ conference.Conference, _ *phone) { _, _ = b.x.Hangup(b.ctx, string(b.call().ID)) }, conference.LeftHangup, call.Local, nil},
		{"kicked", func(b *theatre, c conference.Conference, _ *phone) {
			b.do(c, conference.Kick{At: time.Now(), ID: b.participant().ID})
		}, conference.LeftKicked, call.Local, []string{"You have been removed from this conference.", "after kicked"}},
		{
			"the room ends", func(b *theatre, c conference.Conference, _ *phone) { b.do(c, conference.Terminate{At: time.Now()}) },
			conference.LeftTerminated, call.Local,
			[]string{"This conference has ended.", "after terminated"},
		},
		{
			"the room's time is over", func(*theatre, conference.Conference, *phone) { time.Sleep(2 * time.Minute) },
			conference.LeftTimeout, call.Local,
			[]string{"This conference has ended.", "after timeout"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			perform(t, open, func(b *theatre) {
				const hash = "0123456789ab"
				c := b.conference(conference.Settings{
					Timeout: 2 * time.Minute, PreFlowID: b.flow(`[{"type":"talk","option":{"text":"your PIN please"}},{"type":"digits_receive","option":{"length":4,"duration":600000}}]`, ""),
					PostFlowID: b.flow(`[{"type":"talk","option":{"text":"the post-flow"}}]`, ""),
				})
				b.flow(`[{"type":"conference_join","option":{"conference_id":"`+string(c.ID)+`"}},{"type":"talk","option":{"text":"after ${voipbin.conference.result}"}}]`, hash)
				p := newPhone()
				b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
				time.Sleep(2 * time.Second)
				if who := b.participant(); who.Status != conference.Joining {
					t.Fatalf("in the pre-flow the participant is %s", who.Status)
				}
				tt.end(b, c, p)
				time.Sleep(5 * time.Second) // a leg leaves within five
				if who := b.participant(); who.Status != conference.Leaved || who.LeaveReason != tt.reason {
					t.Errorf("participant is %s (%s)", who.Status, who.LeaveReason)
				}
				b.runs.Wait()
				wantCall(t, b.call(), tt.by, call.Normal)
				if heard := b.voice.heard(); !slices.Equal(heard, append([]string{"your PIN please"}, tt.heard...)) {
					t.Errorf("heard %q", heard)
				}
				if joined := slices.Contains(b.log("conferencecall_*"), "conferencecall_joined"); joined {
					t.Error("it has joined")
				}
			})
		})
	}
}

// TestPostFlowOfEnds says that whoever leaves a conference alive goes through its post-flow, with the reason, and then on with its own flow.
func TestPostFlowOfEnds(t *testing.T) {
	for _, tt := range []struct {
		result string
		of     conference.Type
		end    func(b *theatre, c conference.Conference, others *phone)
	}{
		{"kicked", conference.Standard, func(b *theatre, c conference.Conference, _ *phone) {
			for _, who := range b.participants() {
				b.do(c, conference.Kick{At: time.Now(), ID: who.ID})
			}
		}},
		{"terminated", conference.Standard, func(b *theatre, c conference.Conference, _ *phone) { b.do(c, conference.Terminate{At: time.Now()}) }},
		{"timeout", conference.Standard, func(*theatre, conference.Conference, *phone) { time.Sleep(2 * time.Minute) }},
		{"peer_left", conference.Connect, func(_ *theatre, _ conference.Conference, other *phone) { other.end("remote", 0) }},
	} {
		t.Run(tt.result, func(t *testing.T) {
			perform(t, open, func(b *theatre) {
				const hash = "0123456789ab"
				v, err := b.rooms.Create(b.ctx, conference.Create{CustomerID: customer, Type: tt.of, Settings: conference.Settings{
					Timeout: 2 * time.Minute, PostFlowID: b.flow(`[{"type":"talk","option":{"text":"result ${voipbin.conference.result}"}}]`, ""),
				}})
				if err != nil {
					t.Fatal(err)
				}
				c := v.Conference
				b.flow(`[{"type":"conference_join","option":{"conference_id":"`+string(c.ID)+`"}},{"type":"talk","option":{"text":"and on"}}]`, hash)
				p, other := newPhone(), newPhone()
				b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
				synctest.Wait()
				if tt.of == conference.Connect {
					b.dial(other, c)
				}
				for _, who := range b.participants() {
					b.media.packet(string(who.ID))
				}
				time.Sleep(time.Second)
				tt.end(b, c, other)
				b.runs.Wait()
				if heard := b.voice.heard(); !slices.Contains(heard, "result "+tt.result) || heard[len(heard)-1] != "and on" && tt.of != conference.Connect {
					t.Errorf("heard %q", heard)
				}
				if n := strings.Count(strings.Join(b.voice.heard(), ","), "and on"); n != 1 {
					t.Errorf("its own flow went on %d times", n)
				}
			})
		})
	}
}

// TestPreFlowIntoItself says that a conference whose pre-flow joins it again takes a call once: the second way in is refused, and the first goes on.
func TestPreFlowIntoItself(t *testing.T) {
	perform(t, open, func(b *theatre) {
		c := b.conference(conference.Settings{PreFlowID: b.flow(`[{"type":"conference_join","option":{"conference_id":"${voipbin.conference.id}"}}]`, "")})
		p := newPhone()
		b.dial(p, c)
		time.Sleep(10 * time.Second)
		if who := b.participant(); who.Status != conference.Joined {
			t.Errorf("the participant is %s", who.Status)
		}
		p.end("remote", 0)
		b.runs.Wait()
		if who := b.participant(); who.Status != conference.Leaved {
			t.Errorf("the participant is %s", who.Status)
		}
		if heard := b.voice.heard(); !slices.Equal(heard, []string{"You cannot enter this conference now."}) {
			t.Errorf("heard %q", heard)
		}
	})
}
