package page

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var stream = StreamOf("0x1234", nil)

func voice(n int, seed uint64) []int16 {
	r := rand.New(rand.NewPCG(seed, 1))
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(6000*math.Sin(float64(i)/9) + 300*r.NormFloat64())
	}
	return s
}

func TestPackIsLossless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := rapid.SampledFrom([]int{0, 1, 7, 300, 32768}).Draw(t, "scale")
		n := rapid.IntRange(0, 2000).Draw(t, "n")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		in := make([]int16, n)
		for i := range in {
			in[i] = int16(r.IntN(2*scale+1) - scale)
			if r.IntN(50) == 0 {
				in[i] = []int16{math.MinInt16, math.MaxInt16, 0}[r.IntN(3)]
			}
		}
		b := AppendAudio(nil, Head{Stream: stream, Rate: 8000}, in)
		p, err := NewReader(bytes.NewReader(b), stream).Next()
		if n == 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.Samples(nil)
		if err != nil || !slices.Equal(in, out) {
			t.Fatalf("%v: %d samples came back other than they were", err, n)
		}
		if len(b) > headLen+2*n {
			t.Fatalf("%d samples took %d bytes", n, len(b))
		}
	})
}

func TestPackSizes(t *testing.T) {
	for _, c := range []struct {
		name string
		s    []int16
		most int
	}{
		{"voice", voice(4800, 1), 2 * 4800 * 3 / 4},
		{"zeros", make([]int16, 4800), 40},
		{"constant", slices.Repeat([]int16{77}, 4800), 240},
	} {
		if n := len(AppendAudio(nil, Head{Rate: 48000}, c.s)) - headLen; n > c.most {
			t.Errorf("%s: %d bytes, want at most %d", c.name, n, c.most)
		}
	}
}

// capture writes pages and returns them with the offset of each.
func capture(t testing.TB, pages int) (b []byte, offsets []int) {
	t.Helper()
	for i := range pages {
		offsets = append(offsets, len(b))
		h := Head{Stream: stream, Clock: uint64(i) * 4800, Number: uint32(i), Lane: uint16(i % 3), Rate: 8000}
		switch {
		case i%7 == 3:
			var err error
			if b, err = AppendMark(b, h, Mark{Type: Join, Tag: "a"}); err != nil {
				t.Fatal(err)
			}
		case i%7 == 5:
			b = AppendBeat(b, h, Life{Skipped: 9})
		default:
			b = AppendAudio(b, h, voice(800, uint64(i)))
		}
	}
	return b, append(offsets, len(b))
}

func numbers(t testing.TB, r *Reader) (got []uint32) {
	t.Helper()
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Number)
	}
}

func TestDamageIsSkippedAndNamed(t *testing.T) {
	const pages = 40
	whole, offsets := capture(t, pages)
	for _, c := range []struct {
		name    string
		spoil   func(b []byte) []byte
		missing []uint32
	}{
		{"nothing", func(b []byte) []byte { return b }, nil},
		{"a bit of the payload", func(b []byte) []byte { b[offsets[8]+100] ^= 4; return b }, []uint32{8}},
		{"the magic", func(b []byte) []byte { b[offsets[0]] = 0; return b }, []uint32{0}},
		{"a length", func(b []byte) []byte { b[offsets[2]+42] = 9; return b }, []uint32{2}},
		{"zeros over three", func(b []byte) []byte { clear(b[offsets[10]+5 : offsets[12]+60]); return b }, []uint32{10, 11, 12}},
		{"cut in a page", func(b []byte) []byte { return b[:offsets[39]+30] }, []uint32{39}},
		{"cut in a payload", func(b []byte) []byte { return b[:offsets[39]+100] }, []uint32{39}},
		{"rubbish after the end", func(b []byte) []byte { return append(b, magic+"\x01\x01 and nothing more"...) }, nil},
		{"another's page", func(b []byte) []byte { b[offsets[4]+8] ^= 1; return b }, []uint32{4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := c.spoil(bytes.Clone(whole))
			r := NewReader(iotestOneByOne(b), stream)
			got := numbers(t, r)
			var want []uint32
			for i := range uint32(pages) {
				if !slices.Contains(c.missing, i) {
					want = append(want, i)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("read %v", got)
			}
			if changed := !bytes.Equal(b, whole); changed != (len(r.Damages()) == 1) {
				t.Fatalf("damages %+v", r.Damages())
			}
			tail, err := ReadTail(bytes.NewReader(b), int64(len(b)), stream)
			last := want[len(want)-1]
			if err != nil || tail.Number != last+1 || tail.Size != int64(offsets[last+1]) {
				t.Fatalf("%v: tail %+v, want page %d", err, tail, last)
			}
		})
	}
}

// iotestOneByOne gives its bytes in odd portions.
func iotestOneByOne(b []byte) io.Reader { return &portions{b: b} }

type portions struct {
	b []byte
	n int
}

func (p *portions) Read(dst []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	p.n = p.n%977 + 31
	n := copy(dst[:min(len(dst), p.n)], p.b)
	p.b = p.b[n:]
	return n, nil
}

func TestTailOfALongCapture(t *testing.T) {
	b := AppendBeat(nil, Head{Stream: stream, Clock: 960}, Life{Origin: 960, Skipped: 4800})
	noise := make([]int16, 48000)
	for i := range noise {
		noise[i] = int16(i * 7919)
	}
	for i := range 100 {
		b = AppendAudio(b, Head{Stream: stream, Clock: uint64(i+1) * 48000, Number: uint32(i + 1), Rate: 48000}, noise)
	}
	tail, err := ReadTail(bytes.NewReader(b), int64(len(b)), stream)
	if err != nil || !tail.Begun || tail.Clock != 101*48000 || tail.Life.Skipped != 4800 || tail.Number != 101 {
		t.Fatalf("%v: %+v", err, tail)
	}
	all, kept := tail.Life.Length(tail.Clock)
	if all != 101*48000-960 || kept != all-4800 {
		t.Fatalf("length %d, %d", all, kept)
	}
}

func FuzzReader(f *testing.F) {
	b, offsets := capture(f, 12)
	f.Add(b)
	f.Add(b[:offsets[3]+60])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b), stream)
		var total int64
		for {
			p, err := r.Next()
			if err != nil {
				break
			}
			total += int64(p.Size)
			_, _ = p.Samples(nil)
			_, _ = p.Mark()
			_, _ = p.Life()
		}
		for _, d := range r.Damages() {
			total += d.Bytes
		}
		if total != int64(len(b)) {
			t.Fatalf("%d of %d bytes are accounted for", total, len(b))
		}
		if _, err := ReadTail(bytes.NewReader(b), int64(len(b)), stream); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(pack(nil, voice(320, 3)), 320)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		unpack(make([]int16, min(max(n, 0), maxSamples)), b)
	})
}

func BenchmarkPack(b *testing.B) {
	s := voice(4800, 1)
	var dst []byte
	b.SetBytes(9600)
	for b.Loop() {
		dst = pack(dst[:0], s)
	}
}

func BenchmarkUnpack(b *testing.B) {
	packed, dst := pack(nil, voice(4800, 1)), make([]int16, 4800)
	b.SetBytes(9600)
	for b.Loop() {
		if !unpack(dst, packed) {
			b.Fatal("damaged")
		}
	}
}
