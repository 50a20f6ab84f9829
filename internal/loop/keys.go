package loop

import (
	"strings"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
)

// keying is a row of keys that a session sends. It belongs to the loop's thread, but for done, which others wait for.
type keying struct {
	keys    string
	on, off int // frames of a press and of the pause after it
	at      int // frames of the first of keys that have gone out
	tones   *tones
	done    chan struct{}
}

// Figures of keys. A peer must have heard 40 ms to take it for a press, and the end of an event is sent three times (RFC 4733 section 2.5.1.4), the last
// two times in the pause.
const (
	usualPress   = 100 * time.Millisecond
	shortPress   = 40 * time.Millisecond
	longPress    = 20 * time.Second
	shortPause   = 60 * time.Millisecond
	pauseMillis  = 500 // of w and of a comma
	mostKeys     = 256
	mostKeyings  = 8
	endsRepeated = 2
)

// SendDigits presses keys for the peer: 0-9, *, #, A-D, and w or a comma for half a second's pause, each key for duration with gap after it; 0 means 100 ms
// for either, less than 40 and 60 ms becomes that. They go out as telephone events (RFC 4733), or as tones (ITU-T Q.23) where these were not agreed on,
// instead of audio, in a room and without one. What is asked for while keys go out comes after them. done is closed when all have gone out, or the
// session has ended; while nothing may be sent, as on hold, they wait. It refuses with DIGITS_INVALID, DIGITS_EXHAUSTED and MEDIA_NOT_AGREED.
func (s *Session) SendDigits(digits string, duration, gap time.Duration) (done <-chan struct{}, err error) {
	k, err := newKeying(digits, duration, gap)
	if err != nil {
		return nil, err
	}
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

func newKeying(digits string, duration, gap time.Duration) (*keying, error) {
	digits = strings.ToUpper(digits)
	if digits == "" || len(digits) > mostKeys || strings.Trim(digits, "0123456789*#ABCDW,") != "" {
		return nil, fault.New(fault.Invalid, "DIGITS_INVALID", "cannot send %.32q: want 1 to %d of 0-9, *, #, A-D, and w for a pause", digits, mostKeys)
	}
	if duration == 0 {
		duration = usualPress
	}
	if gap == 0 {
		gap = usualPress
	}
	if duration < 0 || gap < 0 || duration > longPress || gap > longPress {
		return nil, fault.New(fault.Invalid, "DIGITS_INVALID", "keys cannot be pressed for %v with pauses of %v: want up to %v", duration, gap, longPress)
	}
	frames := func(d, least time.Duration) int { return int((max(d, least) + frame - 1) / frame) }
	return &keying{keys: digits, on: frames(duration, shortPress), off: frames(gap, shortPause), done: make(chan struct{})}, nil
}

const frame = audio.FrameMillis * time.Millisecond

// addKeying, on the loop's thread, starts a keying or has it wait for those before.
func (s *leg) addKeying(k *keying) error {
	switch {
	case !s.agreed:
		return errNotAgreed()
	case len(s.keyings) == mostKeyings:
		return fault.New(fault.Exhausted, "DIGITS_EXHAUSTED", "digits wait to be sent %d times: let them go out first", mostKeyings)
	}
	if err := s.fit(k); err != nil {
		return err
	}
	s.keyings = append(s.keyings, k)
	return nil
}

// fit gives a keying the tones that it needs by what is agreed on now.
func (s *leg) fit(k *keying) (err error) {
	switch {
	case !s.agreed || s.rtp.TakesKeys():
		k.tones = nil
	case k.tones == nil || k.tones.format != s.format:
		k.tones, err = newTones(s.format)
	}
	return err
}

// fitKeyings does that for all after a change.
func (s *leg) fitKeyings() error {
	for _, k := range s.keyings {
		if err := s.fit(k); err != nil {
			return err
		}
	}
	return nil
}

// press sends a frame of the keys that are to be sent and reports false when the frame is free for audio.
func (s *leg) press() bool {
	k := s.keyings[0]
	key, on := k.keys[0], k.on
	if key == 'W' || key == ',' {
		key, on = 0, pauseMillis/audio.FrameMillis-k.off
	}
	k.at++
	sent := false
	switch {
	case k.tones != nil:
		s.write(s.rtp.Packet(s.loop.out, k.tones.next(key, k.at <= on, k.at == 1)))
		sent = true
	case key != 0 && k.at <= on+endsRepeated && s.rtp.TakesKeys():
		s.write(s.rtp.Key(s.loop.out, key, k.at >= on))
		sent = true
	}
	if k.at >= on+k.off {
		k.at, k.keys = 0, k.keys[1:]
	}
	if k.keys == "" {
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

// tones are keys for a peer that takes no events: two sines (ITU-T Q.23) in its own codec.
type tones struct {
	format    codec.Format
	rate      int
	encoder   codec.Encoder
	low, high *audio.Tone
	frame     []int16
	second    []int16
	payload   []byte
}

// keyTone is the level of each sine in dBov: together -9 dBm0, as a phone's keys are (ITU-T Q.24 annex).
const keyTone = -15

var (
	lowTones  = [...]float64{697, 770, 852, 941}
	highTones = [...]float64{1209, 1336, 1477, 1633}
)

const keyboard = "123A456B789C*0#D"

func newTones(f codec.Format) (*tones, error) {
	rate := f.Rate(initialRate)
	encoder, err := codec.NewEncoder(f, rate)
	if err != nil {
		return nil, err
	}
	n := audio.FrameSamples(rate)
	return &tones{format: f, rate: rate, encoder: encoder, frame: make([]int16, n), second: make([]int16, n), payload: make([]byte, codec.MaxPayload)}, nil
}

// next encodes the next frame: of the key while it is pressed, of silence after it.
func (t *tones) next(key byte, pressed, begins bool) []byte {
	at := strings.IndexByte(keyboard, key)
	if begins && at >= 0 {
		t.low, t.high = audio.NewTone(lowTones[at/4], keyTone, t.rate, 0), audio.NewTone(highTones[at%4], keyTone, t.rate, 0)
	}
	clear(t.frame)
	if t.low != nil && at >= 0 {
		if !pressed {
			t.low.Stop()
			t.high.Stop()
		}
		t.low.Read(t.frame)
		t.high.Read(t.second)
		for i, v := range t.second {
			t.frame[i] += v
		}
	}
	n, err := t.encoder.Encode(t.payload, t.frame)
	if err != nil {
		return nil // cannot happen with frames of the encoder's own rate
	}
	return t.payload[:n]
}
