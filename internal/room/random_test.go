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
			bubble(t, func(b *bench) { meet(b, rand.New(rand.NewPCG(uint64(seed), 1))) })
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
			if s, err := b.host.Join(b.ctx, id, conference.Join{CustomerID: customer}, new(loop.Session)); err == nil {
				seats = append(seats, s)
			}
			continue
		}
		s := seats[rnd.IntN(len(seats))]
		switch n := rnd.IntN(100); {
		case n < 75:
			inRoom(b, rnd, id, s)
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
