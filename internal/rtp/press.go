package rtp

import (
	"encoding/binary"
	"strings"
)

// press is a key press that is being sent (RFC 4733 section 2.5.1): all its packets have the timestamp of its begin.
type press struct {
	on       bool
	ended    bool
	stamp    uint32
	duration uint32 // since stamp
	code     byte
}

const (
	longestEvent = 0xffff // what the duration field holds
	eventVolume  = 10     // -dBm0
	eventEnd     = 0x80
)

// TakesKeys reports whether the peer agreed on telephone events.
func (s *Session) TakesKeys() bool { return s.media.DTMF != 0 && s.media.DTMFRate >= 1000 }

// Key writes to dst, instead of a frame of audio, the telephone event of the next 20 ms of pressing a key (0-9, *, #, A-D), and moves on. The first call
// after an end begins a press; with end the press ends, and further calls with end repeat that packet, which is to be sent three times in all. What
// lasts longer than the packet's field can say goes on as a further segment (section 2.5.1.3).
func (s *Session) Key(dst []byte, key byte, end bool) []byte {
	p := &s.out.press
	begins := !p.on || p.ended && !end
	if begins {
		*p = press{on: true, stamp: s.out.stamp, code: byte(strings.IndexByte(keys, key))}
	}
	if !p.ended {
		p.duration += uint32(s.media.DTMFRate / 50)
	}
	said := min(p.duration, longestEvent)
	dst = s.out.event(dst, s.media.DTMF, begins, end && said == p.duration)
	p.ended = end
	if said < p.duration {
		p.stamp += longestEvent
		p.duration -= longestEvent
	}
	s.stats.PacketsOut++
	return dst
}

// event writes the packet of the press as it stands, and counts the frame.
func (s *sender) event(dst []byte, pt uint8, marker, end bool) []byte {
	dst = dst[:16]
	dst[0], dst[1] = 0x80, pt
	if marker {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], s.seq)
	binary.BigEndian.PutUint32(dst[4:], s.press.stamp)
	binary.BigEndian.PutUint32(dst[8:], s.ssrc)
	dst[12], dst[13] = s.press.code, eventVolume
	if end {
		dst[13] |= eventEnd
	}
	binary.BigEndian.PutUint16(dst[14:], uint16(min(s.press.duration, longestEvent)))
	s.seq++
	s.skip() // the audio that follows is a talkspurt of its own
	s.packets++
	s.octets += 4
	return dst
}
