package ear

import (
	"math"
	"testing"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/mixer"
)

// voice is a leg that speaks a tone.
type voice struct {
	hz   float64
	tone *audio.Tone
}

func (v *voice) SetRate(rate int) error {
	v.tone = audio.NewTone(v.hz, -20, rate, 0)
	return nil
}

func (v *voice) Pull(dst []int16, _ time.Duration) bool {
	v.tone.Read(dst)
	return true
}
func (*voice) Format() (codec.Format, bool) { return codec.Find("PCMU") }
func (*voice) Ready() bool                  { return true }
func (*voice) Send([]byte)                  {}
func (*voice) Loss() int                    { return 0 }

// power is how much of a frequency there is.
func power(pcm []int16, hz float64, rate int) float64 {
	var re, im float64
	for i, v := range pcm {
		a := 2 * math.Pi * hz * float64(i) / float64(rate)
		re, im = re+float64(v)*math.Cos(a), im+float64(v)*math.Sin(a)
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

// TestSides: of two who talk, one port's ear hears what its side is, and what its owner sends itself in none.
func TestSides(t *testing.T) {
	for _, tt := range []struct {
		name         string
		side         Side
		voice, heard bool
	}{{"both", Both, true, true}, {"voice", Voice, true, false}, {"heard", Heard, false, true}, {"nothing", Nothing, false, false}} {
		t.Run(tt.name, func(t *testing.T) {
			r := mixer.New()
			for tag, hz := range map[string]float64{"caller": 500, "other": 1100} {
				if _, err := r.Enter(&voice{hz: hz}, mixer.Options{Tag: tag}); err != nil {
					t.Fatal(err)
				}
			}
			in, err := mixer.NewInlet(8000, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.AddPlayer(in, nil); err != nil {
				t.Fatal(err)
			}
			ring, speech, sent := mixer.NewRing(""), NewSpeech(8000), audio.NewTone(1700, -20, 8000, 0)
			r.AddTap(New(ring, in, "caller", tt.side))
			var all, buf []int16
			for range 40 {
				buf = append(buf[:0], make([]int16, 160)...)
				sent.Read(buf)
				in.Write(buf)
				r.Tick(0)
				f, ok := ring.Next(make([]int16, Samples))
				if !ok {
					t.Fatal("no frame of a tick")
				}
				pcm, _, err := speech.Frame(f)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, pcm...)
			}
			all = all[len(all)-3200:]
			for hz, want := range map[float64]bool{500: tt.voice, 1100: tt.heard, 1700: false} {
				if got := power(all, hz, 8000); (got > 1000) != want || !want && got > 100 {
					t.Errorf("%v Hz: amplitude %.0f", hz, got)
				}
			}
		})
	}
}

// TestPause: a pause is time that passes, in which nothing is sent.
func TestPause(t *testing.T) {
	s := NewSpeech(8000)
	stamp := func(clock uint64) Stamp {
		_, at, err := s.Frame(mixer.Frame{Clock: clock, Rate: 8000})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	first, second := stamp(48000), stamp(48960)
	s.Pause(time.Second)
	third := stamp(960) // of another room
	if !first.Marker || second.Marker || !third.Marker {
		t.Errorf("markers: %v %v %v", first, second, third)
	}
	if second.Timestamp-first.Timestamp != 160 || third.Timestamp-second.Timestamp != 8160 || third.Sequence != first.Sequence+2 {
		t.Errorf("stamps: %v %v %v", first, second, third)
	}
}

// TestEarAllocatesNothing: it works in the media loop.
func TestEarAllocatesNothing(t *testing.T) {
	in, err := mixer.NewInlet(16000, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"", "nobody"} {
		r := mixer.New()
		if err := r.AddPlayer(in, nil); err != nil {
			t.Fatal(err)
		}
		r.AddTap(New(mixer.NewRing(""), in, tag, Both))
		sound := make([]int16, 320)
		for range 5 {
			in.Write(sound)
		}
		if n := testing.AllocsPerRun(200, func() {
			in.Write(sound)
			r.Tick(0)
		}); n != 0 {
			t.Errorf("%q: %v allocations per tick", tag, n)
		}
	}
}
