package render

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"parley/internal/audio"
)

// tool returns a program of others that judges our files.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT TESTED: %s is not installed", name)
	}
	return path
}

// tone is what channel c says.
func tone(c, rate, n int) []int16 {
	s := make([]int16, n)
	for i := range s {
		s[i] = int16(9000 * math.Sin(2*math.Pi*float64(i)*float64(300+150*c)/float64(rate)))
	}
	return s
}

// oggFile makes a file of some ticks; odd channels are silent in the middle.
func oggFile(t *testing.T, rate, channels, ticks int) []byte {
	t.Helper()
	var b bytes.Buffer
	o, err := newOgg(&b, rate, channels, 99)
	if err != nil {
		t.Fatal(err)
	}
	n := audio.FrameSamples(rate)
	voices := make([][]int16, channels)
	for c := range voices {
		voices[c] = tone(c, rate, ticks*n)
	}
	frames := make([][]int16, channels)
	for k := range ticks {
		for c := range frames {
			frames[c] = voices[c][k*n : (k+1)*n]
			if c%2 == 1 && k > ticks/4 && k < ticks*3/4 {
				frames[c] = nil
			}
		}
		if err := o.frames(frames); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestOggInFFmpeg has ffmpeg decode what we wrote: right length, each tone in its channel, at the right place.
func TestOggInFFmpeg(t *testing.T) {
	ffmpeg := tool(t, "ffmpeg")
	for _, c := range []struct{ rate, channels, ticks int }{
		{8000, 1, 173}, {16000, 2, 100}, {48000, 1, 500}, {48000, 5, 200}, {16000, 20, 130},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.ogg")
			if err := os.WriteFile(path, oggFile(t, c.rate, c.channels, c.ticks), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(ffmpeg, "-v", "warning", "-xerror", "-i", path, "-f", "s16le", "-ar", "48000", "-")
			var complaints bytes.Buffer
			cmd.Stderr = &complaints
			raw, err := cmd.Output()
			said := strings.TrimSpace(complaints.String())
			if err != nil || said != "" && !strings.Contains(said, "Guessed Channel Layout") {
				t.Fatalf("%v: %s", err, said)
			}
			if n := len(raw) / 2 / c.channels; n != c.ticks*960 {
				t.Fatalf("%d samples, want %d", n, c.ticks*960)
			}
			for ch := range c.channels {
				compare(t, raw, ch, c.channels, c.ticks)
			}
		})
	}
}

// compare wants a channel of the decoded file to be its tone, in the first fifth, where all speak.
func compare(t *testing.T, raw []byte, ch, channels, ticks int) {
	t.Helper()
	n := ticks * 960 / 5
	want := tone(ch, 48000, n)
	var product, mine, theirs float64
	for i := range want {
		v := float64(int16(binary.LittleEndian.Uint16(raw[2*(i*channels+ch):])))
		product += v * float64(want[i])
		mine += float64(want[i]) * float64(want[i])
		theirs += v * v
	}
	if like := product / math.Sqrt(mine*theirs); like < 0.97 {
		t.Errorf("channel %d is like its tone by %.3f", ch, like)
	}
}

func TestOpusInfo(t *testing.T) {
	opusinfo := tool(t, "opusinfo")
	path := filepath.Join(t.TempDir(), "x.ogg")
	if err := os.WriteFile(path, oggFile(t, 16000, 1, 3000), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(opusinfo, path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "WARNING") || !strings.Contains(string(out), "Playback length: 1m:00") {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestWAVHead(t *testing.T) {
	const rate = 48000
	small, large := wavHead(rate, 1, 1<<30), wavHead(rate, 1, 1<<31+5)
	if string(small[:4]) != "RIFF" || binary.LittleEndian.Uint32(small[4:]) != 1<<31+36 || len(small) != 44 {
		t.Errorf("% x", small)
	}
	if string(large[:4]) != "RF64" || string(large[12:16]) != "ds64" || binary.LittleEndian.Uint64(large[28:]) != 1<<32+10 {
		t.Errorf("% x", large)
	}
}

// TestRF64 has others read a file of more than 4 GiB, which costs no disk because it has a hole.
func TestRF64(t *testing.T) {
	ffprobe := tool(t, "ffprobe")
	const rate, samples = 48000, 48000 * 60 * 60 * 24 // a day: 8.3 GB
	head := wavHead(rate, 1, samples)
	path := filepath.Join(t.TempDir(), "x.wav")
	if err := os.WriteFile(path, head, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(head))+2*samples); err != nil {
		t.Skipf("NOT TESTED: no file of 8 GB: %v", err)
	}
	out, err := exec.Command(ffprobe, "-v", "error", "-show_entries", "stream=duration,channels,sample_rate", "-of", "csv=p=0", path).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "48000,1,86400.000000" {
		t.Errorf("ffprobe: %v: %s", err, out)
	}
}

func TestWAVOfManyChannels(t *testing.T) {
	sox := tool(t, "sox")
	for _, channels := range []int{1, 2, 3, 11} {
		var b bytes.Buffer
		const ticks = 40
		w, err := newWAV(&b, 16000, channels, ticks*320)
		if err != nil {
			t.Fatal(err)
		}
		frames := make([][]int16, channels)
		frames[channels-1] = tone(0, 16000, 320)
		for range ticks {
			if err := w.frames(frames); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(t.TempDir(), "x.wav")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		for flag, want := range map[string]int{"-c": channels, "-s": ticks * 320, "-r": 16000} {
			out, err := exec.Command(sox, "--info", flag, path).CombinedOutput()
			if got, _ := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || got != want {
				t.Errorf("%d channels: sox %s says %s, want %d (%v)", channels, flag, out, want, err)
			}
		}
	}
}
