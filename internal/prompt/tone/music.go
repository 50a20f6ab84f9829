package tone

import (
	"math"
)

// The music is four chords, twice, each for a bar of four beats: a soft pad below, a plucked figure of eighths above. What rings on at the end
// rings into the begin, so that it can be repeated for ever.
const (
	beat   = 0.75 // s, 80 a minute
	bars   = 8
	eights = 8 // in a bar
)

// chords in semitones from A3, 220 Hz: F, C, G, A minor, then F, C, D minor, G, each with the note that colours it.
var chords = [bars][4]int{
	{-4, 0, 3, 7},
	{-9, -5, -2, 5},
	{-2, 2, 5, 7},
	{0, 3, 7, 10},
	{-4, 0, 3, 7},
	{-9, -5, 2, 7},
	{-7, -4, 0, 3},
	{-2, 2, 5, 12},
}

// figure is which note of the chord each eighth plucks, and how many octaves up.
var figure = [eights][2]int{{0, 1}, {2, 1}, {3, 1}, {1, 2}, {3, 1}, {2, 1}, {1, 2}, {2, 1}}

func pitch(semitone, octave int) float64 {
	return 220 * math.Pow(2, float64(semitone)/12+float64(octave))
}

func music() []int16 {
	length := int(bars * 4 * beat * MusicRate)
	mix := make([]float32, length)
	for b, chord := range chords {
		start := float64(b) * 4 * beat
		for i, n := range chord {
			pad(mix, start, pitch(n, 0), 0.05+0.01*float64(i%2))
		}
		pad(mix, start, pitch(chord[0], -1), 0.07)
		for e, f := range figure {
			soft := 1 - 0.25*float64(e%2)
			pluck(mix, start+float64(e)*beat/2, pitch(chord[f[0]], f[1]), 0.11*soft)
		}
	}
	out := make([]int16, length)
	var power float64
	for _, v := range mix {
		power += float64(v) * float64(v)
	}
	const level = 0.04 // -28 dBov: a little below speech
	scale := level * 32768 / math.Sqrt(power/float64(length))
	for i, v := range mix {
		out[i] = int16(min(max(math.Round(float64(v)*scale), -32768), 32767))
	}
	return out
}

// pad adds a note of a bar that swells and fades, two sines a little apart so that it breathes.
func pad(mix []float32, start, f, amplitude float64) {
	const last = 4*beat + 0.9
	add(mix, start, last, func(t float64) float64 {
		envelope := math.Sin(math.Pi * t / last)
		return amplitude * envelope * (math.Sin(2*math.Pi*f*t) + math.Sin(2*math.Pi*(f+0.7)*t) + 0.25*math.Sin(4*math.Pi*f*t)) / 2
	})
}

// pluck adds a note that is struck and dies away, its overtones first.
func pluck(mix []float32, start, f, amplitude float64) {
	add(mix, start, 1.8, func(t float64) float64 {
		attack := min(t/0.006, 1)
		end := min((1.8-t)/0.1, 1)
		wave := math.Sin(2*math.Pi*f*t) + 0.4*math.Exp(-3*t)*math.Sin(4*math.Pi*f*t) + 0.15*math.Exp(-6*t)*math.Sin(6*math.Pi*f*t)
		return amplitude * attack * end * math.Exp(-2.6*t) * wave
	})
}

// add adds what f gives over a time, around the end to the begin.
func add(mix []float32, start, seconds float64, f func(t float64) float64) {
	at := int(start * MusicRate)
	for i := range int(seconds * MusicRate) {
		mix[(at+i)%len(mix)] += float32(f(float64(i) / MusicRate))
	}
}
