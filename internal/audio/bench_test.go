package audio_test

import (
	"fmt"
	"testing"

	"parley/internal/audio"
)

// perFrame lists what runs on each frame of a rate.
func perFrame(t testing.TB, rate int) map[string]func() {
	n := audio.FrameSamples(rate)
	frame, out := tone(n, rate, 440, 20000), make([]int16, n)
	sum, mix, loud := make([]int32, n), make([]int32, n), make([]int32, n)
	for i := range loud {
		loud[i] = 3 * int32(frame[i])
	}
	talk := audio.NewTalk(audio.FreeSWITCH)
	endless := audio.NewTone(440, -10, rate, 0)
	var calm, busy audio.Limiter
	steps := map[string]func(){
		"Add":           func() { clear(sum); audio.Add(sum, frame) },
		"MixMinus":      func() { audio.MixMinus(mix, sum, frame) },
		"Limiter":       func() { calm.Apply(out, sum) },
		"Limiter busy":  func() { busy.Apply(out, loud) },
		"Gain":          func() { audio.Gain(out, 0.5) },
		"Score":         func() { talk.Push(audio.Score(frame), 20) },
		"Level":         func() { audio.Level(frame) },
		"Tone":          func() { endless.Read(out) },
		"Talk and Stop": func() { talk.Push(1000, 20); talk.Audible(); talk.Stop() },
	}
	for _, to := range []int{8000, 16000, 48000} {
		r, err := audio.NewResampler(rate, to)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]int16, audio.FrameSamples(to))
		steps[fmt.Sprintf("Resampler to %d", to)] = func() { r.Process(dst, frame) }
	}
	return steps
}

func TestNothingAllocates(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for name, step := range perFrame(t, rate) {
			if n := testing.AllocsPerRun(20, step); n != 0 {
				t.Errorf("%s at %d Hz allocates %v times", name, rate, n)
			}
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, rate := range []int{8000, 16000, 48000} {
		for name, step := range perFrame(b, rate) {
			b.Run(fmt.Sprintf("%s at %d", name, rate), func(b *testing.B) {
				for b.Loop() {
					step()
				}
			})
		}
	}
}
