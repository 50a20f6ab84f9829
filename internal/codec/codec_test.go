package codec_test

import (
	"fmt"
	"testing"

	"parley/internal/codec"
	"parley/internal/fault"
)

func TestFormatsAreInOrderOfPreference(t *testing.T) {
	want := []string{"opus/48000/111", "G722/8000/9", "PCMU/8000/0", "PCMA/8000/8", "L16/16000/112", "L16/8000/113"}
	if len(codec.Formats) != len(want) {
		t.Fatalf("%d formats, want %d", len(codec.Formats), len(want))
	}
	for i, f := range codec.Formats {
		if got := fmt.Sprintf("%s/%d/%d", f.Name, f.ClockRate, f.PayloadType); got != want[i] {
			t.Errorf("format %d is %s, want %s", i, got, want[i])
		}
	}
}

func TestFindIgnoresCase(t *testing.T) {
	for _, name := range []string{"OPUS", "opus", "g722", "pcmu", "PcmA", "l16"} {
		if _, ok := codec.Find(name); !ok {
			t.Errorf("Find(%q) found nothing", name)
		}
	}
	for _, name := range []string{"", "G729", "telephone-event", "opus/48000"} {
		if f, ok := codec.Find(name); ok {
			t.Errorf("Find(%q) = %v", name, f)
		}
	}
}

func TestRate(t *testing.T) {
	tests := []struct {
		name       string
		room, want int
	}{
		{"opus", 48000, 48000},
		{"opus", 16000, 16000},
		{"opus", 8000, 8000},
		{"opus", 44100, 48000},
		{"G722", 48000, 16000},
		{"PCMU", 48000, 8000},
		{"PCMA", 16000, 8000},
		{"L16", 8000, 16000},
	}
	for _, tt := range tests {
		if got := format(t, tt.name).Rate(tt.room); got != tt.want {
			t.Errorf("%s in a room of %d runs at %d, want %d", tt.name, tt.room, got, tt.want)
		}
	}
}

func TestWrongRatesAreRefused(t *testing.T) {
	tests := []struct {
		format codec.Format
		rate   int
		reason string
	}{
		{format(t, "PCMU"), 16000, "CODEC_RATE_UNSUPPORTED"},
		{format(t, "PCMA"), 0, "CODEC_RATE_UNSUPPORTED"},
		{format(t, "G722"), 8000, "CODEC_RATE_UNSUPPORTED"},
		{format(t, "opus"), 44100, "CODEC_RATE_UNSUPPORTED"},
		{format(t, "opus"), -8000, "CODEC_RATE_UNSUPPORTED"},
		{format(t, "L16"), 8000, "CODEC_RATE_UNSUPPORTED"},
		{codec.Format{Name: "L16", ClockRate: 44100}, 44100, "CODEC_RATE_UNSUPPORTED"},
		{codec.Format{Name: "G729", ClockRate: 8000}, 8000, "CODEC_UNKNOWN"},
		{codec.Format{}, 8000, "CODEC_UNKNOWN"},
	}
	for _, tt := range tests {
		_, err := codec.NewDecoder(tt.format, tt.rate)
		if fault.ReasonOf(err) != tt.reason || fault.KindOf(err) != fault.Invalid {
			t.Errorf("decoder of %q at %d: %v, want %s", tt.format.Name, tt.rate, err, tt.reason)
		}
		if _, err := codec.NewEncoder(tt.format, tt.rate); fault.ReasonOf(err) != tt.reason {
			t.Errorf("encoder of %q at %d: %v, want %s", tt.format.Name, tt.rate, err, tt.reason)
		}
	}
}

func TestSpeechSurvivesEveryCodec(t *testing.T) {
	floor := map[string]float64{"PCMU": 35, "PCMA": 35, "G722": 25, "L16": 150, "opus": 12}
	none := func(int) int { return 0 }
	delays := map[string]func(rate int) int{
		"PCMU": none, "PCMA": none, "L16": none,
		"G722": func(int) int { return 22 },
		"opus": func(rate int) int { return rate * 13 / 2000 }, // 6.5 ms
	}
	for _, o := range everything() {
		t.Run(fmt.Sprintf("%s at %d", o.format.Name, o.rate), func(t *testing.T) {
			e, d := pair(t, o.format, o.rate)
			pcm := speech(o.rate, o.rate)
			got := decodeAll(t, d, encodeAll(t, e, pcm, o.rate), o.rate)
			if len(got) != len(pcm) {
				t.Fatalf("%d samples came back of %d", len(got), len(pcm))
			}
			delay := delays[o.format.Name](o.rate)
			if s := snr(pcm[:len(pcm)-delay], got[delay:]); s < floor[o.format.Name] {
				t.Errorf("SNR %.1f dB at a delay of %d samples, want %.0f", s, delay, floor[o.format.Name])
			}
		})
	}
}

