package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
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

// readDump reads a WAV file that its writer may not have finished: sizes in the header are not believed.
func readDump(t *testing.T, file string) (rate int, samples []int16) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("data"))
	if len(b) < 44 || at < 0 {
		return 0, nil
	}
	channels := int(binary.LittleEndian.Uint16(b[22:]))
	rate = int(binary.LittleEndian.Uint32(b[24:]))
	for b = b[at+8:]; len(b) >= 2*channels; b = b[2*channels:] {
		samples = append(samples, int16(binary.LittleEndian.Uint16(b)))
	}
	return rate, samples
}

// last returns the last seconds of samples.
func last(rate int, samples []int16, seconds float64) []int16 {
	n := int(seconds * float64(rate))
	return samples[max(0, len(samples)-n):]
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
