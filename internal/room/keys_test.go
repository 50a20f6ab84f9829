package room_test

import (
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
)

// types presses keys; a space is a pause that is too long for a sequence.
func (b *bench) types(s *room.Seat, keys string) {
	b.Helper()
	for _, key := range []byte(keys) {
		if key == ' ' {
			time.Sleep(2 * time.Second)
			continue
		}
		b.media.tell(string(s.ID()), loop.DigitPressed, key)
		synctest.Wait()
	}
	time.Sleep(100 * time.Millisecond)
}

func (b *bench) passed(s *room.Seat) (keys string) {
	for {
		select {
		case key := <-s.Keys():
			keys += string(rune(key))
		default:
			return keys
		}
	}
}

func TestKeypad(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{Keypad: "consumer"}})
		boss, a, z := b.enter(id), b.enter(id), b.enter(id)
		moderator := conference.Moderator
		b.do(id, conference.Set{At: time.Now(), ID: boss.ID(), Patch: conference.ParticipantPatch{Role: &moderator}})

		b.types(a, "*6")
		if !b.participant(a).Muted {
			t.Error("a phone cannot mute itself")
		}
		b.types(a, "*6*3*3")
		if p := b.participant(a); p.Muted || p.Volume != 6 {
			t.Errorf("muted %v, volume %d", p.Muted, p.Volume)
		}
		b.types(a, "7*5 * 1")
		if got := b.passed(a); got != "7*5*1" {
			t.Errorf("passed on %q", got)
		}
		if b.participant(z).Muted || b.conference(id).Admission != conference.Open {
			t.Error("a member moderates")
		}
		b.types(boss, "*5*7")
		if !b.participant(z).Muted || !b.participant(a).Muted || b.participant(boss).Muted || b.conference(id).Admission != conference.Locked {
			t.Error("a moderator's keys do not moderate")
		}
		b.types(boss, "*7")
		if b.conference(id).Admission != conference.Open {
			t.Error("does not unlock")
		}
		b.types(z, "*2")
		time.Sleep(time.Second)
		b.wantTold(id, "started There are 3 people in this conference.", "ended There are 3 people in this conference.played")
		b.types(z, "**")
		b.wantEnd(z, conference.LeftHangup)
		if got := b.passed(boss) + b.passed(z); got != "" {
			t.Errorf("passed on %q", got)
		}
	})
}

func TestKeypadOff(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		b.types(s, "*6")
		if got := b.passed(s); got != "*6" || b.participant(s).Muted {
			t.Errorf("passed on %q", got)
		}
		asterisk := "asterisk"
		b.do(id, conference.Update{At: time.Now(), Patch: conference.Patch{Keypad: &asterisk}})
		b.types(s, "5* 1")
		if got := b.passed(s); got != "5*" || !b.participant(s).Muted {
			t.Errorf("passed on %q", got)
		}
	})
}
