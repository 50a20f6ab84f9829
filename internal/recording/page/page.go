package page

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"

	"parley/internal/fault"
)

// Kind says what a page holds.
type Kind uint8

// The kinds. Beats say that the capture lived at their clock although nobody was heard, and how much was skipped until then.
const (
	Audio Kind = 1 + iota
	Marks
	Beat
)

// Limits and units of the format.
const (
	Clock   = 48000    // units of a page's clock in a second
	Tick    = 960      // of the clock: 20 ms, the grid on which audio stands
	Cell    = 3 * Tick // from the origin on: a run of samples ends with its cell, and the pages of a cell stand before those of the next
	Player  = 0        // the lane of the room's players; people have those from 1 on
	headLen = 48
	version = 1

	maxPayload = 1 << 20
	maxSamples = 1 << 16
	maxMark    = maxPayload - 64 // leaves room for encryption
	// Max is the largest page in bytes.
	Max = headLen + maxPayload
)

const magic = "\x89PLR"

// The codings of a payload.
const (
	plain  = 0 // JSON, or 16-bit little-endian samples
	packed = 2 // see pack.go
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Head is what every page says of itself.
type Head struct {
	Kind   Kind
	Stream Stream // pages of another capture are no pages of this one
	Clock  uint64 // of the first sample, or when it happened, on the room's clock
	Number uint32 // counts the pages of a capture from 0 on
	Lane   uint16
	Rate   int // of the samples, in Hz
	Count  int // samples
}

// Page is one page as it was read. Its payload is valid until the next one is read.
type Page struct {
	Head
	Offset  int64 // in the file
	Size    int   // in bytes, with its head
	coding  uint8
	payload []byte
}

// End returns the clock right after the page's last sample.
func (h Head) End() uint64 {
	if h.Rate <= 0 {
		return h.Clock
	}
	return h.Clock + uint64(h.Count)*Clock/uint64(h.Rate)
}

// AppendAudio appends a page of up to 65,536 samples to dst. They are packed without loss, and stored as they are where that is shorter.
func AppendAudio(dst []byte, h Head, samples []int16) []byte {
	samples = samples[:min(len(samples), maxSamples)]
	h.Kind, h.Count = Audio, len(samples)
	start := len(dst)
	dst = append(dst, make([]byte, headLen)...)
	dst = pack(dst, samples)
	coding := uint8(packed)
	if len(dst)-start-headLen >= 2*len(samples) {
		coding = plain
		dst = dst[:start+headLen]
		for _, v := range samples {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(v))
		}
	}
	return seal(dst, start, h, coding)
}

// AppendMark appends a page with what happened at h.Clock.
func AppendMark(dst []byte, h Head, m Mark) ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return dst, fmt.Errorf("write mark %s: %w", m.Type, err)
	}
	if len(data) > maxMark {
		return dst, fault.New(fault.Invalid, "RECORDING_MARK_TOO_LONG", "mark %s has %d bytes: a page holds %d", m.Type, len(data), maxMark)
	}
	h.Kind, h.Count, h.Rate = Marks, 0, 0
	start := len(dst)
	dst = append(dst, make([]byte, headLen)...)
	return seal(append(dst, data...), start, h, plain), nil
}

// Life is what a beat says.
type Life struct {
	Origin  uint64 // clock of the first tick
	Skipped uint64 // clock units that pauses took out until the beat
	Pause   uint64 // clock at which a pause began that skips and still lasts; 0 when none does, else one more than the clock
}

// AppendBeat appends a beat.
func AppendBeat(dst []byte, h Head, l Life) []byte {
	h.Kind, h.Count, h.Rate = Beat, 0, 0
	start := len(dst)
	dst = append(dst, make([]byte, headLen)...)
	dst = binary.LittleEndian.AppendUint64(dst, l.Origin)
	dst = binary.LittleEndian.AppendUint64(dst, l.Skipped)
	dst = binary.LittleEndian.AppendUint64(dst, l.Pause)
	return seal(dst, start, h, plain)
}

