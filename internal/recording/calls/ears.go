package calls

import (
	"sync/atomic"
	"time"

	"parley/internal/audio"
	"parley/internal/mixer"
)

// ears show a capture a call as if it were a room of its own, whose clock goes on while the call moves. All but quiet belongs to the media loop while
// they are tapped, and to the recording while not.
type ears struct {
	to    mixer.Tap
	tag   string
	moved bool      // the next tick is the first in its room
	begun bool      // there was a tick
	left  time.Time // when the last room was left
	next  uint64    // the clock of the next tick
	add   uint64    // from the room's clock to ours

	talk   audio.Talk
	voices [2]mixer.Voice
	quiet  atomic.Int64 // ticks since the caller was last heard
}

// tickClock is how far the clock goes in a tick, and fillMost how many ticks out of any room are shown as silence rather than left as a gap.
const (
	tickClock = 960
	fillMost  = 3000
)

// See implements mixer.Tap.
func (e *ears) See(m mixer.Moment) {
	if e.moved {
		e.arrive(m.Clock, m.Rate)
	}
	voices := e.voices[:0]
	score := 0
	for i := range m.Voices {
		if m.Voices[i].Tag == e.tag {
			voices = append(voices, mixer.Voice{Tag: In, Frame: m.Voices[i].Frame})
			score = audio.Score(m.Voices[i].Frame)
			break
		}
	}
	if heard := m.Heard(e.tag); heard != nil {
		voices = append(voices, mixer.Voice{Tag: Out, Frame: heard})
	}
	if e.talk.Push(score, audio.FrameMillis); e.talk.Talking() {
		e.quiet.Store(0)
	} else {
		e.quiet.Add(1)
	}
	clock := m.Clock + e.add
	e.next = clock + tickClock
	e.to.See(mixer.Moment{Clock: clock, Rate: m.Rate, Voices: voices})
}

// arrive sets the clock to that of a new room: as much later as time has passed since the last one.
func (e *ears) arrive(clock uint64, rate int) {
	e.moved = false
	if !e.begun {
		e.begun, e.talk = true, audio.NewTalk(audio.FreeSWITCH)
		e.add = -clock
		return
	}
	const tick = audio.FrameMillis * time.Millisecond
	missed := max(0, (time.Since(e.left)+tick/2)/tick)
	for n := min(missed, fillMost); n > 0; n-- {
		e.to.See(mixer.Moment{Clock: e.next, Rate: rate})
		e.next += tickClock
		missed--
	}
	e.next += uint64(missed) * tickClock
	e.add = e.next - clock
}
