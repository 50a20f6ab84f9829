package render_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/audio"
	"parley/internal/codec"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording/capture"
	"parley/internal/recording/page"
	"parley/internal/recording/render"
)

const tickTime = 20 * time.Millisecond

// talker is a leg that talks in bursts, loud enough to make limiters work, and hears nothing.
type talker struct {
	format string
	rate   int
	rng    *rand.Rand
	burst  int // ticks left; negative while silent
	phase  float64
	quiet  bool // in the last tick
}

func newTalker(format string, seed uint64) *talker {
	return &talker{format: format, rng: rand.New(rand.NewPCG(seed, 7))}
}

func (l *talker) SetRate(rate int) error       { l.rate = rate; return nil }
func (l *talker) Format() (codec.Format, bool) { return codec.Find(l.format) }
func (l *talker) Ready() bool                  { return false }
func (l *talker) Send([]byte)                  {}
func (l *talker) Loss() int                    { return 0 }

func (l *talker) Pull(dst []int16, _ time.Duration) bool {
	if l.burst == 0 {
		l.burst = l.rng.IntN(60) - 25
	}
	if l.burst < 0 {
		l.burst++
		l.quiet = true
		return false
	}
	l.burst, l.quiet = max(l.burst-1, 0), false
	for i := range dst {
		l.phase += 0.05 + 0.02*l.rng.Float64()
		dst[i] = int16(26000 * math.Sin(l.phase))
	}
	return true
}

// heard is a tap that keeps what listeners hear, and who said what of it, nil for silence.
type heard struct {
	mix  [][]int16
	said map[string][][]int16
}

func (h *heard) See(m mixer.Moment) {
	h.mix = append(h.mix, slices.Clone(m.Mix))
	for _, v := range m.Voices {
		h.said[v.Tag] = append(h.by(v.Tag), slices.Clone(v.Frame))
	}
}

// by returns what was said under a tag in the ticks before this one.
func (h *heard) by(tag string) [][]int16 {
	said := h.said[tag]
	return append(said, make([][]int16, len(h.mix)-1-len(said))...)
}

// stage is a room with a capture.
type stage struct {
	t    *testing.T
	dir  string
	room *mixer.Room
	c    *capture.Capture
	live heard
	now  time.Duration
}

const id = "0b7f6a52-1f0e-4f6c-9a7d-0d5b1b8f5a11"

func newStage(t *testing.T) *stage {
	s := &stage{t: t, dir: t.TempDir(), room: mixer.New(), live: heard{said: map[string][][]int16{}}}
	c, err := capture.Start(capture.Options{Dir: s.dir, ID: id, MinFree: 1, Meta: []byte(`{"room":"x"}`)})
	if err != nil {
		t.Fatal(err)
	}
	s.c = c
	s.room.Skip(77)
	s.room.AddTap(c)
	s.room.AddTap(&s.live)
	return s
}

func (s *stage) enter(tag string, l *talker) *mixer.Port {
	p, err := s.room.Enter(l, mixer.Options{Tag: tag})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.c.Join(capture.Lane{Tag: tag, Name: "name of " + tag, Codec: l.format}); err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *stage) run(ticks int) {
	for range ticks {
		s.room.Tick(s.now)
		s.now += tickTime
		time.Sleep(tickTime)
	}
}

func (s *stage) stop() *render.Recording {
	s.room.RemoveTap(s.c)
	s.c.Stop("")
	if r := s.c.Result(); r.Reason != capture.Stopped || r.Error != "" || r.Gaps != 0 {
		s.t.Fatalf("%+v", r)
	}
	return s.open()
}

func (s *stage) open() *render.Recording {
	r, err := render.Open(capture.Path(s.dir, id), id, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.Close() })
	return r
}

// samples renders a WAV and returns its samples.
func samples(t *testing.T, r *render.Recording, what render.Rendition) ([]int16, render.Made) {
	t.Helper()
	var b bytes.Buffer
	what.Format = render.WAV
	made, err := r.Render(context.Background(), &b, what)
	if p := r.Progress(); err == nil && r.Length() > 0 && p != 1 {
		t.Errorf("%v is made of all", p)
	}
	if err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != made.Size {
		t.Fatalf("size %d of %d", made.Size, b.Len())
	}
	head := 44
	if made.Channels > 2 {
		head = 68
	}
	if claimed := int(binary.LittleEndian.Uint32(b.Bytes()[head-4:])); claimed != b.Len()-head {
		t.Fatalf("header claims %d bytes of %d", claimed, b.Len()-head)
	}
	out := make([]int16, (b.Len()-head)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b.Bytes()[head+2*i:]))
	}
	return out, made
}

