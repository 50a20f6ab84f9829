package page

import (
	"bytes"
	"slices"
	"testing"

	"parley/internal/fault"
)

// TestSealed: with a key nothing of what was said or who was there can be read without it, and a changed head is noticed.
func TestSealed(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	closed := StreamOf("a", key)
	in := voice(2880, 1)
	b, err := AppendMark(nil, Head{Stream: closed}, Mark{Type: Join, Name: "Ada Lovelace"})
	if err != nil {
		t.Fatal(err)
	}
	b = AppendAudio(b, Head{Stream: closed, Number: 1, Lane: 1, Rate: 48000}, in)
	b = AppendBeat(b, Head{Stream: closed, Number: 2, Clock: 2880}, Life{Origin: 1})
	if bytes.Contains(b, []byte("Ada")) || bytes.Contains(b, pack(nil, in)[:32]) {
		t.Fatal("what was said stands open")
	}
	r := NewReader(bytes.NewReader(b), closed)
	p, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := p.Mark(); err != nil || m.Name != "Ada Lovelace" {
		t.Errorf("mark %+v, %v", m, err)
	}
	if p, err = r.Next(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Samples(nil); err != nil || !slices.Equal(got, in) {
		t.Errorf("audio differs, %v", err)
	}
	if tail, err := ReadTail(bytes.NewReader(b), int64(len(b)), closed); err != nil || tail.Number != 3 || tail.Life.Origin != 1 {
		t.Errorf("tail %+v, %v", tail, err)
	}
	for want, stream := range map[string]Stream{
		"RECORDING_KEY_MISSING": StreamOf("a", nil), "RECORDING_KEY_WRONG": StreamOf("a", bytes.Repeat([]byte{8}, 32)),
	} {
		_, err := NewReader(bytes.NewReader(b), stream).Next()
		if fault.ReasonOf(err) != want {
			t.Errorf("read with %v, want %s", err, want)
		}
	}
	// A page that stands for another time, with a checksum that fits.
	moved := AppendAudio(nil, Head{Stream: closed, Lane: 1, Rate: 48000}, in)
	moved[16] = 99
	le32(moved[44:], checksum(moved))
	if _, err := NewReader(bytes.NewReader(moved), closed).Next(); fault.ReasonOf(err) != "RECORDING_KEY_WRONG" {
		t.Errorf("a page that was moved is read: %v", err)
	}
}

func le32(b []byte, v uint32) {
	for i := range 4 {
		b[i] = byte(v >> (8 * i))
	}
}
