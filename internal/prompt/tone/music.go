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

// turner is a wave that is turned on from sample to sample, many times faster than a sine of each.
type turner struct{ sin, cos, bySin, byCos float64 }

func newTurner(hz float64) turner {
	t := turner{cos: 1}
	t.bySin, t.byCos = math.Sincos(2 * math.Pi * hz / MusicRate)
	return t
}

func (t *turner) next() float64 {
	v := t.sin
	t.sin, t.cos = t.sin*t.byCos+t.cos*t.bySin, t.cos*t.byCos-t.sin*t.bySin
	return v
}

// decay is by how much something that dies away at a rate per second is less at the next sample.
func decay(rate float64) float64 { return math.Exp(-rate / MusicRate) }

// pad adds a note of a bar that swells and fades, two sines a little apart so that it breathes.
func pad(mix []float32, start, f, amplitude float64) {
	const last = 4*beat + 0.9
	one, other, octave, envelope := newTurner(f), newTurner(f+0.7), newTurner(2*f), newTurner(1/(2*last))
	add(mix, start, last, func(float64) float64 {
		return amplitude * envelope.next() * (one.next() + other.next() + 0.25*octave.next()) / 2
	})
}

// pluck adds a note that is struck and dies away, its overtones first.
func pluck(mix []float32, start, f, amplitude float64) {
	const last = 1.8
	ground, octave, fifth := newTurner(f), newTurner(2*f), newTurner(3*f)
	loud, second, third := amplitude, 0.4, 0.15
	slow, fast, faster := decay(2.6), decay(3), decay(6)
	add(mix, start, last, func(t float64) float64 {
		wave := ground.next() + second*octave.next() + third*fifth.next()
		v := min(t/0.006, 1, (last-t)/0.1) * loud * wave
		loud, second, third = loud*slow, second*fast, third*faster
		return v
	})
}

// add adds what f gives over a time, around the end to the begin.
func add(mix []float32, start, seconds float64, f func(t float64) float64) {
	at := int(start * MusicRate)
	for i := range int(seconds * MusicRate) {
		mix[(at+i)%len(mix)] += float32(f(float64(i) / MusicRate))
	}
}
