package recording_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/internal/blob/dir"
	"parley/internal/mixer"
	"parley/internal/recording"
	"parley/internal/recording/capture"
	"parley/internal/recording/render"
)

const (
	killLanes  = 5
	tickLength = 20 * time.Millisecond
	killEnv    = "PARLEY_TEST_CAPTURE_DIR"
)

func TestMain(m *testing.M) {
	if d := os.Getenv(killEnv); d != "" {
		victim(d)
		return
	}
	os.Exit(m.Run())
}

func killID(room int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", room) }

// said is what a lane says at a tick: the number of the tick and who it is, in samples that say so by themselves.
func said(frame []int16, room, lane, tick int) {
	for i := range frame {
		switch i % 4 {
		case 0:
			frame[i] = int16(tick & 0x3fff)
		case 1:
			frame[i] = int16(tick >> 14)
		case 2:
			frame[i] = int16(room*100 + lane)
		default:
			frame[i] = int16(i)
		}
	}
}

// killKey has every other victim encrypt what it captures.
func killKey(d string) []byte {
	if strings.HasSuffix(d, "sealed") {
		return []byte("a key for those that are killed..")
	}
	return nil
}

// victim captures two rooms until it is killed, and says after each tick how far the clock is.
func victim(d string) {
	l := recording.New(recording.Options{Dir: d, Capture: capture.Options{MinFree: 1, Key: killKey(d)}})
	var rooms []*capture.Capture
	for room := range 2 {
		c, err := l.Start(capture.Options{ID: killID(room)})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for lane := range killLanes {
			_ = c.Join(capture.Lane{Tag: fmt.Sprint("lane", lane)})
		}
		rooms = append(rooms, c)
	}
	frame := make([]int16, 160)
	began := time.Now()
	for tick := 0; ; tick++ {
		for room, c := range rooms {
			m := mixer.Moment{Clock: uint64(tick) * 960, Rate: 8000}
			for lane := range killLanes {
				said(frame, room, lane, tick)
				m.Voices = append(m.Voices, mixer.Voice{Tag: fmt.Sprint("lane", lane), Frame: bytes2(frame)})
			}
			c.See(m)
		}
		fmt.Println(tick, time.Since(began).Milliseconds())
		<-time.After(time.Until(began.Add(time.Duration(tick+1) * 20 * time.Millisecond)))
	}
}

func bytes2(frame []int16) []int16 { return append([]int16(nil), frame...) }

// TestKill kills a program that records, at moments nobody knows, and wants every file back: at most 200 ms missing, every sample where
// and whose it was. PARLEY_TEST_KILLS says how often.
func TestKill(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("PARLEY_TEST_KILLS")); err == nil {
		kills = n
	}
	worst := time.Duration(0)
	for n := range kills {
		d := filepath.Join(t.TempDir(), []string{"open", "sealed"}[n%2])
		shown := killOnce(t, d, time.Duration(300+rand.IntN(1200))*time.Millisecond)
		missing := judge(t, d, shown)
		worst = max(worst, missing)
		if t.Failed() {
			t.Fatalf("after kill %d at tick %d", n, len(shown)-1)
		}
	}
	t.Logf("%d kills, at most %v missing", kills, worst)
}

// killOnce returns when the victim had shown each tick, as far as it came to say so. A victim that was kept from running shows what is due at once.
func killOnce(t *testing.T, d string, after time.Duration) (shown []time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+d)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var tick, at int
		if n, _ := fmt.Sscanf(lines.Text(), "%d %d", &tick, &at); n != 2 {
			break // cut off by the kill
		}
		if tick != len(shown) {
			t.Fatalf("after %d ticks comes %d", len(shown), tick)
		}
		shown = append(shown, time.Duration(at)*time.Millisecond)
	}
	_ = cmd.Wait()
	return shown
}

