package decode

import (
	"bytes"
	"encoding/binary"

	"parley/internal/audio"
	"parley/internal/codec"
)

// opusClock is that of granule positions and of the pre-skip, whatever the rate (RFC 7845 section 4).
const opusClock = 48000

// opusFile decodes the first stream of Opus in an Ogg file, and those that are chained to it (RFC 7845, RFC 3533 section 4).
type opusFile struct {
	out     *sink
	decoder codec.Decoder
	gain    float32
	rate    int
	serial  uint32
	open    bool  // a stream runs
	headers int   // packets of headers to come
	skip    int64 // samples at opusClock that are not to be heard
	clock   int64 // the granule position of the samples decoded so far
	known   bool  // the first page of sound has told where clock begins
	pending []int16
	good    int // packets
}

func readOgg(data []byte, out *sink) error {
	f := &opusFile{out: out}
	var left []byte
	for page, rest, ok := nextPage(data); ok; page, rest, ok = nextPage(rest) {
		if page.flags&oggFirst != 0 && !f.open {
			begun, err := f.begin(page)
			if err != nil {
				return err
			}
			if left = nil; begun {
				continue
			}
		}
		if !f.open || page.serial != f.serial {
			continue
		}
		var err error
		if left, err = page.packets(left, f.packet); err != nil {
			return err
		}
		if err := f.endPage(page); err != nil {
			return err
		}
	}
	if f.good == 0 {
		return unreadable("there is no Opus in the Ogg file: convert it to Ogg Opus, WAV or MP3")
	}
	return nil
}

// begin looks at the first page of a stream; other streams than Opus are passed over.
func (f *opusFile) begin(page oggPage) (bool, error) {
	head := page.body
	if !bytes.HasPrefix(head, []byte("OpusHead")) || len(head) < 19 || head[8] > 15 {
		return false, nil
	}
	if channels := head[9]; channels != 1 && channels != 2 || head[18] != 0 {
		return false, unreadable("the Ogg file has %d channels of mapping family %d: convert it to mono or stereo", channels, head[18])
	}
	le := binary.LittleEndian
	f.rate = opusClock
	// Opus can be decoded at each of our rates; a narrow source needs no wide one.
	for i := len(rates) - 1; i >= 0 && rates[i] >= int(le.Uint32(head[12:])) && le.Uint32(head[12:]) > 0; i-- {
		f.rate = rates[i]
	}
	format, _ := codec.Find("opus")
	var err error
	if f.decoder, err = codec.NewDecoder(format, f.rate); err != nil {
		return false, err
	}
	if err := f.out.start(f.rate); err != nil {
		return false, err
	}
	f.gain = audio.DB(float64(int16(le.Uint16(head[16:]))) / 256)
	f.serial, f.open, f.headers, f.known, f.clock = page.serial, true, 1, false, 0
	f.skip = int64(le.Uint16(head[10:]))
	return true, nil
}

// packet decodes one packet. What cannot be decoded is left out, as if it had never come.
func (f *opusFile) packet(packet []byte, _ bool) error {
	if f.headers > 0 {
		f.headers--
		return nil
	}
	at := len(f.pending)
	f.pending = append(f.pending, make([]int16, f.rate*120/1000)...)
	n, err := f.decoder.Decode(f.pending[at:], packet)
	if err != nil {
		n = 0
	} else {
		f.good++
	}
	f.pending = f.pending[:at+n]
	if len(f.pending) > 8*f.rate { // a page may not end for long
		return f.flush(0)
	}
	return nil
}

// endPage hands on what was decoded of a page. The last one may end before its last packet does (RFC 7845 section 4.4); the first one may begin
// at another time than 0 (section 4.3).
func (f *opusFile) endPage(page oggPage) error {
	unit := int64(opusClock / f.rate)
	last := page.flags&oggLast != 0
	var cut int64
	if page.granule >= 0 && len(f.pending) > 0 {
		end := f.clock + int64(len(f.pending))*unit
		if !f.known && !last {
			f.clock += max(page.granule-end, 0)
			end = f.clock + int64(len(f.pending))*unit
		}
		f.known = true
		if last {
			cut = min(max(end-page.granule, 0)/unit, int64(len(f.pending)))
		}
	}
	if last {
		f.open = false
	}
	return f.flush(int(cut))
}

// flush hands on what is pending without the last samples of it.
func (f *opusFile) flush(cut int) error {
	unit := int64(opusClock / f.rate)
	f.clock += int64(len(f.pending)) * unit
	sound := f.pending[:len(f.pending)-cut]
	if n := min(f.skip/unit, int64(len(sound))); n > 0 {
		sound = sound[n:]
		f.skip -= n * unit
	}
	audio.Gain(sound, f.gain)
	f.pending = f.pending[:0]
	if len(sound) == 0 {
		return nil
	}
	return f.out.write(sound)
}
