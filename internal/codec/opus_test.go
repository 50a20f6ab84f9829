package codec_test

import (
	"testing"

	"parley/internal/codec"
)

// mode is the coding mode of an Opus packet (RFC 6716 section 3.1).
func mode(packet []byte) string {
	switch config := packet[0] >> 3; {
	case config < 12:
		return "speech"
	case config < 16:
		return "hybrid"
	}
	return "transform"
}

func TestOpusChoosesItsModeByLoss(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		e, d := pair(t, format(t, "opus"), rate)
		pcm := speech(rate, rate)
		last := func() string {
			packets := encodeAll(t, e, pcm, rate)
			decodeAll(t, d, packets, rate)
			return mode(packets[len(packets)-1])
		}
		if got := last(); got != "transform" {
			t.Errorf("at %d without loss: %s", rate, got)
		}
		e.(*codec.OpusEncoder).SetPacketLoss(10)
		if got := last(); got == "transform" {
			t.Errorf("at %d with loss: %s", rate, got)
		}
		e.Reset()
		if got := last(); got == "transform" {
			t.Errorf("at %d with loss, after a reset: %s", rate, got)
		}
		e.(*codec.OpusEncoder).SetPacketLoss(0)
		if got := last(); got != "transform" {
			t.Errorf("at %d without loss again: %s", rate, got)
		}
	}
}

func TestOpusRecoversLostFrames(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		e, d := pair(t, format(t, "opus"), rate)
		_, concealing := pair(t, format(t, "opus"), rate)
		e.(*codec.OpusEncoder).SetPacketLoss(20)
		n := rate / 50
		packets := encodeAll(t, e, speech(4*rate, rate), rate)
		_, clean := pair(t, format(t, "opus"), rate)
		whole := decodeAll(t, clean, packets, rate)

		var recovered, concealed []int16
		buf, found := make([]int16, rate*120/1000), 0
		for i := 0; i < len(packets); i++ {
			if i%8 == 7 && i+1 < len(packets) {
				if d.Recover(buf[:n], packets[i+1]) {
					found++
				} else {
					d.Conceal(buf[:n])
				}
				recovered = append(recovered, buf[:n]...)
				concealing.Conceal(buf[:n])
				concealed = append(concealed, buf[:n]...)
				continue
			}
			recovered = append(recovered, decodeAll(t, d, packets[i:i+1], rate)...)
			concealed = append(concealed, decodeAll(t, concealing, packets[i:i+1], rate)...)
		}
		with, without := snr(whole, recovered), snr(whole, concealed)
		t.Logf("at %d: %d frames recovered, %.1f dB against %.1f dB", rate, found, with, without)
		if found < len(packets)/16 || with < without+3 {
			t.Errorf("at %d: %d frames recovered, %.1f dB against %.1f dB concealed", rate, found, with, without)
		}
	}
}

func TestOpusRecoversOnlyFromRedundancy(t *testing.T) {
	const rate = 48000
	e, d := pair(t, format(t, "opus"), rate)
	packets := encodeAll(t, e, speech(rate, rate), rate)
	decodeAll(t, d, packets, rate)
	frame := make([]int16, rate/50)
	frame[0], frame[959] = 77, 78
	next := map[string][]byte{
		"transform mode":    packets[3],
		"nothing":           nil,
		"a header only":     {0x48},
		"two bytes of DTX":  {0x48, 0},
		"a malformed count": {0x4b, 0xff, 0xff, 0xff},
	}
	for name, packet := range next {
		if d.Recover(frame, packet) || frame[0] != 77 || frame[959] != 78 {
			t.Errorf("recovered from %s", name)
		}
	}
	e.(*codec.OpusEncoder).SetPacketLoss(20)
	packets = encodeAll(t, e, speech(rate, rate), rate)
	decodeAll(t, d, packets[:30], rate)
	if short := frame[:480]; d.Recover(short, packets[31]) {
		t.Error("recovered 20 ms into 10")
	}
	if !d.Recover(frame, packets[31]) {
		t.Error("did not recover what is there")
	}
}

// TestOpusListenerMayComeFromAnotherEncoder moves a decoder to another encoder's stream: with Refresh on the first packet it
// follows better than without, and no worse than after Reset.
func TestOpusListenerMayComeFromAnotherEncoder(t *testing.T) {
	const rate, n = 48000, 960
	form := format(t, "opus")
	pcm := speech(2*rate, rate)
	after := func(change func(*codec.OpusEncoder)) float64 {
		other, d := pair(t, form, rate)
		decodeAll(t, d, encodeAll(t, other, sine(rate, rate, 3100, 20000), rate), rate)
		e, own := pair(t, form, rate)
		decodeAll(t, own, encodeAll(t, e, pcm[:rate], rate), rate)
		change(e.(*codec.OpusEncoder))
		packets := encodeAll(t, e, pcm[rate:], rate)
		want := decodeAll(t, own, packets, rate)
		got := decodeAll(t, d, packets, rate)
		return snr(want[n/2:4*n], got[n/2:4*n])
	}
	plain := after(func(*codec.OpusEncoder) {})
	refreshed := after((*codec.OpusEncoder).Refresh)
	reset := after((*codec.OpusEncoder).Reset)
	t.Logf("agreement in the first frames: %.1f dB, with Refresh %.1f dB, with Reset %.1f dB", plain, refreshed, reset)
	if refreshed < plain+6 || refreshed < 20 || reset < 20 {
		t.Errorf("agreement in the first frames: %.1f dB, with Refresh %.1f dB, with Reset %.1f dB", plain, refreshed, reset)
	}
}

func TestOpusPacketsAreSmall(t *testing.T) {
	for _, rate := range []int{8000, 12000, 16000, 24000, 48000} {
		e, _ := pair(t, format(t, "opus"), rate)
		total := 0
		for _, p := range encodeAll(t, e, speech(4*rate, rate), rate) {
			total += len(p)
		}
		if kbits := total * 8 / 4 / 1000; kbits > 54 || kbits < 16 {
			t.Errorf("at %d: %d kbit/s", rate, kbits)
		}
	}
}
