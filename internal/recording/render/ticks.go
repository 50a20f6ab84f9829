package render

import (
	"context"
	"errors"
	"io"

	"parley/internal/recording/page"
)

// cellTicks is how many ticks are read at a time.
const cellTicks = page.Cell / page.Tick

// walker goes through a capture tick by tick.
type walker struct {
	r       *Recording
	pages   *page.Reader
	wanted  func(lane int) bool
	ahead   page.Page // read, of a later cell
	waiting bool
	eof     bool
	cell    []strip // by lane
	rate    int     // of the last tick that had audio
}

// strip is what one lane has in a cell.
type strip struct {
	buf    []int16
	frames [cellTicks][]int16
	rates  [cellTicks]int
}

// tick is one frame of time: its frames by lane, nil where there is none, all at one rate.
type tick struct {
	rate   int
	frames [][]int16
	heard  bool
}

// walk calls each with every tick that is not skipped. The tick is valid during the call.
func (r *Recording) walk(ctx context.Context, wanted func(lane int) bool, each func(*tick) error) error {
	w := &walker{r: r, pages: r.read(nil), wanted: wanted, cell: make([]strip, len(r.lanes)), rate: lowestRate}
	t := &tick{frames: make([][]int16, len(r.lanes))}
	total := r.ticks()
	for n := uint64(0); n < total; n++ {
		if n%cellTicks == 0 {
			if err := w.load(n / cellTicks); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		w.show(t, int(n%cellTicks))
		if r.skips(n) {
			continue
		}
		if err := each(t); err != nil {
			return err
		}
	}
	return nil
}

// load reads the pages of a cell.
func (w *walker) load(cell uint64) error {
	for i := range w.cell {
		s := &w.cell[i]
		s.buf, s.frames = s.buf[:0], [cellTicks][]int16{}
	}
	for !w.eof {
		if !w.waiting {
			p, err := w.pages.Next()
			if errors.Is(err, io.EOF) {
				w.eof = true
				return nil
			}
			if err != nil {
				return err
			}
			w.ahead = p
		}
		p := w.ahead
		of := w.cellOf(p)
		if w.waiting = of > cell; w.waiting {
			return nil
		}
		if of == cell {
			w.place(p)
		}
	}
	return nil
}

// cellOf returns the cell of a page of audio; whatever is none of use counts as one that is over.
func (w *walker) cellOf(p page.Page) uint64 {
	if p.Kind != page.Audio || p.Clock < w.r.origin || int(p.Lane) >= len(w.cell) {
		return 0
	}
	return (p.Clock - w.r.origin) / (cellTicks * page.Tick)
}

// place cuts a page into frames. What does not stand on the grid of ticks was written by nobody we know, and is left out.
func (w *walker) place(p page.Page) {
	if p.Kind != page.Audio || p.Clock < w.r.origin || int(p.Lane) >= len(w.cell) || !w.wanted(int(p.Lane)) {
		return
	}
	at, frame := p.Clock-w.r.origin, p.Rate/50
	if at%page.Tick != 0 || frame == 0 || p.Count%frame != 0 {
		return
	}
	s := &w.cell[p.Lane]
	used := len(s.buf)
	if cap(s.buf)-used < p.Count {
		s.buf, used = make([]int16, 0, max(p.Count, cellTicks*page.Tick)), 0
	}
	samples, err := p.Samples(s.buf[used:used:cap(s.buf)])
	if err != nil {
		return // its checksum holds, so that this is a later version's page
	}
	s.buf = s.buf[:used+p.Count]
	for n := int(at / page.Tick % cellTicks); n < cellTicks && len(samples) >= frame; n++ {
		s.frames[n], s.rates[n] = samples[:frame], p.Rate
		samples = samples[frame:]
	}
}

// show gives the frames of the n-th tick in the cell. All of a tick have one rate; a room that changed it did so between ticks.
func (w *walker) show(t *tick, n int) {
	t.heard = false
	for i := range w.cell {
		t.frames[i] = nil
		s := &w.cell[i]
		if s.frames[n] == nil || t.heard && s.rates[n] != w.rate {
			continue
		}
		w.rate, t.heard = s.rates[n], true
		t.frames[i] = s.frames[n]
	}
	t.rate = w.rate
}
