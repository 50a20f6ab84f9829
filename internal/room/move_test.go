package room_test

import (
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
)

func TestMove(t *testing.T) {
	bubble(t, func(b *bench) {
		from, to := b.create(conference.Create{}), b.create(conference.Create{Settings: conference.Settings{PIN: "1234"}})
		s := b.enter(from)
		moved := make(chan *room.Seat, 1)
		go func() { // as a line does
			<-s.Done()
			next := s.Moved()
			if next != nil {
				if err := next.Enter(b.ctx, new(loop.Session)); err != nil {
					t.Error(err)
				}
				if err := next.Connected(b.ctx); err != nil {
					t.Error(err)
				}
			}
			moved <- next
		}()
		v, err := b.host.Move(b.ctx, from, s.ID(), to, room.DoOptions{CustomerID: customer})
		if err != nil {
			t.Fatal(err)
		}
		next := <-moved
		if next == nil || v.Participant == nil || v.Participant.ID != next.ID() || s.Cause() != conference.LeftMoved {
			t.Fatalf("moved to %v, %+v, cause %s", next, v.Participant, s.Cause())
		}
		time.Sleep(time.Minute) // nobody gives it up any more
		if p := b.participant(next); p.Status != conference.Joined || p.CallID != b.participant(s).CallID {
			t.Errorf("is %s in call %s", p.Status, p.CallID)
		}
		b.wantLog(from, "c_created", "c_updated", "joining", "joined", "c_updated", "leaving", "leaved", "c_updated")
		b.wantOpen(next)
		if l, ok := b.host.Live(next.ID()); !ok || l.Level != -30 {
			t.Errorf("live: %+v, %v", l, ok)
		}
		if _, ok := b.host.Live(s.ID()); ok {
			t.Error("who has left lives")
		}
	})
}

func TestMoveRefused(t *testing.T) {
	bubble(t, func(b *bench) {
		from, locked := b.create(conference.Create{}), b.create(conference.Create{Settings: conference.Settings{Admission: conference.Locked}})
		open := b.create(conference.Create{})
		s, joining := b.enter(from), b.join(from)
		try := func(reason string, who conference.ParticipantID, to conference.ID) {
			t.Helper()
			_, err := b.host.Move(b.ctx, from, who, to, room.DoOptions{})
			wantReason(t, err, reason)
		}
		try("CONFERENCE_LOCKED", s.ID(), locked)
		try("SAME_CONFERENCE", s.ID(), from)
		try("CONFERENCE_NOT_FOUND", s.ID(), "nowhere")
		try("CONFERENCECALL_NOT_JOINED", joining.ID(), open)
		b.wantOpen(s)
		try("CALL_ENDED", s.ID(), open) // nobody follows
		b.wantEnd(s, conference.LeftMoved)
		if c := b.conference(open); c.Count != 0 {
			t.Errorf("%d are left in the other conference", c.Count)
		}
		stays := b.enter(from)
		if stays.Moved() != nil {
			t.Error("moved without being moved")
		}
		synctest.Wait()
	})
}
