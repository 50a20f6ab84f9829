package render

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"parley/internal/fault"
	"parley/internal/recording/page"
)

// Recording is an opened capture. Its methods may be called from several goroutines.
type Recording struct {
	id      string
	stream  page.Stream
	file    *os.File
	size    int64
	pages   int
	sum     string // SHA-256 of the file
	rate    int    // the highest that occurs
	origin  uint64
	end     uint64
	began   bool
	started time.Time
	reason  string
	lanes   []lane
	marks   []page.Mark
	pauses  []span
	damages []page.Damage
	done    atomic.Uint64 // ticks of the rendition that is made
}

// lane is what is known of a lane after the first reading.
type lane struct {
	tag, name, codec string
	used             bool   // there is audio
	first            uint64 // clock of it
	stored           uint64 // clock units
	rates            []int
}

// span is a part of the room's clock.
type span struct {
	from, to uint64
	skip     bool
}

// lowestRate is the rate of a recording in which nobody was heard.
const lowestRate = 8000

// Open reads a capture once and finds out what is in it: pages that are damaged or not its own are left out. The capture may be running;
// then it is taken as far as it had come. key is what it may be encrypted with. It refuses with RECORDING_CAPTURE_MISSING,
// RECORDING_KEY_MISSING and RECORDING_KEY_WRONG.
func Open(path, id string, key []byte) (*Recording, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "RECORDING_CAPTURE_MISSING", "recording %s has no capture here: was it deleted?", id)
	}
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", id, err)
	}
	info, err := f.Stat()
	if err == nil {
		r := &Recording{id: id, stream: page.StreamOf(id, key), file: f, size: info.Size(), rate: lowestRate}
		if err = r.index(); err == nil {
			return r, nil
		}
	}
	_ = f.Close()
	return nil, fmt.Errorf("open recording %s: %w", id, err)
}

// Close ends it.
func (r *Recording) Close() error { return r.file.Close() }

// Length returns how long the renditions are.
func (r *Recording) Length() time.Duration {
	return time.Duration(r.kept()) * tickTime
}

const tickTime = 20 * time.Millisecond

// pagesOf starts a reading.
func (r *Recording) read(also io.Writer) *page.Reader {
	var src io.Reader = io.NewSectionReader(r.file, 0, r.size)
	if also != nil {
		src = io.TeeReader(src, also)
	}
	return page.NewReader(src, r.stream)
}

func (r *Recording) index() error {
	hash := sha256.New()
	pages := r.read(hash)
	for {
		p, err := pages.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		r.pages++
		r.note(p)
	}
	r.damages = pages.Damages()
	r.sum = hex.EncodeToString(hash.Sum(nil))
	for i := range r.pauses {
		r.pauses[i].to = min(r.pauses[i].to, max(r.end, r.pauses[i].from))
	}
	return nil
}

func (r *Recording) note(p page.Page) {
	switch p.Kind {
	case page.Audio:
		r.noteAudio(p)
	case page.Marks:
		if m, err := p.Mark(); err == nil {
			r.noteMark(m)
		}
	case page.Beat:
		if l, ok := p.Life(); ok {
			r.begin(l.Origin)
		}
	}
	if r.began {
		r.end = max(r.end, p.End())
	}
}

func (r *Recording) begin(clock uint64) {
	if !r.began {
		r.began, r.origin, r.end = true, clock, clock
	}
}

func (r *Recording) noteAudio(p page.Page) {
	r.begin(p.Clock) // for the case that the mark of the origin is damaged
	l := r.lane(p.Lane)
	if !l.used {
		l.used, l.first = true, p.Clock
	}
	l.stored += p.End() - p.Clock
	if n := len(l.rates); n == 0 || l.rates[n-1] != p.Rate {
		l.rates = append(l.rates, p.Rate)
	}
	r.rate = max(r.rate, p.Rate)
}

func (r *Recording) lane(n uint16) *lane {
	for int(n) >= len(r.lanes) {
		r.lanes = append(r.lanes, lane{})
	}
	return &r.lanes[n]
}

func (r *Recording) noteMark(m page.Mark) {
	switch m.Type {
	case page.Begin:
		r.started = m.At
		return
	case page.Origin:
		r.begin(m.Clock)
		return
	case page.End:
		r.reason = m.Reason
		return
	case page.Join:
		l := r.lane(m.Lane)
		l.tag, l.name, l.codec = m.Tag, m.Name, m.Codec
	case page.Pause:
		r.resume(m.Clock)
		r.pauses = append(r.pauses, span{from: m.Clock, to: 1<<64 - 1, skip: m.Behavior == page.Skip})
	case page.Resume:
		r.resume(m.Clock)
	case page.Gap:
		r.end = max(r.end, m.Clock+m.Length)
	}
	r.marks = append(r.marks, m)
}

func (r *Recording) resume(clock uint64) {
	if n := len(r.pauses); n > 0 {
		r.pauses[n-1].to = min(r.pauses[n-1].to, clock)
	}
}

// ticks returns how many ticks the room's clock has between origin and end.
func (r *Recording) ticks() uint64 { return (r.end - r.origin + page.Tick - 1) / page.Tick }

// kept returns how many of them are in the renditions.
func (r *Recording) kept() uint64 {
	n := r.ticks()
	return n - r.skipped(r.origin+n*page.Tick)
}

// skipped returns how many ticks before clock are left out.
func (r *Recording) skipped(clock uint64) (n uint64) {
	for _, s := range r.pauses {
		if to := min(s.to, clock); s.skip && to > s.from {
			n += r.tickAt(to) - r.tickAt(s.from)
		}
	}
	return n
}

// tickAt returns the first tick that begins at or after clock.
func (r *Recording) tickAt(clock uint64) uint64 {
	if clock < r.origin {
		return 0
	}
	return (clock - r.origin + page.Tick - 1) / page.Tick
}

// skips reports whether the tick is left out.
func (r *Recording) skips(tick uint64) bool {
	for _, s := range r.pauses {
		if s.skip && tick >= r.tickAt(s.from) && tick < r.tickAt(s.to) {
			return true
		}
	}
	return false
}
