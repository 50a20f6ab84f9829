package room_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
)

var seeds = flag.Int("seeds", 20, "how many random meetings TestRandomMeetings plays")

// TestRandomMeetings plays meetings in which everything happens at once, with a store that fails now and then and a process that
// dies, and looks at the log afterwards.
func TestRandomMeetings(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			listening(t, func(b *bench) { meet(b, rand.New(rand.NewPCG(uint64(seed), 1))) })
		})
	}
}

func meet(b *bench, rnd *rand.Rand) {
	var rooms []conference.ID
	var seats []*room.Seat
	for range 300 {
		if len(rooms) == 0 || rnd.IntN(25) == 0 {
			rooms = append(rooms, randomConference(b, rnd)...)
			continue
		}
		id := rooms[rnd.IntN(len(rooms))]
		if len(seats) == 0 || rnd.IntN(4) == 0 {
			session := new(loop.Session)
			if rnd.IntN(4) == 0 {
				session = nil
			}
			if s, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, session); err == nil {
				seats = append(seats, s)
			}
			continue
		}
		s := seats[rnd.IntN(len(seats))]
		switch n := rnd.IntN(100); {
		case n < 75:
			inRoom(b, rnd, id, s)
			control(b, rnd, rooms, id, s)
		case n < 78:
			host := b.host
			go func() { _, _ = host.Do(b.ctx, id, conference.Terminate{At: time.Now()}, room.DoOptions{}) }()
		case n < 90:
			time.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		case n < 93:
			b.store.fail(errFull)
		case n < 98:
			b.store.fail(nil)
			b.store.slow(time.Duration(rnd.IntN(5)) * time.Millisecond)
		case n == 98:
			synctest.Wait()
		default:
			b.store.fail(errFull)
			b.stop()
			b.store.fail(nil)
			b.start()
			seats = nil
		}
	}
}

func randomConference(b *bench, rnd *rand.Rand) []conference.ID {
	c := conference.Create{CustomerID: customer}
	if rnd.IntN(3) == 0 {
		c.Type = conference.Connect
	}
	if rnd.IntN(3) == 0 {
		c.Settings.Timeout = time.Minute
	}
	v, err := b.host.Create(b.ctx, c)
	if err != nil {
		return nil
	}
	return []conference.ID{v.Conference.ID}
}

// inRoom is something that happens to a participant, told by whoever would tell it.
func inRoom(b *bench, rnd *rand.Rand, id conference.ID, s *room.Seat) {
	tag, on := string(s.ID()), rnd.IntN(2) == 0
	switch rnd.IntN(9) {
	case 0:
		go func() { _ = s.Connected(b.ctx) }()
	case 1, 2:
		b.media.tell(tag, loop.Connected, 0)
	case 3:
		b.media.tell(tag, loop.SpeechStarted, 0)
	case 4:
		b.media.tell(tag, loop.SpeechStopped, 0)
	case 5:
		b.media.tell(tag, loop.DigitPressed, '*')
	case 6:
		go func() { _ = s.Set(b.ctx, conference.ParticipantPatch{Muted: &on}) }()
	case 7:
		go func() { _ = s.Leave(b.ctx, conference.LeftHangup) }()
	case 8:
		host := b.host
		go func() { _, _ = host.Do(b.ctx, id, conference.Kick{At: time.Now(), ID: s.ID()}, room.DoOptions{}) }()
	}
}

// control is something that somebody does to a conference or to one in it.
func control(b *bench, rnd *rand.Rand, rooms []conference.ID, id conference.ID, s *room.Seat) {
	host, at, on := b.host, time.Now(), rnd.IntN(2) == 0
	do := func(c conference.Command) { go func() { _, _ = host.Do(b.ctx, id, c, room.DoOptions{}) }() }
	admission := []conference.Admission{conference.Open, conference.Lobby, conference.Locked, conference.WaitForModerator}[rnd.IntN(4)]
	keypad, music := "freeswitch", []string{"music", "silence", "https://example.com/a.wav"}[rnd.IntN(3)]
	switch rnd.IntN(20) {
	case 0:
		do(conference.Update{At: at, Patch: conference.Patch{Admission: &admission, Keypad: &keypad, WaitMusic: &music}})
	case 1, 2:
		do(conference.Admit{At: at, All: true})
	case 3:
		do(conference.Deny{At: at, ID: s.ID()})
	case 4:
		do(conference.MuteAll{At: at, Muted: on})
	case 5:
		do(conference.Set{At: at, ID: s.ID(), Patch: conference.ParticipantPatch{Held: &on}})
	case 6:
		moderator := conference.Moderator
		do(conference.Set{At: at, ID: s.ID(), Patch: conference.ParticipantPatch{Role: &moderator}})
	case 7:
		a := talk("good evening")
		if on {
			a.ConferencecallID = string(s.ID())
		}
		go func() { _, _ = host.Announce(b.ctx, id, a, room.DoOptions{}) }()
	case 8:
		go func() { _, _ = host.StopAnnouncements(b.ctx, id, "", room.DoOptions{}) }()
	case 9:
		go func() { _ = s.Enter(b.ctx, new(loop.Session)) }()
	case 10:
		to := rooms[rnd.IntN(len(rooms))]
		go func() {
			<-s.Done()
			if next := s.Moved(); next != nil && on {
				_ = next.Enter(b.ctx, new(loop.Session))
			}
		}()
		go func() { _, _ = host.Move(b.ctx, id, s.ID(), to, room.DoOptions{}) }()
	}
}
