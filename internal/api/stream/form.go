package stream

import (
	"encoding/binary"
	"fmt"

	"github.com/coder/websocket"

	"parley/internal/mixer/ear"
)

// form is how audio travels in a binary frame: mono, 16-bit signed linear, little-endian in all of them, as in the original.
type form string

// The forms.
const (
	rtp         form = "rtp"         // RFC 3550 header, payload type 96
	sln         form = "sln"         // samples alone
	audiosocket form = "audiosocket" // Asterisk's: kind, length, payload
)

// payloadType is the original's, from the dynamic range.
const payloadType = 96

// breach is what ends a stream because the client has sent what cannot be understood.
type breach struct {
	code   websocket.StatusCode
	reason string
}

func (b *breach) Error() string { return b.reason }

func unreadable(format string, args ...any) error {
	return &breach{websocket.StatusInvalidFramePayloadData, fmt.Sprintf(format, args...)}
}

// errHungUp is the client's wish to end (audiosocket).
var errHungUp = &breach{websocket.StatusNormalClosure, "hung up"}

// kinds of an audiosocket frame with audio, by rate.
var audioKinds = map[int]byte{8000: 0x10, 16000: 0x12, 48000: 0x16}

// Other kinds of audiosocket frames.
const (
	kindHangup = 0x00
	kindID     = 0x01
	kindDigit  = 0x03
	kindError  = 0xff
)

// pack appends a frame to dst.
func (f form) pack(dst []byte, at ear.Stamp, rate int, pcm []int16) []byte {
	switch f {
	case rtp:
		head := [12]byte{0: 0x80, 1: payloadType}
		if at.Marker {
			head[1] |= 0x80
		}
		binary.BigEndian.PutUint16(head[2:], at.Sequence)
		binary.BigEndian.PutUint32(head[4:], at.Timestamp)
		dst = append(dst, head[:]...)
	case audiosocket:
		dst = append(dst, audioKinds[rate])
		dst = binary.BigEndian.AppendUint16(dst, uint16(2*len(pcm)))
	}
	for _, v := range pcm {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
	}
	return dst
}

// unpack hands the samples in a client's frame to sound. An error ends the stream.
func (f form) unpack(rate int, frame []byte, sound func(pcm []byte)) error {
	switch f {
	case rtp:
		return unpackRTP(frame, sound)
	case audiosocket:
		for len(frame) > 0 {
			rest, err := unpackTyped(rate, frame, sound)
			if err != nil {
				return err
			}
			frame = rest
		}
		return nil
	}
	return whole(frame, sound)
}

// whole checks that there are only whole samples.
func whole(pcm []byte, sound func([]byte)) error {
	if len(pcm)%2 != 0 {
		return unreadable("%d bytes of audio are no whole number of 16-bit samples", len(pcm))
	}
	sound(pcm)
	return nil
}

// unpackRTP takes the payload. Sequence and time stamp do not count: a WebSocket loses and swaps nothing, and what comes is played when it comes.
func unpackRTP(p []byte, sound func([]byte)) error {
	if len(p) < 12 || p[0]>>6 != 2 {
		return unreadable("a frame of %d bytes is no RTP packet (version 2)", len(p))
	}
	head := 12 + 4*int(p[0]&15)
	if p[0]&0x10 != 0 && len(p) >= head+4 {
		head += 4 + 4*int(binary.BigEndian.Uint16(p[head+2:]))
	} else if p[0]&0x10 != 0 {
		head = len(p) + 1
	}
	end := len(p)
	if p[0]&0x20 != 0 {
		end -= int(p[end-1])
		if p[len(p)-1] == 0 {
			head = end + 1
		}
	}
	if head > end {
		return unreadable("the header or padding of an RTP packet is longer than the packet")
	}
	return whole(p[head:end], sound)
}

// unpackTyped takes the first of what an audiosocket frame holds and returns the rest.
func unpackTyped(rate int, p []byte, sound func([]byte)) (rest []byte, err error) {
	if len(p) < 3 || len(p) < 3+int(binary.BigEndian.Uint16(p[1:])) {
		return nil, unreadable("an audiosocket frame is cut off")
	}
	end := 3 + int(binary.BigEndian.Uint16(p[1:]))
	switch kind := p[0]; kind {
	case audioKinds[rate]:
		return p[end:], whole(p[3:end], sound)
	case kindHangup:
		return nil, errHungUp
	case kindID, kindDigit, kindError:
		return p[end:], nil
	default:
		return nil, unreadable("audiosocket kind 0x%02x: audio at %d Hz is 0x%02x", kind, rate, audioKinds[rate])
	}
}
