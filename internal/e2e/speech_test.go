package e2e

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// sentences are what the phones of TestSpeech say where no recorded speech is at hand.
var sentences = []struct{ program, voice, text string }{
	{"flite", "slt", "Good morning everybody, this is Anna. Shall we begin with the numbers of last week?"},
	{"espeak-ng", "en-gb", "Hello, Ben speaking. I have read the report, and I have two questions about it."},
	{"flite", "rms", "Carol here. The new telephones arrived on Thursday, all forty of them."},
}

// shared returns a path among the test material that may stand beside the repository, or "" where there is none.
func shared(path ...string) string {
	root := os.Getenv("PARLEY_SHARED")
	if root == "" {
		root = "../../../shared"
	}
	full, err := filepath.Abs(filepath.Join(append([]string{root}, path...)...))
	if err != nil {
		return ""
	}
	if _, err := os.Stat(full); err != nil {
		return ""
	}
	return full
}

// madeSpeech returns the sentences, said by speech synthesis, at a rate.
func madeSpeech(t *testing.T) func(i, rate int) []int16 {
	needs(t, "flite", "espeak-ng", "sox")
	dir := t.TempDir()
	return func(i, rate int) []int16 {
		s := sentences[i]
		file := filepath.Join(dir, strconv.Itoa(i)+".wav")
		say := exec.Command("flite", "-voice", s.voice, "-t", s.text, "-o", file)
		if s.program == "espeak-ng" {
			say = exec.Command("espeak-ng", "-v", s.voice, "-w", file, s.text)
		}
		if out, err := say.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", say, err, out)
		}
		return resampled(t, file, rate)
	}
}

// resampled reads a file at another rate, at the loudness of speech on the telephone.
func resampled(t *testing.T, file string, rate int) []int16 {
	t.Helper()
	convert := exec.Command("sox", file, "-r", strconv.Itoa(rate), "-c", "1", "-b", "16", "-t", "wav", "-", "gain", "-n", "-9")
	var problems bytes.Buffer
	convert.Stderr = &problems
	out, err := convert.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", convert, err, problems.String())
	}
	_, samples := parseWAV(out)
	return samples
}

// repeated returns the samples, each time followed by a pause, until they last d.
func repeated(samples []int16, rate int, pause, d time.Duration) []int16 {
	var out []int16
	for len(out) < int(d.Seconds()*float64(rate)) {
		out = append(append(out, samples...), make([]int16, int(pause.Seconds()*float64(rate)))...)
	}
	return out
}

// TestSpeech has three people talk at the same time, each with a codec and pauses of its own: every phone hears the words of both
// others and not its own.
//
// It runs alone: the likeness of what is heard to what is said is judged by phase, where the stalls of a crowded machine count too.
func TestSpeech(t *testing.T) {
	needs(t, "baresip", "sox")
	t.Run("made", func(t *testing.T) { conversation(t, madeSpeech(t)) })
	t.Run("recorded", func(t *testing.T) {
		clips := []string{
			shared("speech", "meeting", "01-anna.wav"), shared("speech", "other", "jfk.wav"), shared("speech", "prompts", "conf-usermenu.wav"),
		}
		for _, c := range clips {
			if c == "" {
				t.Skip("no recorded speech at hand")
			}
		}
		conversation(t, func(i, rate int) []int16 { return resampled(t, clips[i], rate) })
	})
}

func conversation(t *testing.T, speech func(i, rate int) []int16) {
	s := start(t)
	room := s.conference(nil)
	var phones []*phone
	var words [][]float64
	for i, codec := range []string{"PCMA", "G722", "opus"} {
		rate := codecs[codec].rate
		said := speech(i, rate)
		words = append(words, narrow(rate, said[:min(len(said), 6*rate)]))
		p := newPhone(t, codec, repeated(said, rate, time.Duration(400+300*i)*time.Millisecond, 90*time.Second), account{})
		p.enter("sip:conference:" + room + "@" + s.sip)
		phones = append(phones, p)
	}
	s.wait(room, "conferencecall_joined", len(phones))
	phones[0].hears(12 * time.Second)
	for i, p := range phones {
		rate, samples := p.heard()
		heard := narrow(rate, samples)
		var own float64
		least := math.Inf(1)
		for j, said := range words {
			found := likeness(heard, said)
			t.Logf("phone %d heard phone %d: likeness %.1f", i, j, found)
			if i == j {
				own = found
				continue
			}
			least = min(least, found)
			if found < 18 {
				t.Errorf("phone %d does not hear phone %d: likeness %.1f", i, j, found)
			}
		}
		// Words of the same voice are alike by chance, and more so where others stalled; its own voice in the mix would be as much there as theirs.
		if own > max(14, 0.3*least) {
			t.Errorf("phone %d hears itself: likeness %.1f, of the others at least %.1f", i, own, least)
		}
	}
}
