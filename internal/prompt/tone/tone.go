// Package tone makes the built-in sounds: signals of the room, tones of the telephone and music to wait with. They are arithmetic; nothing is
// kept and nothing is started here.
package tone

import (
	"math"
	"sort"

	"parley/internal/audio"
)

// Rate of every signal in Hz; music has MusicRate.
const (
	Rate      = 16000
	MusicRate = 24000
)

// note is a tone or, at 0 Hz, a pause.
type note struct {
	hz     []float64
	millis int
}

// signal is a row of notes at a level in dBov.
type signal struct {
	dbov  float64
	notes []note
}

func hz(f ...float64) []float64 { return f }

// signals are named after what they say. Those of the telephone go by ITU-T E.180: 425 Hz; ringing is 1 s in every 5 s, busy 0.5 s in every
// second, congestion 0.25 s in every half. They and music can be repeated without a seam.
var signals = map[string]signal{
	"beep":       {-23, []note{{hz(1000), 200}}},
	"join":       {-25, []note{{hz(523.25), 110}, {nil, 20}, {hz(783.99), 160}}},
	"leave":      {-25, []note{{hz(783.99), 110}, {nil, 20}, {hz(523.25), 160}}},
	"locked":     {-24, []note{{hz(440), 150}, {nil, 60}, {hz(440), 150}, {nil, 60}, {hz(330), 300}}},
	"refused":    {-24, []note{{hz(400), 180}, {nil, 60}, {hz(300), 180}, {nil, 60}, {hz(220), 400}}},
	"muted":      {-25, []note{{hz(440), 80}, {nil, 40}, {hz(330), 120}}},
	"unmuted":    {-25, []note{{hz(330), 80}, {nil, 40}, {hz(440), 120}}},
	"recording":  {-24, []note{{hz(1400), 400}}}, // the warning tone of ITU-T E.180 section 13: 1400 Hz
	"ringback":   {-20, []note{{hz(425), 1000}, {nil, 4000}}},
	"busy":       {-20, []note{{hz(425), 500}, {nil, 500}}},
	"congestion": {-20, []note{{hz(425), 250}, {nil, 250}}},
}

// Names are those of all sounds, sorted.
func Names() []string {
	names := []string{"music"}
	for name := range signals {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Make makes the sound of a name; ok is false for others than Names.
func Make(name string) (samples []int16, rate int, ok bool) {
	if name == "music" {
		return music(), MusicRate, true
	}
	s, ok := signals[name]
	if !ok {
		return nil, 0, false
	}
	for _, n := range s.notes {
		part := make([]int16, Rate*n.millis/1000)
		for _, f := range n.hz {
			one := make([]int16, len(part))
			audio.NewTone(f, s.dbov-10*math.Log10(float64(len(n.hz))), Rate, n.millis).Read(one)
			for i, v := range one {
				part[i] += v
			}
		}
		samples = append(samples, part...)
	}
	return samples, Rate, true
}
