package page

import (
	"errors"
	"fmt"
	"io"
)

// Tail is how a capture ends.
type Tail struct {
	Size    int64  // up to the end of the last whole page
	Number  uint32 // of the page to be written next
	Clock   uint64 // how far it reaches on the room's clock
	Begun   bool   // there was a tick, so that Life counts
	Life    Life   // at the end
	Ended   bool   // its end is marked
	Reason  string // of the end
	EndedAt uint64 // clock of the mark

	cell   uint64 // the last that has audio
	before *Tail  // what it was before that cell; nil when the cell is known to be whole
}

// Whole returns the tail for a file of size bytes. When something follows the last whole page, the writer died inside a write, and of the cell that it
// was at some lanes may be stored and others not: such a cell is given up, so that nobody is silent beside others who are heard.
func (t Tail) Whole(size int64) Tail {
	if size <= t.Size || t.before == nil || t.Ended {
		return t
	}
	whole := *t.before
	whole.Clock = max(whole.Clock, t.Life.Origin+t.cell*Cell)
	return whole
}

// ReadTail finds the end of a capture of size bytes without reading all of it. What follows the last whole page is not part of it.
func ReadTail(src io.ReaderAt, size int64, stream Stream) (Tail, error) {
	for window := int64(4 * Max); ; window *= 8 {
		from := max(size-window, 0)
		t, sure, err := readTail(src, from, size, stream)
		if err != nil || sure || from == 0 {
			return t, err
		}
	}
}

// readTail reads from an offset on; sure says that it saw all that the tail depends on: a beat, which says what was before it.
func readTail(src io.ReaderAt, from, size int64, stream Stream) (t Tail, sure bool, err error) {
	r := NewReader(io.NewSectionReader(src, from, size-from), stream)
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, sure, nil
		}
		if err != nil {
			return t, false, fmt.Errorf("find end of capture: %w", err)
		}
		t.enter(p)
		t.Size, t.Number = from+p.Offset+int64(p.Size), p.Number+1
		if l, ok := p.Life(); ok {
			t.Life, t.Begun, sure = l, true, true
		}
		if p.Kind == Marks {
			m, err := p.Mark()
			if err != nil {
				continue
			}
			t.follow(m)
		}
		if t.Begun {
			t.Clock = max(t.Clock, p.End())
		}
	}
}

// enter notes where a cell begins. A beat is written when the cells before it are.
func (t *Tail) enter(p Page) {
	switch cell := (p.Clock - t.Life.Origin) / Cell; {
	case p.Kind == Beat:
		t.before = nil
	case p.Kind == Audio && t.Begun && p.Clock >= t.Life.Origin && (t.before == nil || cell > t.cell):
		before := *t
		before.before = nil
		t.cell, t.before = cell, &before
	}
}

func (t *Tail) follow(m Mark) {
	switch m.Type {
	case Origin:
		t.Life, t.Begun, t.Clock = Life{Origin: m.Clock}, true, m.Clock
	case Pause:
		if m.Behavior == Skip && t.Life.Pause == 0 {
			t.Life.Pause = m.Clock + 1
		}
	case Resume:
		t.Life.Resume(m.Clock)
	case End:
		t.Ended, t.Reason, t.EndedAt = true, m.Reason, m.Clock
	}
}

// Resume ends a pause that skips.
func (l *Life) Resume(clock uint64) {
	if l.Pause != 0 && clock+1 > l.Pause {
		l.Skipped += clock + 1 - l.Pause
	}
	l.Pause = 0
}

// Length returns how long a capture is that reaches to clock, with what pauses skipped and without.
func (l Life) Length(clock uint64) (all, kept uint64) {
	if clock < l.Origin {
		return 0, 0
	}
	l.Resume(clock)
	all = clock - l.Origin
	return all, all - min(l.Skipped, all)
}
