package line_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/room"
)

// ender is somebody who may end a call.
type ender struct {
	name string
	end  func(b *bench, p *phone, c conference.Conference, cancel func())
}

var enders = []ender{
	{"BYE or CANCEL", func(_ *bench, p *phone, _ conference.Conference, _ func()) {
		p.mu.Lock()
		answered := p.answered
		p.mu.Unlock()
		if answered {
			p.end("remote", 0)
		} else {
			p.end("remote", 487)
		}
	}},
	{"session timer", func(_ *bench, p *phone, _ conference.Conference, _ func()) { p.end("local", 408) }},
	{"kick", func(b *bench, _ *phone, c conference.Conference, _ func()) {
		for _, p := range b.participants() {
			_, _ = b.rooms.Do(b.ctx, c.ID, conference.Kick{At: time.Now(), ID: p.ID}, room.DoOptions{})
		}
	}},
	{"end of the conference", func(b *bench, _ *phone, c conference.Conference, _ func()) {
		_, _ = b.rooms.Do(b.ctx, c.ID, conference.Terminate{At: time.Now(), Delete: true}, room.DoOptions{})
	}},
	{"API", func(b *bench, _ *phone, _ conference.Conference, _ func()) {
		for _, c := range b.calls() {
			_, _ = b.x.Hangup(b.ctx, string(c.ID))
		}
	}},
	{"stop", func(_ *bench, _ *phone, _ conference.Conference, cancel func()) { cancel() }},
}

// TestEveryOrderOfEnds has each pair of enders end a call at the same moment, at every moment of its life: the caller rings for a second, the
// store takes a second for a write, the ACK takes a second. Whatever happens, everybody is told once and nothing is left.
func TestEveryOrderOfEnds(t *testing.T) {
	moments := []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 3500 * time.Millisecond, 10 * time.Second}
	for _, at := range moments {
		for _, first := range enders {
			for _, second := range enders {
				for _, late := range []bool{false, true} {
					t.Run(name(at, first.name, second.name, late), func(t *testing.T) {
						bubble(t, open, func(b *bench) { b.endBy(at, first, second, late) })
					})
				}
			}
		}
	}
}

func (b *bench) endBy(at time.Duration, first, second ender, late bool) {
	c := b.conference(conference.Settings{})
	p := newPhone()
	p.ring, p.answer = time.Second, time.Second
	var body []byte
	if !late {
		body = offer("sendrecv", "PCMU")
	}
	p.confirm = offer("sendrecv", "PCMU")
	l := b.accept(p, b.invite(string(c.ID), body))
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	b.store.slow(time.Second)
	begin := time.Now()
	done := b.run(ctx, l)
	time.Sleep(at)
	go first.end(b, p, c, cancel)
	go second.end(b, p, c, cancel)
	time.Sleep(30 * time.Second)
	if b.x.Live() > 0 && first.name == "kick" && second.name == "kick" {
		cancel() // there was nobody to kick yet
	}
	select {
	case err := <-done:
		if err != nil {
			b.Errorf("run: %v", err)
		}
	case <-time.After(30 * time.Second):
		b.Fatalf("the line still runs %v after its begin", time.Since(begin))
	}
	by, _ := p.Cause()
	rejects, hangups := p.told()
	if !p.over || rejects+hangups > 1 {
		b.Errorf("phone was rejected %d, hung up %d times, over: %v by %s", rejects, hangups, p.over, by)
	}
	if rejects > 0 && p.answered || hangups > 0 && !p.answered {
		b.Errorf("phone was rejected %d, hung up %d times, answered: %v", rejects, hangups, p.answered)
	}
	b.store.slow(0)
	synctest.Wait()
}

func TestNoACK(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		p.answer, p.noACK = 32*time.Second, true
		_, done := b.dial(p, b.conference(conference.Settings{}))
		<-done
		wantCall(t, b.call(), call.Local, call.NoAnswer)
	})
}

func TestFullConference(t *testing.T) {
	bubble(t, open, func(b *bench) {
		c := b.conference(conference.Settings{MaxParticipants: 1})
		first, second := newPhone(), newPhone()
		b.dial(first, c)
		_, done := b.dial(second, c)
		<-done
		if r, h := second.told(); r != 1 || h != 0 {
			t.Errorf("rejected %d, hung up %d times", r, h)
		}
		wantReason(t, second.rejected[0], "CONFERENCE_FULL")
		first.end("remote", 0)
	})
}

func TestConnectEndsBothCalls(t *testing.T) {
	bubble(t, open, func(b *bench) {
		v, err := b.rooms.Create(b.ctx, conference.Create{CustomerID: customer, Type: conference.Connect})
		if err != nil {
			t.Fatal(err)
		}
		first, second := newPhone(), newPhone()
		b.dial(first, v.Conference)
		b.dial(second, v.Conference)
		time.Sleep(2 * time.Second)
		first.end("remote", 0)
		b.runs.Wait()
		if r, h := second.told(); r != 0 || h != 1 || second.hangups[0] != "peer_left" {
			t.Errorf("rejected %d, hung up %d times (%v)", r, h, second.hangups)
		}
	})
}

func TestStoreFailsWhileCallsEnd(t *testing.T) {
	bubble(t, open, func(b *bench) {
		p := newPhone()
		l, done := b.dial(p, b.conference(conference.Settings{}))
		b.media.packet(string(b.participant().ID))
		synctest.Wait()
		b.store.fail(errFull)
		if _, err := l.Offer(b.ctx, offer("sendonly", "PCMU")); err != nil {
			t.Errorf("hold while the store fails: %v", err)
		}
		time.Sleep(10 * time.Second)
		b.store.fail(nil)
		time.Sleep(2 * time.Second)
		if !b.participant().RemoteHeld {
			t.Error("the hold was forgotten")
		}
		b.store.fail(errFull)
		p.end("remote", 0)
		time.Sleep(10 * time.Second)
		if !b.media.sessions[0].isClosed() {
			t.Error("the session waits for the store")
		}
		select {
		case <-done:
			t.Error("run returned before the end was written")
		default:
		}
		b.store.fail(nil)
		time.Sleep(10 * time.Second)
		wantCall(t, b.call(), call.Remote, call.Normal)
		if who := b.participant(); who.LeaveReason != conference.LeftHangup {
			t.Errorf("left with %s", who.LeaveReason)
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	bubble(t, open, func(b *bench) {
		c := b.conference(conference.Settings{})
		ctx, cancel := context.WithCancel(b.ctx)
		done := b.run(ctx, b.accept(newPhone(), b.invite(string(c.ID), offer("sendrecv", "PCMU"))))
		synctest.Wait()
		b.store.fail(errFull)
		begin := time.Now()
		cancel()
		if err := <-done; err == nil || time.Since(begin) > 6*time.Second {
			t.Errorf("stop took %v: %v", time.Since(begin), err)
		}
		b.store.fail(nil)
		if err := b.x.Recover(b.ctx); err != nil { // the next start
			t.Error(err)
		}
	})
}
