package room_test

import (
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
)

// waits takes a seat without media.
func (b *bench) waits(id conference.ID) *room.Seat {
	b.Helper()
	s, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, nil)
	if err != nil {
		b.Fatalf("join: %v", err)
	}
	return s
}

func TestEnterLater(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.waits(id)
		if ports, mixers := b.media.count(); ports+mixers != 0 {
			t.Errorf("%d ports, %d mixers before anybody has entered", ports, mixers)
		}
		muted := true
		b.do(id, conference.Set{At: time.Now(), ID: s.ID(), Patch: conference.ParticipantPatch{Muted: &muted}})
		time.Sleep(5 * time.Minute) // a pre-flow takes its time, and nothing is heard of the leg meanwhile
		b.wantOpen(s)
		if p := b.participant(s); p.Status != conference.Joining {
			t.Errorf("participant is %s", p.Status)
		}
		if err := s.Enter(b.ctx, new(loop.Session)); err != nil {
			t.Fatal(err)
		}
		if o, there := b.media.port(string(s.ID())); !there || !o.Muted {
			t.Errorf("port %+v, %v", o, there)
		}
		wantReason(t, s.Enter(b.ctx, new(loop.Session)), "SEAT_ENTERED")
		wantReason(t, s.Enter(b.ctx, nil), "INVALID_ARGUMENT")
		if err := s.Connected(b.ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Leave(b.ctx, ""); err != nil {
			t.Fatal(err)
		}
		wantReason(t, s.Enter(b.ctx, new(loop.Session)), "CONFERENCECALL_LEAVED")
		b.wantLog(id, "c_created", "c_updated", "joining", "updated", "joined", "c_updated", "leaving", "leaved", "c_updated")
	})
}

func TestEndBeforeEntering(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		kicked, late := b.waits(id), b.waits(id)
		b.do(id, conference.Kick{At: time.Now(), ID: kicked.ID()})
		b.wantEnd(kicked, conference.LeftKicked)
		wantReason(t, kicked.Enter(b.ctx, new(loop.Session)), "CONFERENCECALL_LEAVED")
		b.do(id, conference.Terminate{At: time.Now()})
		b.wantEnd(late, conference.LeftTerminated)
		wantReason(t, late.Enter(b.ctx, new(loop.Session)), "CONFERENCECALL_LEAVED")
		if c := b.conference(id); c.Status != conference.Terminated {
			t.Errorf("conference is %s", c.Status)
		}
	})
}

func TestEnterIsChecked(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		first, second := b.waits(id), b.waits(id)
		locked := conference.Locked
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Admission: &locked}})
		if err := first.Enter(b.ctx, new(loop.Session)); err != nil {
			t.Fatal(err)
		}
		wantReason(t, first.Connected(b.ctx), "CONFERENCE_LOCKED")
		b.wantEnd(first, conference.LeftRefused)
		wantReason(t, first.Refusal(), "CONFERENCE_LOCKED")
		b.media.refuse = true
		if err := second.Enter(b.ctx, new(loop.Session)); err == nil {
			t.Error("entered without a port")
		}
		b.wantEnd(second, conference.LeftRefused)
	})
}

func TestKeys(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.waits(id)
		if err := s.Digit(b.ctx, "9"); err != nil { // nobody hears it: the participant is not in the room
			t.Fatal(err)
		}
		if err := s.Enter(b.ctx, new(loop.Session)); err != nil {
			t.Fatal(err)
		}
		tag := string(s.ID())
		b.media.tell(tag, loop.Connected, 0)
		b.media.tell(tag, loop.DigitPressed, '1')
		b.media.tell(tag, loop.DigitPressed, '#')
		synctest.Wait()
		if err := s.Digit(b.ctx, "a"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []byte("1#A") {
			if got := <-s.Keys(); got != want {
				t.Errorf("key %q, want %q", got, want)
			}
		}
		for range 200 {
			b.media.tell(tag, loop.DigitPressed, '7')
		}
		synctest.Wait()
		if n := len(s.Keys()); n != 64 {
			t.Errorf("%d keys wait", n)
		}
	})
}
