package codec_test

import (
	"testing"

	"parley/internal/codec"
)

// expand decodes all 256 codes.
func expand(t *testing.T, d codec.Decoder) (table [256]int) {
	t.Helper()
	codes, pcm := make([]byte, 256), make([]int16, 960)
	for i := range codes {
		codes[i] = byte(i)
	}
	if n, err := d.Decode(pcm, codes); n != 256 || err != nil {
		t.Fatal(n, err)
	}
	for i := range table {
		table[i] = int(pcm[i])
	}
	return table
}

func TestG711DecodesAsTheRecommendation(t *testing.T) {
	// End points of the segments, from tables 1 and 2 of G.711 in 16-bit units.
	tests := map[string]map[byte]int{
		"PCMU": {
			0x00: -32124, 0x80: 32124, 0x7f: 0, 0xff: 0, 0x7e: -8, 0xfe: 8, 0x8f: 16764, 0x90: 15996, 0x9f: 8316, 0xa0: 7932,
			0xef: 132, 0xf0: 120, 0x70: -120,
		},
		"PCMA": {
			0x55: -8, 0xd5: 8, 0x2a: -32256, 0xaa: 32256, 0xda: 248, 0xc5: 264, 0xca: 504, 0xf5: 528, 0xa5: 16896, 0xba: 16128,
		},
	}
	for name, codes := range tests {
		_, d := pair(t, format(t, name), 8000)
		table := expand(t, d)
		for code, want := range codes {
			if table[code] != want {
				t.Errorf("%s: %#02x decodes to %d, want %d", name, code, table[code], want)
			}
		}
	}
}

// TestG711EncodesByDecisionValues checks every sample against the decision values of the Recommendation: 128 of them for each
// sign, in units of 4 (mu-law) and of 16 (A-law).
func TestG711EncodesByDecisionValues(t *testing.T) {
	tests := map[string]struct {
		unit     int
		decision func(segment, step int) int
		line     byte // what the code is inverted with on the line; the sign bit is 1 for positive samples
	}{
		"PCMU": {4, func(segment, step int) int { return (16+step)<<(segment+1) - 33 }, 0x7f},
		"PCMA": {16, func(segment, step int) int {
			if segment == 0 {
				return step
			}
			return (16 + step) << (segment - 1)
		}, 0x55},
	}
	for name, tt := range tests {
		e, _ := pair(t, format(t, name), 8000)
		frame, payload := make([]int16, 160), make([]byte, 160)
		for first := -32768; first < 32768; first += len(frame) {
			for i := range frame {
				frame[i] = int16(first + i)
			}
			if n, err := e.Encode(payload, frame); n != 160 || err != nil {
				t.Fatal(n, err)
			}
			for i, got := range payload {
				magnitude, sign := int(frame[i]), byte(0x80)
				if magnitude < 0 {
					magnitude, sign = ^magnitude, 0
				}
				code := 0
				for code < 127 && tt.decision((code+1)/16, (code+1)%16) <= magnitude/tt.unit {
					code++
				}
				if want := byte(code) ^ tt.line | sign; got&0x7f != want&0x7f || got&0x80 != sign {
					t.Fatalf("%s: %d becomes %#02x, want %#02x", name, frame[i], got, want)
				}
			}
		}
	}
}

func TestG711SurvivesTandems(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA"} {
		e, d := pair(t, format(t, name), 8000)
		payload, frame := make([]byte, 160), make([]int16, 160)
		for code, v := range expand(t, d) {
			for i := range frame {
				frame[i] = int16(v)
			}
			if _, err := e.Encode(payload, frame); err != nil {
				t.Fatal(err)
			}
			if got := int(payload[0]); got != code && v != 0 {
				t.Errorf("%s: %#02x decodes to %d, which encodes to %#02x", name, code, v, got)
			}
		}
	}
}

func TestG711OfSilenceIsSilent(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA"} {
		f := format(t, name)
		e, _ := pair(t, f, 8000)
		payload := make([]byte, 160)
		if _, err := e.Encode(payload, make([]int16, 160)); err != nil || !codec.Silent(f, payload) {
			t.Errorf("%s: silence becomes %#x, %v", name, payload[:4], err)
		}
	}
}