// gone returns how long before its death the victim had shown what is missing of a capture of that length. While the machine kept the victim from
// running it could neither show nor store: of such a time two ticks count.
func gone(shown []time.Duration, length time.Duration) time.Duration {
	first := int(length / tickLength)
	if first >= len(shown) {
		return 0
	}
	missing := tickLength
	for n := first + 1; n < len(shown); n++ {
		missing += min(shown[n]-shown[n-1], 2*tickLength)
	}
	return missing
}

// judge recovers what the victim left and returns the most that is missing.
func judge(t *testing.T, d string, shown []time.Duration) (missing time.Duration) {
	t.Helper()
	store, err := dir.Open(filepath.Join(d, "..", "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	l := recording.New(recording.Options{Dir: d, Blobs: store, Capture: capture.Options{Key: killKey(d)}})
	began := time.Now()
	list, err := l.Recover()
	if took := time.Since(began); err != nil || took > 2*time.Second {
		t.Fatalf("recovery took %v: %v", took, err)
	}
	if len(shown) > 0 && len(list) != 2 {
		t.Fatalf("%d captures after %d ticks", len(list), len(shown))
	}
	again, err := l.Recover()
	if err != nil || len(again) != len(list) {
		t.Fatalf("%v: %d captures, then %d", err, len(list), len(again))
	}
	for _, r := range list {
		if r.Reason != capture.Interrupted {
			t.Errorf("%+v", r)
		}
		missing = max(missing, gone(shown, r.Length))
		if r.Length > 0 {
			channels(t, l, r)
		}
	}
	if missing > 200*time.Millisecond {
		t.Errorf("%v are missing", missing)
	}
	return missing
}

// channels wants every lane of a recording to say what it said, where it said it.
func channels(t *testing.T, l *recording.Library, r capture.Result) {
	t.Helper()
	ctx := context.Background()
	f, err := l.Rendition(ctx, r.ID, render.Rendition{Kind: render.Channels, Format: render.WAV})
	if err != nil {
		t.Error(err)
		return
	}
	m, err := l.Manifest(ctx, r.ID)
	if err != nil || len(m.Damages) > 0 || len(m.Gaps) > 0 {
		t.Errorf("%v: %+v %+v", err, m.Damages, m.Gaps)
	}
	body, err := l.Open(ctx, f, 68, -1)
	if err != nil {
		t.Error(err)
		return
	}
	defer body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(body); err != nil {
		t.Error(err)
	}
	ticks := int(r.Length / (20 * time.Millisecond))
	if b.Len() != ticks*160*killLanes*2 {
		t.Errorf("%d bytes for %d ticks", b.Len(), ticks)
		return
	}
	room := int(r.ID[len(r.ID)-1] - '0')
	frame := make([]int16, 160)
	for tick := range ticks {
		for lane := range killLanes {
			said(frame, room, lane, tick)
			for i, want := range frame {
				at := ((tick*160+i)*killLanes + lane) * 2
				if got := int16(binary.LittleEndian.Uint16(b.Bytes()[at:])); got != want {
					t.Errorf("room %d, lane %d, tick %d, sample %d: %d, want %d", room, lane, tick, i, got, want)
					return
				}
			}
		}
	}
	plays(t, l, r)
}

// plays has others open the mix.
func plays(t *testing.T, l *recording.Library, r capture.Result) {
	t.Helper()
	for _, format := range []string{render.WAV, render.Ogg} {
		f, err := l.Rendition(context.Background(), r.ID, render.Rendition{Kind: render.Mix, Format: format})
		if err != nil {
			t.Error(err)
			return
		}
		path := filepath.Join(filepath.Dir(r.Path), "..", "..", "blobs", filepath.FromSlash(f.Key))
		for _, program := range [][]string{{"ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"}, {"sox", path, "-n", "stat"}} {
			if program[0] == "sox" && format == render.Ogg {
				continue // many a sox is built without Opus
			}
			name, err := exec.LookPath(program[0])
			if err != nil {
				t.Logf("NOT TESTED: %s is not installed", program[0])
				continue
			}
			if out, err := exec.Command(name, program[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", program[0], err, out)
			}
		}
	}
}
