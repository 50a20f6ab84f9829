package codec_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The files in testdata were made by ffmpeg 5.1's own G.722 (see makeVectors); they hold us to the Recommendation bit by bit
// where ffmpeg is missing.

func TestG722AgreesWithVectors(t *testing.T) {
	in := samplesOf(t, "testdata/g722_in.pcm")
	code, err := os.ReadFile("testdata/g722_code.g722")
	if err != nil {
		t.Fatal(err)
	}
	compareG722(t, in, code, samplesOf(t, "testdata/g722_out.pcm"))
}

func TestG722AgreesWithFFmpeg(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: only the vectors in testdata are compared")
	}
	r := rand.New(rand.NewPCG(7, 22))
	in := vectorInput(r, 16000*4)
	dir := t.TempDir()
	writeSamples(t, filepath.Join(dir, "g722_in.pcm"), in)
	makeVectors(t, dir)
	code, err := os.ReadFile(filepath.Join(dir, "g722_code.g722"))
	if err != nil {
		t.Fatal(err)
	}
	compareG722(t, in, code, samplesOf(t, filepath.Join(dir, "g722_out.pcm")))
}

// makeVectors makes the code and its decoding from g722_in.pcm in dir.
func makeVectors(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"-f", "s16le", "-ar", "16000", "-ac", "1", "-i", "g722_in.pcm", "-c:a", "g722", "-f", "g722", "g722_code.g722"},
		{"-f", "g722", "-i", "g722_code.g722", "-f", "s16le", "g722_out.pcm"},
	} {
		cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg %v: %v: %s", args, err, out)
		}
	}
}

// vectorInput goes through speech, noise, overload, a sweep and silence.
func vectorInput(r *rand.Rand, n int) []int16 {
	in := speech(n, 16000)
	part := n / 5
	for i := range part {
		in[part+i] = int16(r.NormFloat64() * 3000)
		in[2*part+i] = int16(math.MaxInt16 * (1 - 2*(i/9%2)))
		in[3*part+i] = int16(15000 * math.Sin(math.Pi*float64(i)*float64(i)/float64(part)/2))
		if i > part/2 {
			in[4*part+i] = 0
		}
	}
	return in
}

func compareG722(t *testing.T, in []int16, code []byte, out []int16) {
	t.Helper()
	e, d := pair(t, format(t, "G722"), 16000)
	ours := bytes.Join(encodeAll(t, e, in, 16000), nil)
	if !bytes.Equal(ours, code[:len(ours)]) {
		t.Errorf("our code differs from byte %d on", firstDifference(ours, code))
	}
	// Odd cuts, so that no frame length is special.
	buf, at := make([]int16, 1920), 0
	for rest := code; len(rest) > 0; {
		cut := min(len(rest), 1+at%960)
		n, err := d.Decode(buf, rest[:cut])
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range buf[:n] {
			if v != out[at+i] {
				t.Fatalf("sample %d decodes to %d, want %d", at+i, v, out[at+i])
			}
		}
		at, rest = at+n, rest[cut:]
	}
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func samplesOf(t *testing.T, path string) []int16 {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]int16, len(raw)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return out
}

func writeSamples(t *testing.T, path string, pcm []int16) {
	t.Helper()
	var raw []byte
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestG722KeepsBothBands(t *testing.T) {
	for _, hz := range []float64{200, 1000, 3000, 5000, 6500} {
		e, d := pair(t, format(t, "G722"), 16000)
		out := decodeAll(t, d, encodeAll(t, e, sine(16000, 16000, hz, 10000), 16000), 16000)[8000:]
		level := amplitude(out, 16000, hz)
		if db := 20 * math.Log10(level/10000); db < -1.5 || db > 1.5 {
			t.Errorf("%.0f Hz comes out %.1f dB louder", hz, db)
		}
		for _, other := range []float64{8000 - hz, 1500, 4500, 7000} {
			if math.Abs(other-hz) < 300 {
				continue
			}
			if got := amplitude(out, 16000, other); got > level/30 {
				t.Errorf("%.0f Hz: %.0f Hz is there too, at %.0f", hz, other, got)
			}
		}
	}
}

func TestG722ListenerMayComeFromAnotherEncoder(t *testing.T) {
	e, d := pair(t, format(t, "G722"), 16000)
	other, _ := pair(t, format(t, "G722"), 16000)
	decodeAll(t, d, encodeAll(t, other, sine(16000, 16000, 2500, 20000), 16000), 16000)
	pcm := speech(16000, 16000)
	out := decodeAll(t, d, encodeAll(t, e, pcm, 16000), 16000)
	if s, _ := bestSNR(pcm[3200:], out[3200:], 100); s < 20 {
		t.Errorf("200 ms after the change SNR is %.1f dB", s)
	}
}
