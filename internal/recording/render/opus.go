package render

import (
	"encoding/binary"
	"fmt"
	"io"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
)

// opus writes Opus in Ogg (RFC 7845). Each channel is a mono stream of its own; several of them make a packet together (RFC 6716 appendix B).
type opus struct {
	out     ogg
	voices  []opusVoice
	packet  []byte
	zeros   []int16
	ticks   uint64
	pending int // packets on the page
}

// opusVoice is the encoder of one channel.
type opusVoice struct {
	enc     codec.Encoder
	buf     []byte
	silent  int // ticks
	silence []byte
}

const (
	// opusPreSkip is how far libopus looks ahead, in samples at 48 kHz: 6.5 ms at every rate.
	opusPreSkip = 312
	opusTick    = 960
	// opusSettled is after how many silent ticks an encoder has nothing left to say.
	opusSettled = 25
	perPage     = 50
)

func newOgg(w io.Writer, rate, channels int, serial uint32) (*opus, error) {
	o := &opus{out: ogg{w: w, serial: serial}, zeros: make([]int16, audio.FrameSamples(rate))}
	format, ok := codec.Find("opus")
	if !ok {
		return nil, fault.New(fault.Internal, "CODEC_UNKNOWN", "there is no Opus in this program")
	}
	for range channels {
		enc, err := codec.NewEncoder(format, rate)
		if err != nil {
			return nil, fmt.Errorf("open Opus: %w", err)
		}
		o.voices = append(o.voices, opusVoice{enc: enc, buf: make([]byte, codec.MaxPayload)})
	}
	if err := o.head(opusHead(rate, channels), oggFirst); err != nil {
		return nil, err
	}
	return o, o.head(opusTags(), 0)
}

// head writes a header, which has pages of its own.
func (o *opus) head(packet []byte, flags byte) error {
	if err := o.out.packet(packet, 0); err != nil {
		return err
	}
	return o.out.flush(flags)
}

// opusHead is the identification header. One channel is family 0; two are left and right of family 1, where they need not be coupled; more
// are family 255, channels without places.
func opusHead(rate, channels int) []byte {
	le := binary.LittleEndian
	b := append([]byte("OpusHead\x01"), byte(channels))
	b = le.AppendUint16(b, opusPreSkip)
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint16(b, 0)
	switch channels {
	case 1:
		return append(b, 0)
	case 2:
		b = append(b, 1)
	default:
		b = append(b, 255)
	}
	b = append(b, byte(channels), 0)
	for i := range channels {
		b = append(b, byte(i))
	}
	return b
}

func opusTags() []byte {
	const vendor = "Parley"
	b := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	b = append(b, vendor...)
	return binary.LittleEndian.AppendUint32(b, 0)
}

func (o *opus) frames(channels [][]int16) error {
	o.ticks++
	return o.encode(channels, o.ticks*opusTick)
}

// encode writes one packet that ends at granule.
func (o *opus) encode(channels [][]int16, granule uint64) error {
	if o.pending == perPage {
		// Only now: the last page must have the mark of the end, and nobody knows before close which it is.
		if err := o.out.flush(0); err != nil {
			return err
		}
		o.pending = 0
	}
	o.packet = o.packet[:0]
	for i, frame := range channels {
		p, err := o.voices[i].encode(frame, o.zeros)
		if err != nil {
			return err
		}
		if o.packet, err = appendStream(o.packet, p, i == len(channels)-1); err != nil {
			return err
		}
	}
	o.pending++
	return o.out.packet(o.packet, granule)
}

// encode encodes a frame, nil for silence. Long silence repeats one packet, and the encoder begins anew after it.
func (v *opusVoice) encode(frame, zeros []int16) ([]byte, error) {
	if frame == nil {
		v.silent++
		if v.silent > opusSettled && v.silence != nil {
			return v.silence, nil
		}
		frame = zeros
	} else {
		if v.silent > opusSettled {
			v.enc.Reset()
		}
		v.silent = 0
	}
	n, err := v.enc.Encode(v.buf, frame)
	if err != nil {
		return nil, fmt.Errorf("encode Opus: %w", err)
	}
	if v.silent == opusSettled {
		v.silence = append(v.silence[:0], v.buf[:n]...)
	}
	return v.buf[:n], nil
}

// appendStream adds one stream's packet; all but the last say how long they are. Frames of 20 ms are alone in their packets.
func appendStream(dst, p []byte, last bool) ([]byte, error) {
	if last {
		return append(dst, p...), nil
	}
	if p[0]&3 != 0 {
		return nil, fault.New(fault.Internal, "OPUS_FAILED", "opus: a packet of 20 ms has several frames")
	}
	n := len(p) - 1
	dst = append(dst, p[0])
	if n < 252 {
		dst = append(dst, byte(n))
	} else {
		first := 252 + n&3
		dst = append(dst, byte(first), byte((n-first)>>2))
	}
	return append(dst, p[1:]...), nil
}

// close encodes what the encoder still holds back, and marks where the sound ends within the last packet.
func (o *opus) close() error {
	end := o.ticks*opusTick + opusPreSkip
	if err := o.encode(make([][]int16, len(o.voices)), end); err != nil {
		return err
	}
	return o.out.flush(oggLast)
}
