package loop

import (
	"time"

	"parley/internal/fault"
	"parley/internal/loop/touchtone"
)

// keying is a row of keys that a session sends. It belongs to the loop's thread, but for done, which others wait for.
type keying struct {
	row   *touchtone.Row
	tones *touchtone.Tones // nil while the peer takes events
	done  chan struct{}
}

const mostKeyings = 8

// SendDigits presses keys for the peer: 0-9, *, #, A-D, and w or a comma for half a second's pause, each key for duration with gap after it; 0 means 100 ms
// for either, less than 40 and 60 ms becomes that. They go out as telephone events (RFC 4733), or as tones (ITU-T Q.23) where these were not agreed on,
// instead of audio, in a room and without one. What is asked for while keys go out comes after them. done is closed when all have gone out, or the
// session has ended; while nothing may be sent, as on hold, they wait. It refuses with DIGITS_INVALID, DIGITS_EXHAUSTED and MEDIA_NOT_AGREED.
func (s *Session) SendDigits(digits string, duration, gap time.Duration) (done <-chan struct{}, err error) {
	row, err := touchtone.NewRow(digits, duration, gap)
	if err != nil {
		return nil, err
	}
	k := &keying{row: row, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errClosed()
	case s.loop == nil:
		return nil, errNotAgreed()
	}
	if err := s.loop.do(func() error { return s.leg.addKeying(k) }); err != nil {
		return nil, err
	}
	return k.done, nil
}

func errNotAgreed() error {
	return fault.New(fault.Conflict, "MEDIA_NOT_AGREED", "the session has no codec yet: send digits when the call is answered")
}

// addKeying, on the loop's thread, starts a keying or has it wait for those before.
func (s *leg) addKeying(k *keying) error {
	switch {
	case !s.agreed:
		return errNotAgreed()
	case len(s.keyings) == mostKeyings:
		return fault.New(fault.Exhausted, "DIGITS_EXHAUSTED", "digits wait to be sent %d times: let them go out first", mostKeyings)
	}
	s.keyings = append(s.keyings, k)
	return s.fitKeyings()
}

// fitKeyings gives each keying the tones that it needs by what is agreed on now.
func (s *leg) fitKeyings() (err error) {
	for _, k := range s.keyings {
		switch {
		case !s.agreed || s.rtp.TakesKeys():
			k.tones = nil
		case k.tones == nil || k.tones.Format != s.format:
			if k.tones, err = touchtone.NewTones(s.format); err != nil {
				return err // cannot happen with a format that was agreed on
			}
		}
	}
	return nil
}

// press sends a frame of the keys that are to be sent and reports false when the frame is free for audio.
func (s *leg) press() (sent bool) {
	k := s.keyings[0]
	f := k.row.Next()
	switch {
	case k.tones != nil:
		s.write(s.rtp.Packet(s.loop.out, k.tones.Next(f)))
		sent = true
	case f.Event:
		s.write(s.rtp.Key(s.loop.out, f.Key, f.End))
		sent = true
	}
	if f.Last {
		close(k.done)
		s.keyings = append(s.keyings[:0], s.keyings[1:]...)
	}
	return sent
}

// endKeyings lets go of who waits for keys that will not go out.
func (s *leg) endKeyings() {
	for _, k := range s.keyings {
		close(k.done)
	}
	s.keyings = nil
}
