package room_test

import (
	"testing"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
)

func TestTimeout(t *testing.T) {
	hour := conference.Settings{Timeout: time.Hour}
	bubble(t, func(b *bench) {
		empty, full, extended, endless := b.create(conference.Create{Settings: hour}), b.create(conference.Create{Settings: hour}),
			b.create(conference.Create{Settings: hour}), b.create(conference.Create{Settings: hour})
		s := b.enter(full)
		two, none := 2*time.Hour, time.Duration(0)
		b.do(extended, conference.Update{At: time.Now(), Patch: conference.Patch{Timeout: &two}})
		stays := b.enter(extended)
		b.do(endless, conference.Update{At: time.Now(), Patch: conference.Patch{Timeout: &none}})

		time.Sleep(time.Hour - time.Second)
		b.wantOpen(s)
		_ = b.join(empty).Leave(b.ctx, "")
		time.Sleep(2 * time.Second)
		b.wantEnd(s, conference.LeftTimeout)
		b.wantOpen(stays)
		for _, id := range []conference.ID{empty, full} {
			if c := b.conference(id); c.Status != conference.Terminated || c.EndReason != conference.EndTimeout || c.Ended.Sub(c.Created).Round(time.Second) != time.Hour {
				t.Errorf("conference is %s (%s) after %v", c.Status, c.EndReason, c.Ended.Sub(c.Created))
			}
		}
		time.Sleep(time.Hour)
		b.wantEnd(stays, conference.LeftTimeout)
		time.Sleep(10 * time.Hour)
		if c := b.conference(endless); c.Status != conference.Progressing {
			t.Errorf("conference without timeout is %s", c.Status)
		}
	})
}

func TestMaxAge(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		time.Sleep(12 * time.Hour)
		later := b.enter(id)
		time.Sleep(12*time.Hour - time.Second)
		b.wantOpen(s)
		time.Sleep(time.Second)
		b.wantEnd(s, conference.LeftMaxDuration)
		b.wantOpen(later)
	})
}

func TestHealth(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		lost, held, listens, fine := b.enter(id), b.enter(id), b.enter(id), b.enter(id)
		hold := true
		if err := held.Set(b.ctx, conference.ParticipantPatch{Held: &hold}); err != nil {
			t.Fatal(err)
		}
		listens.ExpectMedia(false)
		for _, s := range []*room.Seat{lost, held, listens} {
			b.media.silent(string(s.ID()))
		}
		// Rounds are at 5, 10, 15 s; silence counts from 4 s.
		time.Sleep(14500 * time.Millisecond)
		b.wantOpen(lost)
		time.Sleep(time.Second)
		b.wantEnd(lost, conference.LeftMediaTimeout)
		time.Sleep(time.Hour)
		for _, s := range []*room.Seat{held, listens, fine} {
			b.wantOpen(s)
		}
		if p := b.participant(lost); p.Status != conference.Leaved {
			t.Errorf("lost participant is %s", p.Status)
		}
	})
}

func TestSpeechOfSomebodyMuted(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.join(id)
		set := func(muted bool) {
			if err := s.Set(b.ctx, conference.ParticipantPatch{Muted: &muted}); err != nil {
				t.Fatal(err)
			}
		}
		set(true)
		b.media.tell(string(s.ID()), loop.Connected, 0)
		b.media.tell(string(s.ID()), loop.SpeechStarted, 0) // older than the mute
		b.wantOpen(s)
		set(false)
		b.wantOpen(s)
		b.wantLog(id, "c_created", "c_updated", "joining", "updated", "joined", "c_updated", "updated", "speech_started")
	})
}
