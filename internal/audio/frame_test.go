package audio_test

import (
	"math"
	"slices"
	"testing"

	"parley/internal/audio"
	"pgregory.net/rapid"
)

func TestFrameSamples(t *testing.T) {
	for rate, want := range map[int]int{8000: 160, 16000: 320, 48000: 960} {
		if got := audio.FrameSamples(rate); got != want {
			t.Errorf("FrameSamples(%d) = %d, want %d", rate, got, want)
		}
	}
}

func TestMixMinusTakesOutWhatAddPutIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "samples")
		voices := rapid.SliceOfN(rapid.SliceOfN(rapid.Int16(), n, n), 1, 6).Draw(t, "voices")
		sum := make([]int32, n)
		for _, v := range voices {
			audio.Add(sum, v)
		}
		own := rapid.IntRange(0, len(voices)-1).Draw(t, "own")
		got := make([]int32, n)
		audio.MixMinus(got, sum, voices[own])
		for i := range got {
			var want int32
			for j, v := range voices {
				if j != own {
					want += int32(v[i])
				}
			}
			if got[i] != want {
				t.Fatalf("sample %d of the others is %d, want %d", i, got[i], want)
			}
		}
		audio.MixMinus(sum, sum, voices[own])
		if !slices.Equal(sum, got) {
			t.Fatal("in place it gives something else")
		}
	})
}

func TestUnequalLengths(t *testing.T) {
	sum := []int32{1, 1, 1, 1, 1, 1}
	audio.Add(sum, []int16{1, 2, 3, 4, 5, 6, 7, 8})
	audio.Add(sum, []int16{10})
	if want := []int32{12, 3, 4, 5, 6, 7}; !slices.Equal(sum, want) {
		t.Errorf("sum is %v, want %v", sum, want)
	}
	dst := make([]int32, 6)
	audio.MixMinus(dst, sum, []int16{2, 3})
	if want := []int32{10, 0, 4, 5, 6, 7}; !slices.Equal(dst, want) {
		t.Errorf("mix is %v, want %v", dst, want)
	}
}

func TestGain(t *testing.T) {
	tests := []struct {
		factor float32
		want   []int16
	}{
		{1, []int16{-32768, -3, 0, 3, 32767}},
		{0, []int16{0, 0, 0, 0, 0}},
		{0.5, []int16{-16384, -2, 0, 2, 16384}},
		{2, []int16{-32768, -6, 0, 6, 32767}},
		{-1, []int16{32767, 3, 0, -3, -32767}},
		{1e30, []int16{-32768, -32768, 0, 32767, 32767}},
	}
	for _, tt := range tests {
		frame := []int16{-32768, -3, 0, 3, 32767}
		audio.Gain(frame, tt.factor)
		if !slices.Equal(frame, tt.want) {
			t.Errorf("gain of %v gives %v, want %v", tt.factor, frame, tt.want)
		}
	}
}

func TestDB(t *testing.T) {
	for db, want := range map[float64]float64{0: 1, -6.0206: 0.5, 20: 10, -120: 1e-6} {
		if got := float64(audio.DB(db)); math.Abs(got-want) > want*1e-4 {
			t.Errorf("DB(%v) = %v, want %v", db, got, want)
		}
	}
}

func TestScoreAndLevel(t *testing.T) {
	square := make([]int16, 160)
	for i := range square {
		square[i] = math.MinInt16
		if i%2 == 0 {
			square[i] = math.MaxInt16
		}
	}
	one := make([]int16, 160)
	one[0] = 1
	tests := []struct {
		name  string
		frame []int16
		score int
		level uint8
	}{
		{"nothing", nil, 0, 127},
		{"silence", make([]int16, 160), 0, 127},
		{"one bit once", one, 0, 112},
		{"square at full scale", square, 32767, 0},
		{"sine at full scale", tone(160, 8000, 400, 32767), 20688, 3},
		{"sine at -20 dBov", tone(160, 8000, 400, 4634), 2946, 20},
		{"sine at -60 dBov", tone(160, 8000, 400, 46.34), 29, 60},
	}
	for _, tt := range tests {
		if got := audio.Score(tt.frame); got < tt.score-40 || got > tt.score+40 || tt.score < 100 && got > tt.score+1 {
			t.Errorf("%s has score %d, want about %d", tt.name, got, tt.score)
		}
		if got := audio.Level(tt.frame); got != tt.level {
			t.Errorf("%s has level %d, want %d", tt.name, got, tt.level)
		}
	}
}
