package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"math/cmplx"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/audio"
)

// newNetstring returns a reader of netstrings ("5:hello,").
func newNetstring(r io.Reader) func() ([]byte, error) {
	b := bufio.NewReader(r)
	return func() ([]byte, error) {
		head, err := b.ReadString(':')
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(strings.TrimSuffix(head, ":"))
		if err != nil || n < 0 || n > 1<<20 {
			return nil, fmt.Errorf("netstring header %q", head)
		}
		buf := make([]byte, n+1)
		if _, err := io.ReadFull(b, buf); err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// writeWAV writes mono samples to every channel of a file.
func writeWAV(t *testing.T, file string, rate, channels int, samples []int16) {
	t.Helper()
	var b bytes.Buffer
	size := len(samples) * channels * 2
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+size))
	b.WriteString("WAVEfmt ")
	_ = binary.Write(&b, binary.LittleEndian, uint32(16))
	_ = binary.Write(&b, binary.LittleEndian, uint16(1))
	_ = binary.Write(&b, binary.LittleEndian, uint16(channels))
	_ = binary.Write(&b, binary.LittleEndian, uint32(rate))
	_ = binary.Write(&b, binary.LittleEndian, uint32(rate*channels*2))
	_ = binary.Write(&b, binary.LittleEndian, uint16(channels*2))
	_ = binary.Write(&b, binary.LittleEndian, uint16(16))
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(size))
	for _, s := range samples {
		for range channels {
			_ = binary.Write(&b, binary.LittleEndian, s)
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readWAV reads the first channel of a WAV file, which its writer may not have finished: sizes in the header are not believed.
func readWAV(t *testing.T, file string) (rate int, samples []int16) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parseWAV(b)
}

func parseWAV(b []byte) (rate int, samples []int16) {
	at := bytes.Index(b, []byte("data"))
	if len(b) < 44 || at < 0 {
		return 0, nil
	}
	channels := int(binary.LittleEndian.Uint16(b[22:]))
	rate = int(binary.LittleEndian.Uint32(b[24:]))
	for b = b[min(at+8, len(b)):]; len(b) >= 2*channels; b = b[2*channels:] {
		samples = append(samples, int16(binary.LittleEndian.Uint16(b)))
	}
	return rate, samples
}

// power returns the power at a frequency in dB relative to a full-scale sine (Goertzel).
func power(rate int, samples []int16, hertz float64) float64 {
	w := 2 * math.Pi * hertz / float64(rate)
	coefficient := 2 * math.Cos(w)
	var s1, s2 float64
	for _, x := range samples {
		s1, s2 = float64(x)+coefficient*s1-s2, s1
	}
	energy := s1*s1 + s2*s2 - coefficient*s1*s2
	n := float64(len(samples))
	return 10 * math.Log10(energy/(n*n/4)/(32767*32767)+1e-12)
}

// tone returns d of a sine at a rate, its power -12 dB relative to a full-scale sine.
func tone(rate int, hertz float64, d time.Duration) []int16 {
	t := audio.NewTone(hertz, -15, rate, 0)
	out := make([]int16, int(d.Seconds()*float64(rate)))
	t.Read(out)
	return out
}

// narrow returns the samples at 8 kHz, from any rate that is a multiple of that.
func narrow(rate int, samples []int16) []float64 {
	step := rate / 8000
	out := make([]float64, 0, len(samples)/step)
	for i := step; i <= len(samples); i += step {
		sum := 0.0
		for _, s := range samples[i-step : i] {
			sum += float64(s)
		}
		out = append(out, sum/float64(step))
	}
	return out
}

// likeness says how clearly pattern can be found in heard, both at 8 kHz: the peak of their correlation over its effective value, after
// all frequencies between 300 and 3000 Hz have been made equally strong (the phase transform), so that only the course in time counts and
// not that both are voices. Noise has about 5; more than 10 is no accident.
func likeness(heard, pattern []float64) float64 {
	n := 1 << bits.Len(uint(len(heard)+len(pattern)))
	a, b := spectrum(heard, n), spectrum(pattern, n)
	for i := range a {
		hertz := float64(min(i, n-i)) * 8000 / float64(n)
		cross := a[i] * cmplx.Conj(b[i])
		if size := cmplx.Abs(cross); hertz < 300 || hertz > 3000 || size == 0 {
			a[i] = 0
		} else {
			a[i] = cross / complex(size, 0)
		}
	}
	fft(a)
	peak, sum := 0.0, 0.0
	for _, x := range a {
		peak = max(peak, math.Abs(real(x)))
		sum += real(x) * real(x)
	}
	return peak / math.Sqrt(sum/float64(n))
}

func spectrum(x []float64, n int) []complex128 {
	out := make([]complex128, n)
	for i, v := range x {
		out[i] = complex(v, 0)
	}
	fft(out)
	return out
}

// fft transforms in place; the length is a power of two. Of a real signal's correlation it makes the inverse too, mirrored in time.
func fft(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		turn := cmplx.Rect(1, -2*math.Pi/float64(size))
		for at := 0; at < n; at += size {
			w := complex(1, 0)
			for k := at; k < at+size/2; k++ {
				u, v := x[k], x[k+size/2]*w
				x[k], x[k+size/2] = u+v, u-v
				w *= turn
			}
		}
	}
}
