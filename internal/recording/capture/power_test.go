package capture

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/blob/disk"
	"parley/internal/blob/disk/disktest"
	"parley/internal/recording/page"
)

// lossMost is what of the sound a power loss may take: two cells that are collected, the poll that finds them, the sync that waits its turn, the cell that is
// given up where the disk was in the middle of one.
const lossMost = 400 * time.Millisecond

// blackout is a capture on a disk that forgets, and what is promised of it.
type blackout struct {
	*testing.T
	v *disktest.Volatile

	mu   sync.Mutex // guards what follows
	r    *rand.Rand
	said time.Duration // of sound was shown so far

	started, stopped, settling, settled, removed bool
	losses                                       int
}

// now notes what has happened.
func (b *blackout) now(what func()) {
	b.mu.Lock()
	what()
	b.mu.Unlock()
	b.loss()
}

// loss looks at what is left after a power loss right now, once as little as can be, once with whatever the disk has kept besides.
func (b *blackout) loss() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.losses++
	synced := int64(0)
	for _, pick := range []*rand.Rand{nil, b.r} {
		dir := filepath.Join(b.v.Crash(b.T, pick), "data", "recordings")
		if info, err := os.Stat(Path(dir, id)); err == nil && pick == nil {
			synced = info.Size()
		}
		found, err := recoverAll(disk.OS, dir, nil)
		if err != nil {
			b.Errorf("recover: %v", err)
		}
		again, err := recoverAll(disk.OS, dir, nil)
		if err != nil || len(again) != len(found) {
			b.Errorf("recovered again %+v, before %+v (%v)", again, found, err)
		}
		b.judge(found, pick != nil)
		for _, r := range found {
			b.whole(r.Path, synced)
		}
	}
}

// whole reads a capture: up to what was synced nothing may be damaged. Behind that there may be a hole before what the disk has kept by chance.
func (b *blackout) whole(path string, synced int64) {
	f, err := os.Open(path)
	if err != nil {
		b.Error(err)
		return
	}
	defer f.Close()
	r := page.NewReader(f, page.StreamOf(id, nil))
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		b.Error(err)
	}
	for _, d := range r.Damages() {
		if d.Offset < synced {
			b.Errorf("of %d bytes that were synced %d are damaged from %d on", synced, d.Bytes, d.Offset)
		}
	}
}

func (b *blackout) judge(found []Result, more bool) {
	switch {
	case b.removed || b.settled:
		if len(found) > 0 && !more {
			b.Errorf("what was settled or removed is there: %+v", found)
		}
	case !b.started, b.settling && len(found) == 0: // there or not, as it comes
	case len(found) != 1:
		b.Errorf("%d captures are left of one that has started", len(found))
	case b.stopped && (found[0].Reason != "done" || found[0].Length != b.said):
		b.Errorf("of a capture of %v that has ended is left: %+v", b.said, found[0])
	case string(found[0].Meta) != `{"name":"x"}`:
		b.Errorf("its data are gone: %s", found[0].Meta)
	case b.said-found[0].Length > lossMost:
		b.Errorf("%v of %v are left", found[0].Length, b.said)
	}
}

// TestPowerLoss has the power fail after every change that a capture makes on its disk. What Start has returned is found; of the sound only the last moment is
// missing; what has ended is there as a whole, what is settled stays settled, what is removed stays removed.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			v := disktest.New(t)
			b := &blackout{T: t, v: v, r: rand.New(rand.NewPCG(seed, 5))}
			v.Watch(b.loss)
			dir := filepath.Join(v.Root(), "data", "recordings")
			c := start(t, Options{Dir: dir, Meta: json.RawMessage(`{"name":"x"}`), on: v})
			b.now(func() { b.started = true })
			if err := c.Join(Lane{Tag: "a"}); err != nil {
				t.Fatal(err)
			}
			noise := rand.New(rand.NewPCG(seed, 6))
			for n := range 75 {
				m := moment(n, "a")
				for i := range m.Voices[0].Frame {
					m.Voices[0].Frame[i] = int16(noise.IntN(8000)) // so that pages are longer than a sector
				}
				if n%25 > 20 { // nobody speaks
					m.Voices = nil
				}
				c.See(m)
				b.mu.Lock()
				b.said = time.Duration(n+1) * 20 * time.Millisecond
				b.mu.Unlock()
				time.Sleep(20 * time.Millisecond)
				if n%10 == 9 {
					b.loss()
				}
			}
			c.Stop("done")
			if r := c.Result(); r.Error != "" || r.Length != b.said {
				t.Fatalf("ended with %+v", r)
			}
			b.now(func() { b.stopped = true })
			b.now(func() { b.settling = true })
			must(t, settle(v, dir, id))
			b.now(func() { b.settled = true })
			must(t, remove(v, dir, id))
			b.now(func() { b.removed = true })
			if left := filepath.Join(v.Crash(t, nil), "data", "recordings", id); exists(left) {
				t.Error("a removed capture is back")
			}
			if b.losses < 40 {
				t.Errorf("the power has failed only %d times", b.losses)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
