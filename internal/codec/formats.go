package codec

import (
	"encoding/binary"
	"strings"

	"parley/internal/fault"
)

// Formats are the codecs that we offer, in order of preference. Nobody changes it.
var Formats = []Format{
	{Name: opusName, PayloadType: 111, ClockRate: 48000, SampleRate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1"},
	{Name: "G722", PayloadType: 9, ClockRate: 8000, SampleRate: 16000, Channels: 1},
	{Name: "PCMU", PayloadType: 0, ClockRate: 8000, SampleRate: 8000, Channels: 1},
	{Name: "PCMA", PayloadType: 8, ClockRate: 8000, SampleRate: 8000, Channels: 1},
	{Name: "L16", PayloadType: 112, ClockRate: 16000, SampleRate: 16000, Channels: 1},
	{Name: "L16", PayloadType: 113, ClockRate: 8000, SampleRate: 8000, Channels: 1},
}

const opusName = "opus"

// Find returns the first of Formats with this encoding name, in any case (RFC 8866 section 6.6 compares names without case).
func Find(name string) (Format, bool) {
	for _, f := range Formats {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Format{}, false
}

// Rate returns the audio rate in Hz at which a codec of this format is to be opened in a room that mixes at room Hz: the
// room's own where the codec can do it, its native rate otherwise, and then the mixer resamples.
func (f Format) Rate(room int) int {
	if strings.EqualFold(f.Name, opusName) && opusRate(room) {
		return room
	}
	return f.SampleRate
}

// NewDecoder makes a decoder of a format that gives audio at rate Hz. Opus takes 8000, 12000, 16000, 24000 and 48000; every
// other format only its native rate. It refuses with CODEC_UNKNOWN or CODEC_RATE_UNSUPPORTED.
func NewDecoder(f Format, rate int) (Decoder, error) {
	name, err := check(f, rate)
	if err != nil {
		return nil, err
	}
	switch name {
	case "PCMU":
		return newG711Decoder(&muDecode), nil
	case "PCMA":
		return newG711Decoder(&aDecode), nil
	case "G722":
		return newG722Decoder(), nil
	case "L16":
		return newL16Decoder(rate), nil
	default:
		return newOpusDecoder(rate)
	}
}

// NewEncoder makes an encoder of a format that takes audio at rate Hz, with the rates and refusals of NewDecoder. For Opus
// it is an *OpusEncoder.
func NewEncoder(f Format, rate int) (Encoder, error) {
	name, err := check(f, rate)
	if err != nil {
		return nil, err
	}
	switch name {
	case "PCMU":
		return muEncoder{}, nil
	case "PCMA":
		return aEncoder{}, nil
	case "G722":
		return newG722Encoder(), nil
	case "L16":
		return l16Encoder{rate: rate}, nil
	default:
		return newOpusEncoder(rate)
	}
}

// check returns the canonical name of a format that can be opened at rate.
func check(f Format, rate int) (string, error) {
	known := false
	for _, own := range Formats {
		if !strings.EqualFold(own.Name, f.Name) {
			continue
		}
		known = true
		if f.ClockRate != 0 && f.ClockRate != own.ClockRate {
			continue
		}
		if rate == own.SampleRate || own.Name == opusName && opusRate(rate) {
			return own.Name, nil
		}
	}
	if !known {
		return "", fault.New(fault.Invalid, "CODEC_UNKNOWN", "codec %q is not supported: use opus, G722, PCMU, PCMA or L16", f.Name)
	}
	return "", fault.New(fault.Invalid, "CODEC_RATE_UNSUPPORTED", "codec %s cannot run at %d Hz: open it at %d Hz and resample", f.Name, rate, f.SampleRate)
}

// frameSamples is the length of one frame of 20 ms.
func frameSamples(rate int) int { return rate / 50 }

// Refusals of the media path are made once: a hostile stream must not cost an allocation per packet.
var (
	errEmpty error = fault.New(fault.Invalid, "MEDIA_PAYLOAD_EMPTY", "payload is empty: drop the packet")
	errLong  error = fault.New(fault.Invalid, "MEDIA_PAYLOAD_TOO_LONG", "payload holds more audio than fits: drop the packet")
	errOdd   error = fault.New(fault.Invalid, "MEDIA_PAYLOAD_INVALID", "payload is not a valid one of its codec: drop the packet")
	errFrame error = fault.New(fault.Invalid, "MEDIA_FRAME_INVALID", "frame is not 20 ms long at the encoder's rate, or the room for its payload is too short")
)

// Silent reports, without decoding, that a payload is digital silence: G.711 of the smallest magnitude only, L16 of zeros, an
// Opus packet of discontinuous transmission (at most two bytes). False means that nobody knows, not that there is sound.
// The name counts as Formats spell it. Who skips Decode for silence must play silence, not Conceal, for packets lost right after it.
func Silent(f Format, payload []byte) bool {
	if len(payload) == 0 {
		return false
	}
	switch f.Name {
	case "PCMU":
		return all(payload, 0x7f, 0x7f)
	case "PCMA":
		return all(payload, 0x7f, 0x55)
	case "L16":
		return all(payload, 0xff, 0)
	case opusName:
		return len(payload) <= 2
	}
	return false
}

// all reports whether every byte of p is want under mask, eight at a time.
func all(p []byte, mask, want byte) bool {
	const ones = 0x0101010101010101
	mask8, want8 := uint64(mask)*ones, uint64(want)*ones
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p)&mask8 != want8 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b&mask != want {
			return false
		}
	}
	return true
}