func TestNothingAllocates(t *testing.T) {
	for _, o := range everything() {
		e, d := pair(t, o.format, o.rate)
		frame := speech(o.rate/50, o.rate)
		payload := make([]byte, codec.MaxPayload)
		pcm := make([]int16, o.rate*120/1000)
		n, err := e.Encode(payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		bad := make([]byte, codec.MaxPayload*4)
		steps := map[string]func(){
			"Encode":           func() { _, _ = e.Encode(payload, frame) },
			"Decode":           func() { _, _ = d.Decode(pcm, payload[:n]) },
			"Decode of errors": func() { _, _ = d.Decode(pcm, nil); _, _ = d.Decode(pcm[:1], bad) },
			"Conceal":          func() { d.Conceal(pcm[:len(frame)]) },
			"Recover":          func() { d.Recover(pcm[:len(frame)], payload[:n]) },
			"Reset":            func() { d.Reset(); e.Reset() },
			"Silent":           func() { codec.Silent(o.format, payload[:n]) },
		}
		for name, step := range steps {
			if allocs := testing.AllocsPerRun(20, step); allocs != 0 {
				t.Errorf("%s at %d: %s allocates %v times", o.format.Name, o.rate, name, allocs)
			}
		}
	}
}

func TestEncodersRefuseOtherFrames(t *testing.T) {
	for _, o := range everything() {
		e, _ := pair(t, o.format, o.rate)
		frame := make([]int16, o.rate/50)
		payload := make([]byte, codec.MaxPayload)
		for name, try := range map[string]func() (int, error){
			"an empty frame": func() (int, error) { return e.Encode(payload, nil) },
			"half a frame":   func() (int, error) { return e.Encode(payload, frame[:len(frame)/2]) },
			"two frames":     func() (int, error) { return e.Encode(payload, append(frame, frame...)) },
			"no room":        func() (int, error) { return e.Encode(nil, frame) },
		} {
			if n, err := try(); fault.ReasonOf(err) != "MEDIA_FRAME_INVALID" || n != 0 {
				t.Errorf("%s at %d took %s: %d, %v", o.format.Name, o.rate, name, n, err)
			}
		}
		if _, err := e.Encode(payload, frame); err != nil {
			t.Errorf("%s at %d is unusable after refusals: %v", o.format.Name, o.rate, err)
		}
	}
}

func TestDecodersRefuseBadPayloads(t *testing.T) {
	for _, o := range everything() {
		e, d := pair(t, o.format, o.rate)
		pcm := make([]int16, o.rate*120/1000)
		if _, err := d.Decode(pcm, nil); fault.ReasonOf(err) != "MEDIA_PAYLOAD_EMPTY" {
			t.Errorf("%s at %d: empty payload gave %v", o.format.Name, o.rate, err)
		}
		good := encodeAll(t, e, make([]int16, o.rate/50), o.rate)[0]
		if _, err := d.Decode(pcm[:o.rate/50-1], good); fault.ReasonOf(err) != "MEDIA_PAYLOAD_TOO_LONG" {
			t.Errorf("%s at %d: short room gave %v", o.format.Name, o.rate, err)
		}
		if n, err := d.Decode(pcm, good); err != nil || n != o.rate/50 {
			t.Errorf("%s at %d is unusable after refusals: %d, %v", o.format.Name, o.rate, n, err)
		}
	}
	odd := map[string][]byte{"L16": {1, 2, 3}, "opus": {0xff}}
	for name, payload := range odd {
		f := format(t, name)
		_, d := pair(t, f, f.SampleRate)
		if _, err := d.Decode(make([]int16, 5760), payload); fault.ReasonOf(err) != "MEDIA_PAYLOAD_INVALID" {
			t.Errorf("%s: malformed payload gave %v", name, err)
		}
	}
}

func TestSilent(t *testing.T) {
	fill := func(b byte, n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = b
		}
		return p
	}
	spoilt := fill(0xff, 160)
	spoilt[159] = 0xfe
	tests := []struct {
		name    string
		payload []byte
		want    bool
	}{
		{"PCMU", fill(0xff, 160), true},
		{"PCMU", fill(0x7f, 80), true},
		{"PCMU", append(fill(0xff, 80), fill(0x7f, 83)...), true},
		{"PCMU", spoilt, false},
		{"PCMU", fill(0xd5, 160), false},
		{"PCMU", nil, false},
		{"PCMA", fill(0xd5, 160), true},
		{"PCMA", fill(0x55, 161), true},
		{"PCMA", fill(0xff, 160), false},
		{"L16", fill(0, 640), true},
		{"L16", append(fill(0, 640), 0, 1), false},
		{"opus", []byte{0xf8}, true},
		{"opus", []byte{0xf8, 0}, true},
		{"opus", []byte{0xf8, 0xff, 0xfe}, false},
		{"opus", nil, false},
		{"G722", fill(0, 160), false},
	}
	for _, tt := range tests {
		if got := codec.Silent(format(t, tt.name), tt.payload); got != tt.want {
			t.Errorf("Silent(%s, %d bytes from %v) = %v", tt.name, len(tt.payload), tt.payload[:min(2, len(tt.payload))], got)
		}
	}
}