// seal fills in the head that begins at start, whose payload reaches to the end of dst.
func seal(dst []byte, start int, h Head, coding uint8) []byte {
	b := dst[start:]
	copy(b, magic)
	b[4], b[5], b[6], b[7] = version, byte(h.Kind), coding, 0
	le := binary.LittleEndian
	le.PutUint64(b[8:], h.Stream.mark)
	le.PutUint64(b[16:], h.Clock)
	le.PutUint32(b[24:], h.Number)
	le.PutUint16(b[28:], h.Lane)
	le.PutUint16(b[30:], 0)
	le.PutUint32(b[32:], uint32(h.Rate))
	le.PutUint32(b[36:], uint32(h.Count))
	if h.Stream.secret != nil && h.Kind != Beat {
		b[7] = sealed
		dst = h.Stream.hide(dst, start, start+headLen)
		b = dst[start:]
	}
	le.PutUint32(b[40:], uint32(len(b)-headLen))
	le.PutUint32(b[44:], checksum(b))
	return dst
}

func checksum(b []byte) uint32 {
	return crc32.Update(crc32.Checksum(b[:44], castagnoli), castagnoli, b[headLen:])
}

// need returns how many bytes the page that begins b has; 0 when none begins there. b holds a head at least.
func need(b []byte) int {
	if string(b[:4]) != magic || b[4] != version {
		return 0
	}
	le := binary.LittleEndian
	length, count, rate := le.Uint32(b[40:]), le.Uint32(b[36:]), le.Uint32(b[32:])
	if length > maxPayload || count > maxSamples || rate > 192000 || (count > 0) != (rate > 0) {
		return 0
	}
	return headLen + int(length)
}

// open returns the page that b is, false when it is damaged or of another stream.
func open(b []byte, stream Stream) (Page, bool) {
	le := binary.LittleEndian
	if le.Uint32(b[44:]) != checksum(b) || le.Uint64(b[8:]) != stream.mark {
		return Page{}, false
	}
	p := Page{Size: len(b), coding: b[6], payload: b[headLen:]}
	p.Head = Head{
		Kind: Kind(b[5]), Stream: stream, Clock: le.Uint64(b[16:]), Number: le.Uint32(b[24:]),
		Lane: le.Uint16(b[28:]), Rate: int(le.Uint32(b[32:])), Count: int(le.Uint32(b[36:])),
	}
	return p, true
}

// known reports whether the payload's coding is one of this version.
func (p Page) known() bool { return p.coding == plain || p.coding == packed && p.Kind == Audio }

func unknownFormat(number uint32, version int, coding uint8) error {
	return fault.New(fault.Conflict, "RECORDING_FORMAT_UNKNOWN",
		"page %d of this capture has version %d and coding %d, which this build cannot read: keep the file and read it with the build that wrote it", number, version, coding)
}

// Samples decodes a page of audio into dst, which it grows when needed, and returns its samples.
func (p Page) Samples(dst []int16) ([]int16, error) {
	if cap(dst) < p.Count {
		dst = make([]int16, p.Count)
	}
	dst = dst[:p.Count]
	switch {
	case p.Kind != Audio:
		return nil, broken(p, "is no page of audio")
	case p.coding == packed:
		if !unpack(dst, p.payload) {
			return nil, broken(p, "does not hold the samples that it claims")
		}
	case p.coding == plain && len(p.payload) == 2*p.Count:
		for i := range dst {
			dst[i] = int16(binary.LittleEndian.Uint16(p.payload[2*i:]))
		}
	default:
		return nil, broken(p, "has a coding that this version does not know")
	}
	return dst, nil
}

// Mark returns what a page of marks says.
func (p Page) Mark() (m Mark, err error) {
	if p.Kind != Marks {
		return m, broken(p, "is no mark")
	}
	if err := json.Unmarshal(p.payload, &m); err != nil {
		return m, broken(p, "is no mark: "+err.Error())
	}
	m.Clock, m.Lane = p.Clock, p.Lane
	return m, nil
}

// Life returns what a beat says, false when it is none.
func (p Page) Life() (l Life, ok bool) {
	if p.Kind != Beat || len(p.payload) < 24 {
		return l, false
	}
	le := binary.LittleEndian
	return Life{Origin: le.Uint64(p.payload), Skipped: le.Uint64(p.payload[8:]), Pause: le.Uint64(p.payload[16:])}, true
}

func broken(p Page, what string) error {
	return fault.New(fault.Internal, "RECORDING_PAGE_DAMAGED", "page %d at byte %d %s: it is skipped", p.Number, p.Offset, what)
}
