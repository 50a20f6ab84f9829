package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording/page"
)

const id = "5e0f8a3c-8d2b-4b39-b9a5-1f6f3f0c9d11"

func start(t testing.TB, o Options) *Capture {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.ID, o.MinFree = id, 1
	c, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// moment is a tick at 8 kHz in which these tags say a number.
func moment(n int, tags ...string) mixer.Moment {
	m := mixer.Moment{Clock: uint64(n) * 960, Rate: 8000}
	for _, tag := range tags {
		frame := make([]int16, 160)
		for i := range frame {
			frame[i] = int16(n)
		}
		m.Voices = append(m.Voices, mixer.Voice{Tag: tag, Frame: frame})
	}
	return m
}

// pages reads a capture; all of it must be whole.
func pages(t *testing.T, path string) (list []page.Page, marks []page.Mark) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := page.NewReader(bytes.NewReader(b), page.StreamOf(id, nil))
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m, err := p.Mark(); err == nil {
			marks = append(marks, m)
		}
		list = append(list, p)
	}
	if len(r.Damages()) > 0 {
		t.Fatalf("damages %+v", r.Damages())
	}
	return list, marks
}

func find(marks []page.Mark, what string) (found []page.Mark) {
	for _, m := range marks {
		if m.Type == what {
			found = append(found, m)
		}
	}
	return found
}

func TestFilesArePrivate(t *testing.T) {
	c := start(t, Options{})
	defer c.Stop("")
	dir := filepath.Dir(c.file.name)
	for path, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, c.file.name: 0o600, filepath.Join(dir, reserveName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestSilenceCostsNothing captures an hour in which nobody speaks.
func TestSilenceCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		_ = c.Join(Lane{Tag: "a"})
		const ticks = 3600 * 50
		for n := range ticks {
			c.See(moment(n))
			if n%5000 == 0 {
				time.Sleep(pollEvery)
			}
		}
		c.Stop("")
		r := c.Result()
		info, err := os.Stat(r.Path)
		if err != nil || info.Size() > 5<<19 || r.Length != time.Hour {
			t.Fatalf("%v: %d bytes for %v", err, info.Size(), r.Length)
		}
	})
}

func TestSeeAllocatesNothing(t *testing.T) {
	c := start(t, Options{})
	defer c.Stop("")
	for _, tag := range []string{"a", "b", "c"} {
		_ = c.Join(Lane{Tag: tag})
	}
	m := moment(0, "a", "b", "c", "stranger")
	m.Played = m.Voices[0].Frame
	if n := testing.AllocsPerRun(1000, func() { c.See(m); m.Clock += 960 }); n != 0 {
		t.Fatalf("%v allocations per tick", n)
	}
}

// TestSlowDisk shows more than the ring holds while nobody takes it: the gap is as long as what was lost, and what came after is there.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Ring: 50 * (160 + recordHead)})
		_ = c.Join(Lane{Tag: "a"})
		const burst = 200 // in no time
		for n := range burst {
			c.See(moment(n, "a"))
		}
		lost := c.Lost()
		if lost == 0 {
			t.Fatal("the ring never was full")
		}
		time.Sleep(2 * pollEvery)
		for n := burst; n < burst+10; n++ {
			c.See(moment(n, "a"))
		}
		c.Stop("")
		r := c.Result()
		list, marks := pages(t, r.Path)
		gaps := find(marks, page.Gap)
		if len(gaps) != 1 || gaps[0].Length != lost*960 || gaps[0].Reason != "slow_disk" || r.Gaps != 1 || r.Lost != time.Duration(lost)*20*time.Millisecond {
			t.Fatalf("%+v, lost %d: %+v", gaps, lost, r)
		}
		if gaps[0].Clock != (burst-lost)*960 {
			t.Fatalf("gap at %d", gaps[0].Clock/960)
		}
		stored := 0
		for _, p := range list {
			s, err := p.Samples(nil)
			if err != nil {
				continue
			}
			for i, v := range s {
				if n := p.Clock/960 + uint64(i/160); uint64(v) != n {
					t.Fatalf("tick %d says %d", n, v)
				}
			}
			stored += len(s) / 160
		}
		if stored != burst+10-int(lost) {
			t.Fatalf("%d ticks are stored, %d lost", stored, lost)
		}
	})
}

func TestLateLoopIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		c.See(moment(10))
		c.See(moment(14))
		c.Stop("done")
		r := c.Result()
		_, marks := pages(t, r.Path)
		gaps := find(marks, page.Gap)
		if len(gaps) != 1 || gaps[0].Clock != 11*960 || gaps[0].Length != 3*960 || gaps[0].Reason != "late_loop" || r.Reason != "done" {
			t.Fatalf("%+v %+v", gaps, r)
		}
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Limit: time.Second})
		_ = c.Join(Lane{Tag: "a"})
		for n := range 80 {
			c.See(moment(n, "a"))
			time.Sleep(20 * time.Millisecond)
		}
		<-c.Done()
		if r := c.Result(); r.Reason != LimitReached || r.Length != time.Second || r.Kept != time.Second {
			t.Fatalf("%+v", r)
		}
		c.Stop("") // changes nothing
		if err := c.Pause("loud"); fault.ReasonOf(err) != "RECORDING_BEHAVIOR_UNKNOWN" {
			t.Fatal(err)
		}
	})
}

// TestRecover cuts a capture at every kind of place, as a crash would, and ends it twice.
func TestRecover(t *testing.T) {
	dir := t.TempDir()
	var whole []byte
	var kept time.Duration
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{Dir: dir, Meta: []byte(`{"a":1}`)})
		_ = c.Join(Lane{Tag: "a"})
		for n := range 100 {
			if n == 40 {
				_ = c.Pause(page.Skip)
			}
			if n == 60 {
				c.Resume()
			}
			c.See(moment(n+3, "a"))
			time.Sleep(20 * time.Millisecond)
		}
		// While it runs, nobody else ends it.
		if list, err := Recover(dir, nil); err != nil || len(list) != 0 {
			t.Fatalf("%v %+v", err, list)
		}
		var err error
		if whole, err = os.ReadFile(c.file.name); err != nil {
			t.Fatal(err)
		}
		c.Stop("")
		kept = c.Result().Kept
	})
	if kept != 80*20*time.Millisecond {
		t.Fatal(kept)
	}
	path := Path(dir, id)
	for cut := 0; cut <= len(whole); cut += 1 + len(whole)/97 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := Recover(dir, nil)
		if err != nil || len(list) != 1 || list[0].Reason != Interrupted || list[0].ID != id {
			t.Fatalf("cut at %d: %v %+v", cut, err, list)
		}
		if cut == len(whole) && kept-list[0].Kept > 120*time.Millisecond || list[0].Kept > kept {
			t.Fatalf("kept %v of %v", list[0].Kept, kept)
		}
		if cut > 1000 && string(list[0].Meta) != `{"a":1}` {
			t.Fatalf("meta %s", list[0].Meta)
		}
		size := stat(t, path)
		again, err := Recover(dir, nil)
		if err != nil || len(again) != 1 || again[0].Kept != list[0].Kept || again[0].Reason != Interrupted || stat(t, path) != size {
			t.Fatalf("cut at %d: again %v %+v, before %+v", cut, err, again, list)
		}
		pages(t, path)
	}
	if err := Settle(dir, id); err != nil {
		t.Fatal(err)
	}
	if list, err := Recover(dir, nil); err != nil || len(list) != 0 {
		t.Fatalf("%v %+v", err, list)
	}
	if err := Remove(dir, id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

func stat(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestStartRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o      Options
		reason string
	}{
		{Options{Dir: dir, ID: "../x", MinFree: 1}, "RECORDING_ID_INVALID"},
		{Options{Dir: dir, ID: "", MinFree: 1}, "RECORDING_ID_INVALID"},
		{Options{Dir: dir, ID: id, MinFree: 1 << 62}, "DISK_FULL"},
		{Options{Dir: file, ID: id, MinFree: 1}, "RECORDING_FOLDER_UNWRITABLE"},
		{Options{Dir: dir, ID: id, MinFree: 1, Meta: make([]byte, maxMeta+1)}, "RECORDING_META_TOO_LONG"},
	} {
		if _, err := Start(c.o); fault.ReasonOf(err) != c.reason {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	if list, err := Recover(filepath.Join(dir, "none"), nil); err != nil || list != nil {
		t.Error(list, err)
	}
}

// small mounts a disk of some KiB and skips loudly where that is not allowed.
func small(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("parley", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("NOT TESTED: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull fills a small disk: the capture tries, ends by itself, says why, and is readable up to there.
func TestDiskFull(t *testing.T) {
	dir := small(t, "256k")
	c := start(t, Options{Dir: dir, GiveUp: 300 * time.Millisecond})
	_ = c.Join(Lane{Tag: "a"})
	noise := make([]int16, 160)
	ticks, ticker := 0, time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for running := true; running; ticks++ {
		for i := range noise {
			noise[i] = int16((ticks*160 + i) * 7919)
		}
		m := moment(ticks)
		m.Voices = []mixer.Voice{{Tag: "a", Frame: noise}}
		began := time.Now()
		c.See(m)
		if d := time.Since(began); d > 10*time.Millisecond {
			t.Logf("a tick waited %v", d)
		}
		select {
		case <-c.Done():
			running = false
		case <-ticker.C:
		}
	}
	r := c.Result()
	if r.Reason != DiskFull || r.Error == "" || r.Gaps == 0 {
		t.Fatalf("%+v", r)
	}
	list, marks := pages(t, r.Path)
	if end := find(marks, page.End); len(end) != 1 || end[0].Reason != DiskFull {
		t.Fatalf("%+v", end)
	}
	stored := 0
	for _, p := range list {
		stored += p.Count
	}
	if stored < 50_000 {
		t.Fatalf("%d samples are stored", stored)
	}
	if list, err := Recover(dir, nil); err != nil || len(list) != 1 || list[0].Reason != DiskFull {
		t.Fatalf("%v %+v", err, list)
	}
}

// BenchmarkTick is what a tick of a room with 100 lanes costs while three talk at 48 kHz: the loop's part, and the whole with packing and
// writing.
func BenchmarkTick(b *testing.B) {
	for _, name := range []string{"see", "see, pack and write"} {
		b.Run(name, func(b *testing.B) {
			c := &Capture{members: map[string]*member{}, used: 1}
			c.ring, c.limit = newRing(ringSamples), 1<<62
			c.lanes.Store(&map[string]uint16{})
			out := filepath.Join(b.TempDir(), "scratch")
			for n := range 100 {
				_ = c.Join(Lane{Tag: string(rune('A' + n))})
			}
			m := mixer.Moment{Rate: 48000}
			for n := range 3 {
				frame := make([]int16, 960)
				for i := range frame {
					frame[i] = int16(i*i%3000 + n)
				}
				m.Voices = append(m.Voices, mixer.Voice{Tag: string(rune('A' + 30*n)), Frame: frame})
			}
			b.ReportAllocs()
			frame := make([]int16, 960)
			book := book{}
			for b.Loop() {
				c.See(m)
				m.Clock += 960
				if name == "see" {
					c.ring.read.Store(c.ring.wrote.Load())
					continue
				}
				book.began = true
				for {
					r, body, ok := c.ring.next(frame)
					if !ok {
						break
					}
					book.take(r, body)
				}
				if len(book.pages) > 0 {
					if err := os.WriteFile(out, book.pages, 0o600); err != nil {
						b.Fatal(err)
					}
					book.drop()
				}
			}
		})
	}
}
