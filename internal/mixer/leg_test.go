package mixer

import (
	"errors"
	"math"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
)

// fakeLeg speaks a tone and decodes what it hears.
type fakeLeg struct {
	format  codec.Format
	agreed  bool
	ready   bool
	hz      float64 // 0: silent
	dbov    float64
	refuse  int // the rate that SetRate refuses
	rate    int
	loss    int
	tone    *audio.Tone
	decoder codec.Decoder
	decode  bool

	sends, skips int
	heard        []int16
	last         []byte
}

func newLeg(t testing.TB, name string, hz float64) *fakeLeg {
	t.Helper()
	f, ok := codec.Find(name)
	if !ok {
		t.Fatalf("no codec %s", name)
	}
	d, err := codec.NewDecoder(f, f.SampleRate)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeLeg{format: f, agreed: true, ready: true, hz: hz, dbov: -20, decoder: d, decode: true, last: make([]byte, 0, codec.MaxPayload)}
}

func (l *fakeLeg) SetRate(rate int) error {
	if rate == l.refuse {
		return errors.New("refused")
	}
	l.rate = rate
	l.tone = audio.NewTone(l.hz, l.dbov, rate, 0)
	return nil
}

func (l *fakeLeg) Pull(dst []int16, _ time.Duration) bool {
	if len(dst) != audio.FrameSamples(l.rate) {
		panic("frame of another rate")
	}
	if l.hz == 0 {
		return false
	}
	l.tone.Read(dst)
	return true
}

func (l *fakeLeg) Format() (codec.Format, bool) { return l.format, l.agreed }

func (l *fakeLeg) Ready() bool { return l.ready }

func (l *fakeLeg) Loss() int { return l.loss }

func (l *fakeLeg) Send(payload []byte) {
	if payload == nil {
		l.skips++
		return
	}
	l.sends++
	l.last = append(l.last[:0], payload...)
	if !l.decode {
		return
	}
	var buf [5760]int16
	n, err := l.decoder.Decode(buf[:], payload)
	if err != nil {
		panic(err)
	}
	l.heard = append(l.heard, buf[:n]...)
}

func (l *fakeLeg) forget() { l.heard = l.heard[:0] }

// level returns the strength of a tone in what was heard, dBov of RFC 6464 (a full sine has -3).
func (l *fakeLeg) level(hz float64) float64 {
	return toneLevel(l.heard, hz, l.format.SampleRate)
}

func toneLevel(x []int16, hz float64, rate int) float64 {
	if len(x) == 0 {
		return math.Inf(-1)
	}
	var re, im float64
	for i, v := range x {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(x)))
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += w * float64(v) * c
		im += w * float64(v) * s
	}
	amplitude := 4 * math.Hypot(re, im) / float64(len(x))
	return 20*math.Log10(amplitude/32768+1e-9) - 3.01
}

func enter(t testing.TB, r *Room, l *fakeLeg, o Options) *Port {
	t.Helper()
	p, err := r.Enter(l, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var clock time.Duration

func ticks(r *Room, n int) {
	for range n {
		clock += 20 * time.Millisecond
		r.Tick(clock)
	}
}
