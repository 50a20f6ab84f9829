package capture

import (
	"parley/internal/recording/page"
)

// book turns what comes out of the ring into pages, cell by cell, so that whoever reads them needs to keep one
// cell only.
type book struct {
	head   page.Head // of the next page
	runs   []run     // by lane
	cell   uint64
	began  bool
	life   page.Life
	since  int    // cells since the last beat
	pages  []byte // finished, not written
	audio  bool   // there is audio among them
	number uint32 // of the first page that is not written
	stored uint64 // clock up to which all is written
	gaps   int
	lost   uint64 // clock units in gaps
}

// run is the samples of a lane that follow each other without a hole.
type run struct {
	clock   uint64
	rate    int
	samples []int16
}

// After how many cells there is a beat: without audio they are all that says how far the capture came.
const (
	beatSilent = 2
	beatAudio  = 16
)

func (b *book) origin(clock uint64) {
	b.began, b.life.Origin = true, clock
	b.mark(clock, 0, page.Mark{Type: page.Origin})
}

// reach tells how far the room's clock has come; it closes the cells that are over.
func (b *book) reach(clock uint64) {
	cell := (clock - b.life.Origin) / page.Cell
	if !b.began || clock < b.life.Origin || cell <= b.cell {
		return
	}
	b.close()
	if b.since++; b.since >= beatAudio || !b.audio && b.since >= beatSilent {
		b.beat(b.life.Origin + cell*page.Cell)
	}
	b.cell = cell
}

func (b *book) beat(clock uint64) {
	b.pages = page.AppendBeat(b.pages, b.next(clock, 0), b.life)
	b.since = 0
}

// close makes pages of all open runs.
func (b *book) close() {
	for lane := range b.runs {
		b.finish(lane)
	}
}

func (b *book) finish(lane int) {
	r := &b.runs[lane]
	if len(r.samples) == 0 {
		return
	}
	h := b.next(r.clock, uint16(lane))
	h.Rate = r.rate
	b.pages = page.AppendAudio(b.pages, h, r.samples)
	b.audio = true
	r.samples = r.samples[:0]
}

func (b *book) next(clock uint64, lane uint16) page.Head {
	h := b.head
	h.Clock, h.Lane = clock, lane
	b.head.Number++
	return h
}

// take books a record of the ring.
func (b *book) take(r record, body []int16) {
	b.reach(r.clock)
	switch r.kind {
	case ringAudio:
		b.samples(r, body)
	case ringGap:
		length := join(body)
		b.gap(r.clock, length, gapReasons[r.lane])
	case ringPause:
		b.pause(r.clock, uint32(r.lane))
	}
}

func (b *book) samples(r record, body []int16) {
	for int(r.lane) >= len(b.runs) {
		b.runs = append(b.runs, run{})
	}
	to := &b.runs[r.lane]
	end := to.clock
	if to.rate > 0 {
		end += uint64(len(to.samples)) * page.Clock / uint64(to.rate)
	}
	if len(to.samples) > 0 && (end != r.clock || to.rate != r.rate) {
		b.finish(int(r.lane))
	}
	if len(to.samples) == 0 {
		to.clock, to.rate = r.clock, r.rate
	}
	to.samples = append(to.samples, body...)
}

func (b *book) gap(from, length uint64, why string) {
	b.gaps++
	b.lost += length
	b.mark(from, 0, page.Mark{Type: page.Gap, Length: length, Reason: why})
}

func (b *book) pause(clock uint64, state uint32) {
	if state == running {
		b.life.Resume(clock)
		b.mark(clock, 0, page.Mark{Type: page.Resume})
		return
	}
	m := page.Mark{Type: page.Pause, Behavior: page.Silence}
	b.life.Resume(clock) // of a pause that becomes one of the other kind
	if state == skipping {
		m.Behavior, b.life.Pause = page.Skip, clock+1
	}
	b.mark(clock, 0, m)
}

func (b *book) mark(clock uint64, lane uint16, m page.Mark) {
	h := b.next(clock, lane)
	pages, err := page.AppendMark(b.pages, h, m)
	if err != nil {
		b.head.Number-- // too long, which Join and Start refuse: nothing was appended
		return
	}
	b.pages = pages
}

// drop forgets the pages as if they had never been.
func (b *book) drop() { b.pages, b.audio, b.head.Number = b.pages[:0], false, b.number }

// written forgets the pages, which are on the disk.
func (b *book) written() {
	b.number = b.head.Number
	b.drop()
	b.stored = b.life.Origin + b.cell*page.Cell
}
