package render

import (
	"context"
	"fmt"
)

// Peaks is a waveform in the form of BBC audiowaveform's JSON version 2, which web players read: for each point and channel the lowest and
// the highest sample, in 8 bits.
type Peaks struct {
	Version         int    `json:"version"`
	Channels        int    `json:"channels"`
	SampleRate      int    `json:"sample_rate"`
	SamplesPerPixel int    `json:"samples_per_pixel"`
	Bits            int    `json:"bits"`
	Length          int    `json:"length"`
	Data            []int8 `json:"data"`
}

const (
	somePoints = 2000
	mostPoints = 100_000
)

// Peaks makes the waveform of a rendition in about so many points, 2,000 when 0, 100,000 at most. Its format does not matter.
func (r *Recording) Peaks(ctx context.Context, what Rendition, points int) (Peaks, error) {
	routes, channels, err := r.routes(what)
	if err != nil {
		return Peaks{}, err
	}
	if points <= 0 {
		points = somePoints
	}
	frame := r.rate / 50
	samples := int(r.kept()) * frame
	points = max(min(points, mostPoints, samples), 1)
	k := &peakCounter{per: max((samples+points-1)/points, 1), frame: frame, low: make([]int16, channels), high: make([]int16, channels)}
	k.p = Peaks{Version: 2, Channels: channels, SampleRate: r.rate, SamplesPerPixel: k.per, Bits: 8}
	if err := r.produce(ctx, routes, channels, k.take); err != nil {
		return Peaks{}, fmt.Errorf("find peaks of recording %s: %w", r.id, err)
	}
	k.point()
	return k.p, nil
}

// peakCounter collects the samples of a point.
type peakCounter struct {
	p         Peaks
	per, n    int
	frame     int
	low, high []int16
}

func (k *peakCounter) take(channels [][]int16) error {
	for from := 0; from < k.frame; {
		n := min(k.frame-from, k.per-k.n)
		for c, frame := range channels {
			if frame != nil {
				k.low[c], k.high[c] = extremes(frame[from:from+n], k.low[c], k.high[c])
			}
		}
		from += n
		if k.n += n; k.n == k.per {
			k.point()
		}
	}
	return nil
}

func extremes(s []int16, low, high int16) (int16, int16) {
	for _, v := range s {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

func (k *peakCounter) point() {
	if k.n == 0 {
		return
	}
	for c := range k.low {
		k.p.Data = append(k.p.Data, int8(k.low[c]>>8), int8(k.high[c]>>8))
		k.low[c], k.high[c] = 0, 0
	}
	k.p.Length++
	k.n = 0
}
