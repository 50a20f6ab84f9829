package sound

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

func inletOf(t testing.TB, rate, room int, queue time.Duration) *Inlet {
	t.Helper()
	in, err := NewInlet(rate, queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := in.SetRate(room); err != nil {
		t.Fatal(err)
	}
	return in
}

// count returns the numbers from..from+n-1, which are never 0.
func count(from, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16((from+i)%30000 + 1)
	}
	return out
}

func TestInletPlaysWhatIsWritten(t *testing.T) {
	in, dst := inletOf(t, 8000, 8000, time.Second), make([]int16, 160)
	if in.Pull(dst, 0) {
		t.Error("there is sound before any was written")
	}
	wrote := 0
	for _, n := range []int{1, 7, 160, 313, 479} { // odd sizes: 960 in all
		if got := in.Write(count(wrote, n)); got != n {
			t.Fatalf("took %d of %d", got, n)
		}
		wrote += n
	}
	var heard []int16
	for tick := 0; in.Pull(dst, 0); tick++ {
		heard = append(heard, dst...)
		if in.Write(count(wrote, 160)); tick > 100 {
			in.Stop()
		}
		wrote += 160
	}
	want := count(0, len(heard))
	edge := 40 // the fades
	if len(heard) < 16000 || !slices.Equal(heard[edge:len(heard)-160], want[edge:len(heard)-160]) {
		t.Fatalf("heard %d samples that are not what was written", len(heard))
	}
	if heard[0] != 0 && abs(heard[0]) >= abs(want[39]) || !in.Ended() {
		t.Errorf("begins with %d, ended %v", heard[0], in.Ended())
	}
	if in.Dropped() != 0 || in.Gaps() > 1 {
		t.Errorf("%d dropped, %d gaps", in.Dropped(), in.Gaps())
	}
}

func abs(v int16) int { return int(math.Abs(float64(v))) }

func TestInletWaitsForItsLead(t *testing.T) {
	for _, tt := range []struct{ frames, silent int }{{1, 3}, {2, 3}, {3, 0}, {10, 0}} {
		in, dst := inletOf(t, 8000, 8000, time.Second), make([]int16, 160)
		in.Write(count(1000, tt.frames*160))
		silent, sounds := 0, 0
		for range 20 {
			if in.Pull(dst, 0) {
				sounds++
			} else if sounds == 0 {
				silent++
			}
		}
		if silent != tt.silent || sounds != tt.frames {
			t.Errorf("%d frames: heard %d after %d ticks, want %d", tt.frames, sounds, silent, tt.silent)
		}
	}
}

func TestInletFadesWhenItRunsDry(t *testing.T) {
	in, dst := inletOf(t, 8000, 8000, time.Second), make([]int16, 160)
	loud := slices.Repeat([]int16{10000}, 490) // three frames and ten samples
	in.Write(loud)
	var heard []int16
	for in.Pull(dst, 0) {
		heard = append(heard, dst...)
	}
	if len(heard) != 640 {
		t.Fatalf("heard %d samples", len(heard))
	}
	for i := 1; i < len(heard); i++ {
		if d := abs(heard[i] - heard[i-1]); d > 2700 { // the last ten samples are all that is left to fade over
			t.Errorf("a step of %d at %d", d, i)
		}
	}
	if heard[490] != 0 || in.Gaps() != 1 {
		t.Errorf("%d after the end, %d gaps", heard[490], in.Gaps())
	}
}

func TestInletDropsWhatFindsNoRoom(t *testing.T) {
	in := inletOf(t, 16000, 8000, 200*time.Millisecond)
	if got := in.Write(make([]int16, 4000)); got != 3200 || in.Dropped() != 800 || in.Waiting() != 200*time.Millisecond {
		t.Errorf("took %d, dropped %d, %v wait", got, in.Dropped(), in.Waiting())
	}
	in.Pull(make([]int16, 160), 0)
	if got := in.Write(make([]int16, 321)); got != 320 || in.Dropped() != 801 {
		t.Errorf("took %d, dropped %d", got, in.Dropped())
	}
	in.Clear()
	in.Pull(make([]int16, 160), 0)
	if in.Waiting() != 0 {
		t.Errorf("%v wait after Clear", in.Waiting())
	}
}

func TestInletClearFades(t *testing.T) {
	in, dst := inletOf(t, 8000, 8000, time.Second), make([]int16, 160)
	in.Write(slices.Repeat([]int16{10000}, 4000))
	in.Pull(dst, 0)
	in.Clear()
	if !in.Pull(dst, 0) || dst[0] < 9000 || dst[60] != 0 || in.Pull(dst, 0) {
		t.Errorf("Clear: %v", dst[:64])
	}
	in.Write(slices.Repeat([]int16{10000}, 4000))
	if !in.Pull(dst, 0) || dst[0] > 1000 || dst[60] != 10000 {
		t.Errorf("begins again with %v", dst[:64])
	}
}

func TestInletResamples(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, room := range []int{8000, 16000, 48000} {
			in, dst := inletOf(t, rate, room, time.Second), make([]int16, room/50)
			tone := make([]int16, rate/2)
			for i := range tone {
				tone[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/float64(rate)))
			}
			in.Write(tone)
			var power float64
			frames := 0
			for in.Pull(dst, 0) {
				for _, v := range dst {
					power += float64(v) * float64(v)
				}
				frames++
			}
			rms := math.Sqrt(power / float64(room/2))
			if frames < 25 || frames > 26 || math.Abs(rms-8000/math.Sqrt2) > 150 {
				t.Errorf("%d to %d Hz: %d frames, rms %.0f", rate, room, frames, rms)
			}
		}
	}
	if _, err := NewInlet(44100, time.Second); err == nil {
		t.Error("44100 Hz is taken")
	}
}

func TestInletFromAnotherGoroutine(t *testing.T) {
	in, dst := inletOf(t, 8000, 8000, time.Second), make([]int16, 160)
	const total = 200_000
	var writer sync.WaitGroup
	writer.Go(func() {
		for at := 0; at < total; {
			at += in.Write(count(at, min(97, total-at)))
		}
	})
	heard := 0
	for heard < total {
		before := in.read.Load()
		if !in.Pull(dst, 0) {
			continue
		}
		n := int(in.read.Load() - before)
		if mid := n / 2; n == 160 && in.flowing && heard > 0 && dst[mid] != count(heard+mid, 1)[0] {
			t.Fatalf("sample %d is %d", heard+mid, dst[mid])
		}
		heard += n
	}
	writer.Wait()
}

func TestInletAllocatesNothing(t *testing.T) {
	in, dst, frame := inletOf(t, 48000, 16000, time.Second), make([]int16, 320), make([]int16, 960)
	for range 5 {
		in.Write(frame)
	}
	if n := testing.AllocsPerRun(500, func() {
		in.Write(frame)
		in.Pull(dst, 0)
	}); n != 0 {
		t.Errorf("%v allocations per tick", n)
	}
}