// join puts frames of one rate together, nil as silence.
func join(frames [][]int16, rate int) (out []int16) {
	for _, f := range frames {
		if f == nil {
			f = make([]int16, audio.FrameSamples(rate))
		}
		out = append(out, f...)
	}
	return out
}

func equal(t *testing.T, what string, got, want []int16) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d samples, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: sample %d is %d, want %d", what, i, got[i], want[i])
		}
	}
}

// TestMixIsWhatWasHeard compares the rendition with the live mix sample by sample, limiter and all.
func TestMixIsWhatWasHeard(t *testing.T) {
	for _, format := range []string{"PCMU", "G722", "opus"} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				s.enter("a", newTalker(format, 1))
				s.run(101)
				s.enter("b", newTalker(format, 2))
				leaver := newTalker(format, 3)
				p := s.enter("c", leaver)
				s.run(433)
				player := newTalker(format, 4)
				if err := s.room.AddPlayer(player, nil); err != nil {
					t.Fatal(err)
				}
				s.run(200)
				for !leaver.quiet { // else the room adds how the voice fades, which no tap sees
					s.run(1)
				}
				if err := s.room.Leave(p); err != nil {
					t.Fatal(err)
				}
				s.c.Leave("c")
				s.run(57)
				r := s.stop()
				got, made := samples(t, r, render.Rendition{Kind: render.Mix})
				equal(t, "mix", got, join(s.live.mix, s.room.Rate()))
				if made.Rate != s.room.Rate() || made.Channels != 1 || made.Duration != time.Duration(len(s.live.mix))*tickTime {
					t.Fatalf("%+v", made)
				}
				m := r.Manifest()
				if len(m.Damages)+len(m.Gaps)+len(m.Pauses) != 0 || len(m.Tracks) != 4 {
					t.Fatalf("%+v", m)
				}
			})
		})
	}
}

func TestLanesAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.enter("a", newTalker("L16", 1))
		s.enter("b", newTalker("L16", 2))
		s.run(50)
		must(t, s.c.Pause(page.Skip))
		s.run(33)
		s.c.Resume()
		s.run(40)
		must(t, s.c.Pause(page.Silence))
		s.run(20)
		s.c.Resume()
		s.c.Mute("a")
		s.run(30)
		r := s.stop()

		s.live.mix = append(s.live.mix, nil)
		keep := func(tag string) []int16 {
			said := s.live.by(tag)
			frames := slices.Concat(said[:50], said[83:123], make([][]int16, 20), said[143:])
			return join(frames, 16000)
		}
		got, _ := samples(t, r, render.Rendition{Kind: render.Participant, Tag: "a"})
		equal(t, "a", got, keep("a"))
		both, made := samples(t, r, render.Rendition{Kind: render.Stereo})
		again, _ := samples(t, r, render.Rendition{Kind: render.Channels})
		equal(t, "channels", again, both)
		if made.Channels != 2 || made.Duration != 140*tickTime {
			t.Fatalf("%+v", made)
		}
		left, right := keep("a"), keep("b")
		for i := range left {
			if both[2*i] != left[i] || both[2*i+1] != right[i] {
				t.Fatalf("stereo differs at %d", i)
			}
		}
		m := r.Manifest()
		if len(m.Pauses) != 2 || m.Pauses[0].Offset != 50*960 || m.Pauses[0].Length != 33*960 || m.Pauses[0].Behavior != page.Skip ||
			m.Pauses[1].Offset != 123*960 || m.Pauses[1].Position != 90*20 || m.Pauses[1].Length != 20*960 {
			t.Fatalf("%+v", m.Pauses)
		}
		i := slices.IndexFunc(m.Events, func(e render.Event) bool { return e.Type == page.Mute })
		if i < 0 || m.Events[i].Tag != "a" || m.Events[i].Offset != 143*960 || m.Events[i].Position != 110*20 {
			t.Fatalf("%+v", m.Events)
		}
		if res := s.c.Result(); res.Length != 173*tickTime || res.Kept != 140*tickTime {
			t.Fatalf("%+v", res)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoomChangesItsRate: what was said at the lower rate comes out at the higher one, and the rest is exact.
func TestRoomChangesItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.enter("a", newTalker("PCMU", 1))
		s.run(103)
		s.enter("b", newTalker("opus", 2))
		s.run(103)
		r := s.stop()
		got, made := samples(t, r, render.Rendition{Kind: render.Mix})
		if made.Rate != 48000 || len(got) != 206*960 {
			t.Fatalf("%+v: %d samples", made, len(got))
		}
		// The filter of the lower rate may still ring at the change: from the next tick on it is exact.
		equal(t, "after the change", got[104*960:], join(s.live.mix[104:], 48000))
		up, err := audio.NewResampler(8000, 48000)
		must(t, err)
		want := make([]int16, 103*960)
		up.Process(want, join(s.live.mix[:103], 8000))
		var difference, power float64
		for i, v := range want {
			difference += math.Pow(float64(v)-float64(got[i]), 2)
			power += math.Pow(float64(v), 2)
		}
		if difference > power/1e4 {
			t.Fatalf("before the change it differs by %.1f dB", 10*math.Log10(difference/power))
		}
	})
}

func TestWithoutConsentNothingIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		a, stranger := newTalker("PCMU", 1), newTalker("PCMU", 2)
		must(t, s.c.Join(capture.Lane{Tag: "a", Silent: true}))
		for tag, l := range map[string]*talker{"a": a, "stranger": stranger} {
			_, err := s.room.Enter(l, mixer.Options{Tag: tag})
			must(t, err)
		}
		s.run(100)
		s.c.Consent("a")
		s.run(100)
		r := s.stop()
		got, _ := samples(t, r, render.Rendition{Kind: render.Mix})
		s.live.mix = append(s.live.mix, nil)
		equal(t, "mix", got, join(slices.Concat(make([][]int16, 100), s.live.by("a")[100:]), 8000))
	})
}

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.run(3)
		r := s.stop()
		for reason, what := range map[string]render.Rendition{
			"RENDITION_UNKNOWN":        {Kind: "video", Format: render.WAV},
			"RENDITION_FORMAT_UNKNOWN": {Kind: render.Mix, Format: "mp3"},
			"PARTICIPANT_NOT_RECORDED": {Kind: render.Participant, Tag: "", Format: render.WAV},
		} {
			var b bytes.Buffer
			if _, err := r.Render(context.Background(), &b, what); fault.ReasonOf(err) != reason || b.Len() != 0 {
				t.Errorf("%+v: %v after %d bytes", what, err, b.Len())
			}
		}
		if got, _ := samples(t, r, render.Rendition{Kind: render.Mix}); len(got) != 3*160 {
			t.Errorf("an empty room gave %d samples", len(got))
		}
		_, err := render.Open(s.dir+"/none", "none", nil)
		if fault.ReasonOf(err) != "RECORDING_CAPTURE_MISSING" {
			t.Error(err)
		}
		_, err = capture.Start(capture.Options{Dir: s.dir, ID: id, MinFree: 1})
		if fault.ReasonOf(err) != "RECORDING_EXISTS" {
			t.Error(err)
		}
	})
}

// TestDamagedPage spoils one page: it is named, its 60 ms are silent, and everything else is as before.
func TestDamagedPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.enter("a", newTalker("PCMU", 1))
		s.run(300)
		before, _ := samples(t, s.stop(), render.Rendition{Kind: render.Mix})
		path := capture.Path(s.dir, id)
		b, err := os.ReadFile(path)
		must(t, err)
		b[len(b)/2] ^= 0x40
		must(t, os.WriteFile(path, b, 0o600))
		r := s.open()
		after, _ := samples(t, r, render.Rendition{Kind: render.Mix})
		m := r.Manifest()
		if len(m.Damages) != 1 || m.Damages[0].Pages != 1 || len(after) != len(before) {
			t.Fatalf("%+v", m.Damages)
		}
		d := m.Damages[0]
		for i := range after {
			at := uint64(i) * 6
			if after[i] != before[i] && (at < d.From.Offset || at >= d.To.Offset+2880) {
				t.Fatalf("sample %d differs, damage is from %d to %d", i, d.From.Offset, d.To.Offset)
			}
		}
		if slices.Equal(before, after) {
			t.Fatal("nothing was damaged")
		}
	})
}

// TestWhispersAreNotRecorded: what somebody says to some only is neither in the mix nor in a lane; what it says to all later is.
func TestWhispersAreNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.enter("a", newTalker("PCMU", 1))
		s.enter("b", newTalker("PCMU", 2))
		coach := s.enter("coach", newTalker("PCMU", 3))
		s.room.Set(coach, mixer.Options{Tag: "coach", CanSpeak: []string{"a"}})
		s.run(200)
		heard := len(s.live.said["coach"])
		s.room.Set(coach, mixer.Options{Tag: "coach"})
		s.run(200)
		r := s.stop()
		got, _ := samples(t, r, render.Rendition{Kind: render.Mix})
		equal(t, "mix", got, join(s.live.mix, 8000))
		lane, _ := samples(t, r, render.Rendition{Kind: render.Participant, Tag: "coach"})
		if heard == 0 || loudest(lane[:190*160]) != 0 || loudest(lane[210*160:]) == 0 {
			t.Errorf("the coach's lane: %d while it whispered, %d after that", loudest(lane[:190*160]), loudest(lane[210*160:]))
		}
	})
}

func loudest(samples []int16) (most int) {
	for _, v := range samples {
		most = max(most, int(v), -int(v))
	}
	return most
}
