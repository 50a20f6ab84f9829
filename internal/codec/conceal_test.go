package codec_test

import (
	"math"
	"math/rand/v2"
	"testing"
)

var waveforms = []string{"PCMU", "PCMA", "G722", "L16"}

// heard decodes speech with the packets that lost names missing, and again without loss.
func heard(t *testing.T, name string, pcm []int16, lost func(int) bool) (whole, patched []int16) {
	t.Helper()
	f := format(t, name)
	e, d := pair(t, f, f.SampleRate)
	packets := encodeAll(t, e, pcm, f.SampleRate)
	whole = decodeAll(t, d, packets, f.SampleRate)
	_, d = pair(t, f, f.SampleRate)
	for i := range packets {
		if lost(i) {
			packets[i] = nil
		}
	}
	return whole, decodeAll(t, d, packets, f.SampleRate)
}

// TestConcealmentBeatsSilence compares with what a decoder gives whose lost packets are played as silence; the packet after a loss
// counts too, because there G.722 and Opus have yet to find back.
func TestConcealmentBeatsSilence(t *testing.T) {
	for _, name := range append(waveforms, "opus") {
		f := format(t, name)
		r := rand.New(rand.NewPCG(3, 4))
		missing := map[int]bool{}
		for i := 10; i < 300; i++ {
			missing[i] = r.IntN(20) == 0
		}
		whole, patched := heard(t, name, speech(6*f.SampleRate, f.SampleRate), func(i int) bool { return missing[i] })
		silenced := append([]int16(nil), patched...)
		for i, lost := range missing {
			if n := f.SampleRate / 50; lost {
				clear(silenced[i*n : (i+1)*n])
			}
		}
		with, without := snr(whole, patched), snr(whole, silenced)
		t.Logf("%s: %.1f dB with concealment, %.1f dB with silence", name, with, without)
		if with < without+1 {
			t.Errorf("%s: %.1f dB with concealment, %.1f dB with silence", name, with, without)
		}
	}
}

func TestConcealmentDoesNotClick(t *testing.T) {
	for _, name := range waveforms {
		f := format(t, name)
		for _, length := range []int{1, 2, 3, 8} {
			whole, patched := heard(t, name, speech(f.SampleRate*3/2, f.SampleRate), func(i int) bool { return i > 10 && i%23 < length })
			if got, most := steepest(patched), steepest(whole)*5/4+200; got > most {
				t.Errorf("%s: %d packets lost make a step of %d, speech has %d", name, length, got, steepest(whole))
			}
		}
	}
}

func TestConcealmentKeepsPitch(t *testing.T) {
	for _, name := range waveforms {
		f := format(t, name)
		for _, hz := range []float64{100, 187, 250, 440} {
			n := f.SampleRate / 50
			whole, patched := heard(t, name, sine(f.SampleRate, f.SampleRate, hz, 12000), func(i int) bool { return i == 25 })
			gap := patched[25*n : 25*n+n/2] // at full level
			if s := snr(whole[25*n:25*n+n/2], gap); s < 12 {
				t.Errorf("%s: a gap in %.0f Hz is filled at %.1f dB", name, hz, s)
			}
		}
	}
}

func TestConcealmentFadesToSilence(t *testing.T) {
	for _, o := range everything() {
		e, d := pair(t, o.format, o.rate)
		out := decodeAll(t, d, encodeAll(t, e, speech(o.rate, o.rate), o.rate), o.rate)
		level, gap := rms(out), make([]int16, o.rate/50)
		silentAfter := 60
		if o.format.Name == "opus" {
			silentAfter = 160
		}
		for at := 0; at < 400; at += 20 {
			d.Conceal(gap)
			switch got := rms(gap); {
			case at == 0 && got < level/8:
				t.Errorf("%s at %d: the first lost frame has %.0f after %.0f", o.format.Name, o.rate, got, level)
			case at >= silentAfter && got != 0:
				t.Errorf("%s at %d: %.1f left after %d ms", o.format.Name, o.rate, got, at)
			}
		}
	}
}

func TestConcealmentTakesHalfFrames(t *testing.T) {
	for _, o := range everything() {
		e, d := pair(t, o.format, o.rate)
		packets := encodeAll(t, e, speech(o.rate/2, o.rate), o.rate)
		decodeAll(t, d, packets, o.rate)
		ten := make([]int16, o.rate/100)
		d.Conceal(ten)
		if rms(ten) == 0 {
			t.Errorf("%s at %d: 10 ms are silent", o.format.Name, o.rate)
		}
		d.Conceal(nil)
		d.Conceal(ten[:7]) // no length of a codec: anything but a crash
		if _, err := d.Decode(make([]int16, o.rate*120/1000), packets[0]); err != nil {
			t.Errorf("%s at %d: %v after a loss", o.format.Name, o.rate, err)
		}
	}
}

func TestConcealmentOfNothingIsSilence(t *testing.T) {
	for _, o := range everything() {
		e, d := pair(t, o.format, o.rate)
		gap := make([]int16, o.rate/50)
		try := func(when string) {
			for i := range gap {
				gap[i] = 99
			}
			if d.Conceal(gap); rms(gap) != 0 {
				t.Errorf("%s at %d: sound %s", o.format.Name, o.rate, when)
			}
		}
		try("before the first packet")
		decodeAll(t, d, encodeAll(t, e, speech(o.rate/2, o.rate), o.rate), o.rate)
		d.Reset()
		try("after a reset")
		if d.Recover(gap, []byte{0}) {
			t.Errorf("%s at %d: recovers from nothing", o.format.Name, o.rate)
		}
	}
}

func TestG722ComesBackAfterLoss(t *testing.T) {
	whole, patched := heard(t, "G722", speech(4*16000, 16000), func(i int) bool { return i > 10 && i%10 == 0 })
	var worst float64 = 100
	for i := 20; i < 190; i += 10 {
		at := i*320 + 320 + 160 // from 10 ms after the gap
		worst = math.Min(worst, snr(whole[at:at+640], patched[at:at+640]))
	}
	t.Logf("worst SNR from 10 ms after a gap: %.1f dB", worst)
	if worst < 3 {
		t.Errorf("worst SNR from 10 ms after a gap: %.1f dB", worst)
	}
}
