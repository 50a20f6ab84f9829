package codec_test

import (
	"math"
	"testing"

	"parley/internal/codec"
)

// speech makes a voiced sound of changing pitch and loudness, with the harmonics of a throat up to 3.4 kHz.
func speech(n, rate int) []int16 {
	out := make([]int16, n)
	var phase float64
	for i := range out {
		t := float64(i) / float64(rate)
		pitch := 125 + 30*math.Sin(2*math.Pi*0.7*t)
		phase += 2 * math.Pi * pitch / float64(rate)
		var v float64
		for k := 1.0; k*155 < 3400; k++ {
			v += math.Sin(phase*k) / k * (1 + 0.8*math.Sin(2*math.Pi*1.1*t+k))
		}
		out[i] = int16(4500 * v * (0.55 + 0.45*math.Sin(2*math.Pi*2.3*t)))
	}
	return out
}

func sine(n, rate int, hz, amplitude float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return out
}

// snr is the signal-to-noise ratio in dB of got against want.
func snr(want, got []int16) float64 {
	var signal, noise float64
	for i := range want {
		d := float64(want[i]) - float64(got[i])
		signal += float64(want[i]) * float64(want[i])
		noise += d * d
	}
	return 10 * math.Log10(signal/(noise+1e-9))
}

// bestSNR is snr at the delay, up to most samples, where it is highest.
func bestSNR(want, got []int16, most int) (best float64, delay int) {
	best = math.Inf(-1)
	n := min(len(want), len(got)) - most
	want = want[:n]
	for d := range most {
		if s := snr(want, got[d:d+n]); s > best {
			best, delay = s, d
		}
	}
	return best, delay
}

// amplitude is the height of the tone of hz in a signal.
func amplitude(s []int16, rate int, hz float64) float64 {
	var re, im float64
	for i, v := range s {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(s)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += w * float64(v) * cos
		im += w * float64(v) * sin
	}
	return 4 * math.Hypot(re, im) / float64(len(s))
}

func rms(s []int16) float64 {
	var sum float64
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(s)))
}

// steepest is the largest step between two samples that follow each other.
func steepest(s []int16) int {
	most := 0
	for i := 1; i < len(s); i++ {
		d := int(s[i]) - int(s[i-1])
		most = max(most, d, -d)
	}
	return most
}

// opened is one format at one rate, both ways.
type opened struct {
	format codec.Format
	rate   int
}

// everything lists each format at each of its rates.
func everything() []opened {
	var all []opened
	for _, f := range codec.Formats {
		if f.Name != "opus" {
			all = append(all, opened{f, f.SampleRate})
			continue
		}
		for _, rate := range []int{8000, 12000, 16000, 24000, 48000} {
			all = append(all, opened{f, rate})
		}
	}
	return all
}

func pair(t testing.TB, f codec.Format, rate int) (codec.Encoder, codec.Decoder) {
	t.Helper()
	e, err := codec.NewEncoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	d, err := codec.NewDecoder(f, rate)
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

func format(t testing.TB, name string) codec.Format {
	t.Helper()
	f, ok := codec.Find(name)
	if !ok {
		t.Fatalf("no format %s", name)
	}
	return f
}

// encodeAll encodes whole frames.
func encodeAll(t testing.TB, e codec.Encoder, pcm []int16, rate int) [][]byte {
	t.Helper()
	var packets [][]byte
	buf := make([]byte, codec.MaxPayload)
	for n := rate / 50; len(pcm) >= n; pcm = pcm[n:] {
		size, err := e.Encode(buf, pcm[:n])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, append([]byte(nil), buf[:size]...))
	}
	return packets
}

// decodeAll decodes packets; a nil one is lost and concealed.
func decodeAll(t testing.TB, d codec.Decoder, packets [][]byte, rate int) []int16 {
	t.Helper()
	var out []int16
	buf := make([]int16, rate*120/1000)
	for _, p := range packets {
		n := rate / 50
		if p == nil {
			d.Conceal(buf[:n])
		} else {
			var err error
			if n, err = d.Decode(buf, p); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, buf[:n]...)
	}
	return out
}
