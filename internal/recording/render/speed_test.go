package render

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"parley/internal/recording/page"
)

// meeting writes a capture of ten people of whom some talk at a time, in noisy tones.
func meeting(b testing.TB, rate, talking int, length time.Duration) *Recording {
	b.Helper()
	const lanes = 10
	rng := rand.New(rand.NewPCG(1, 1))
	head := page.Head{Stream: page.StreamOf("m", nil)}
	next := func(clock uint64) page.Head {
		h := head
		h.Clock = clock
		head.Number++
		return h
	}
	out, _ := page.AppendMark(nil, next(0), page.Mark{Type: page.Origin})
	cells := int(length / (60 * time.Millisecond))
	cell := make([]int16, rate*page.Cell/page.Clock)
	for c := range cells {
		for k := range talking {
			voice := tone(k, rate, len(cell))
			for i := range cell {
				cell[i] = voice[i]/3 + int16(rng.IntN(200)-100)
			}
			h := next(uint64(c) * page.Cell)
			h.Lane, h.Rate = uint16((c/20+k)%lanes+1), rate
			out = page.AppendAudio(out, h, cell)
		}
	}
	path := filepath.Join(b.TempDir(), "m")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		b.Fatal(err)
	}
	r, err := Open(path, "m", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	return r
}

// BenchmarkRender makes renditions of a minute, reading for the index included, and reports how many seconds of meeting a second makes.
func BenchmarkRender(b *testing.B) {
	for _, c := range []struct {
		rate, talking int
		what          Rendition
	}{
		{16000, 1, Rendition{Kind: Mix, Format: WAV}},
		{16000, 10, Rendition{Kind: Mix, Format: WAV}},
		{48000, 1, Rendition{Kind: Mix, Format: WAV}},
		{48000, 3, Rendition{Kind: Mix, Format: WAV}},
		{48000, 10, Rendition{Kind: Mix, Format: WAV}},
		{48000, 1, Rendition{Kind: Mix, Format: Ogg}},
		{48000, 1, Rendition{Kind: Channels, Format: Ogg}},
	} {
		b.Run(fmt.Sprintf("%d Hz, %d talk, %s as %s", c.rate, c.talking, c.what.Kind, c.what.Format), func(b *testing.B) {
			const length = time.Minute
			r := meeting(b, c.rate, c.talking, length)
			before := processor(b)
			for b.Loop() {
				again, err := Open(r.file.Name(), "m", nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := again.Render(context.Background(), io.Discard, c.what); err != nil {
					b.Fatal(err)
				}
				_ = again.Close()
			}
			// By the time of the processor, which a busy machine does not stretch.
			b.ReportMetric(float64(b.N)*length.Seconds()/(processor(b)-before).Seconds(), "x-real-time")
		})
	}
}

// processor returns how long this program has computed.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestMemory: a recording of ten times the length costs no more memory.
func TestMemory(t *testing.T) {
	used := func(length time.Duration) uint64 {
		r := meeting(t, 8000, 2, length)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := r.Render(context.Background(), io.Discard, Rendition{Kind: Stereo, Format: WAV}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Peaks(context.Background(), Rendition{Kind: Mix}, 0); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	one, ten := used(10*time.Second), used(100*time.Second)
	if ten > one+1<<18 {
		t.Fatalf("10 s took %d bytes, 100 s took %d", one, ten)
	}
}
