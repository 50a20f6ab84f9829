package rtp

import (
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/jitter"
	"parley/internal/sdp"
)

// lane decodes one payload type.
type lane struct {
	pt      uint8
	format  codec.Format
	rate    int // of the decoder
	decoder codec.Decoder
	up      *audio.Resampler // nil when the decoder gives the session's rate
	scratch []int16          // the longest packet as decoded
	still   still
}

// find returns the codec of a payload type; L16 comes in two rates.
func find(c sdp.Codec) (codec.Format, bool) {
	for _, f := range codec.Formats {
		if equalName(f.Name, c.Name) && f.ClockRate == c.ClockRate {
			return f, true
		}
	}
	return codec.Format{}, false
}

// lanesOf lists the payload types of audio that may arrive, and the longest payload that they are good for: of 120 ms, for L16 of 60.
func lanesOf(m sdp.Media) (lanes []lane, largest int) {
	for _, c := range m.Accept {
		f, ok := find(c)
		if !ok {
			continue
		}
		lanes = append(lanes, lane{pt: c.PayloadType, format: f})
		switch f.Name {
		case "opus":
			largest = max(largest, codec.MaxPayload)
		case "L16":
			largest = max(largest, 2*f.ClockRate*60/1000)
		default:
			largest = max(largest, 960)
		}
	}
	return lanes, largest
}

// sameLanes reports whether two lists stand for the same payload types.
func sameLanes(a, b []lane) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].pt != b[i].pt || a[i].format != b[i].format {
			return false
		}
	}
	return true
}

// open makes the decoder for a session at rate.
func (l *lane) open(rate int) (err error) {
	l.rate = l.format.Rate(rate)
	if l.decoder, err = codec.NewDecoder(l.format, l.rate); err != nil {
		return err
	}
	l.up, l.still = nil, still{}
	if l.rate != rate {
		if l.up, err = audio.NewResampler(l.rate, rate); err != nil {
			return err
		}
	}
	l.scratch = make([]int16, samples(longest, l.rate))
	return nil
}

func (l *lane) reset() {
	l.decoder.Reset()
	l.still.times = 0
	if l.up != nil {
		l.up.Reset()
	}
}

func samples(d time.Duration, rate int) int { return int(d.Milliseconds()) * rate / 1000 }

// Pull fills dst with the frame of 20 ms that is due.
func (s *Session) Pull(dst []int16, now time.Duration) Frame {
	var f Frame
	if s.buffer == nil {
		clear(dst)
		return f
	}
	for s.audio.len() < len(dst) {
		due := s.buffer.Pop(now, s.quiet)
		s.stats.Lost += uint64(due.GivenUp)
		s.buffer.Played(due.Kind, s.render(due, &f))
	}
	f.Audio = s.audio.read(dst)
	return f
}

// render adds what is due to the fifo and returns how long that is.
func (s *Session) render(due jitter.Due, f *Frame) time.Duration {
	length := frameTime
	switch due.Kind {
	case jitter.Packet:
		return s.decode(due.Payload)
	case jitter.Lost:
		length = due.Length
	case jitter.Wait:
		if !due.Underrun {
			s.quiet = true
		}
	}
	l := s.lane
	if l == nil || s.quiet && len(due.Next) == 0 {
		s.audio.silence(samples(length, s.rate))
		return length
	}
	frame := l.scratch[:samples(length, l.rate)]
	if len(due.Next) < 2 || due.Next[0] != l.pt || !l.decoder.Recover(frame, due.Next[1:]) {
		if s.quiet { // silence is not decoded, so the decoder does not know how it was
			s.audio.silence(samples(length, s.rate))
			return length
		}
		l.decoder.Conceal(frame)
	}
	l.still.times = 0
	s.stats.Concealed++
	f.Concealed = true
	s.audio.add(l, frame)
	return length
}

// decode adds a packet: its first byte is the payload type.
func (s *Session) decode(packet []byte) time.Duration {
	l, payload := s.laneOf(packet[0]), packet[1:]
	if l == nil { // agreed on when it came, but no longer
		return 0
	}
	if l != s.lane {
		l.reset()
		s.lane = l
	}
	if codec.Silent(l.format, payload) {
		return s.hush(l, l.silence(len(payload)))
	}
	if l.still.same(payload) {
		return s.hush(l, l.still.samples)
	}
	n, err := l.decoder.Decode(l.scratch, payload)
	if err != nil || n == 0 {
		s.stats.Refused++
		n = samples(frameTime, l.rate)
		l.decoder.Conceal(l.scratch[:n])
		l.still.times = 0
	} else {
		l.still.decoded(payload, l.scratch[:n])
	}
	s.quiet = false
	s.audio.add(l, l.scratch[:n])
	return time.Duration(n) * time.Second / time.Duration(l.rate)
}

// silence returns how many samples a payload of digital silence stands for.
func (l *lane) silence(bytes int) int {
	length := frameTime
	switch l.format.Name {
	case "opus":
	case "L16":
		length = time.Duration(bytes/2) * time.Second / time.Duration(l.format.ClockRate)
	default:
		length = time.Duration(bytes) * time.Second / time.Duration(l.format.ClockRate)
	}
	return int(int64(min(length, longest)) * int64(l.rate) / int64(time.Second))
}

// hush adds n samples of silence without decoding them. The first ones go through the resampler, so that this ends what it still holds.
func (s *Session) hush(l *lane, n int) time.Duration {
	length := time.Duration(n) * time.Second / time.Duration(l.rate)
	if l.up != nil && !s.quiet {
		clear(l.scratch[:n])
		s.audio.add(l, l.scratch[:n])
	} else {
		s.audio.silence(int(int64(length) * int64(s.rate) / int64(time.Second)))
	}
	s.quiet = true
	return length
}

func (s *Session) laneOf(pt uint8) *lane {
	for i := range s.lanes {
		if s.lanes[i].pt == pt {
			return &s.lanes[i]
		}
	}
	return nil
}
