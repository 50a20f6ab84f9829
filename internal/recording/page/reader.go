package page

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Damage is a part of a capture that holds no whole page.
type Damage struct {
	Offset int64  `json:"offset"` // in the file
	Bytes  int64  `json:"bytes"`
	After  uint64 `json:"-"`     // where the page before it ends on the room's clock
	Before uint64 `json:"-"`     // where the page after it stands, 0 when there is none
	Pages  int    `json:"pages"` // how many are missing by their numbers; 0 at the end of a file, where nobody knows
}

// Reader reads the pages of one capture in their order, and skips whatever is no whole page of it.
type Reader struct {
	src     io.Reader
	stream  Stream
	buf     []byte
	at, end int   // of what is unread in buf
	base    int64 // offset of buf in the file
	eof     bool
	bad     int64 // bytes skipped since the last page
	number  uint32
	clock   uint64
	damages []Damage
}

const readAhead = 1 << 18

// NewReader reads the pages of the stream.
func NewReader(src io.Reader, stream Stream) *Reader {
	return &Reader{src: src, stream: stream, buf: make([]byte, readAhead)}
}

// Next returns the next whole page, io.EOF at the end. It refuses pages whose key it has not with RECORDING_KEY_MISSING and
// RECORDING_KEY_WRONG, and whole pages of another version or coding with RECORDING_FORMAT_UNKNOWN: they are not damaged, but for another build. Any
// other error is the source's.
func (r *Reader) Next() (Page, error) {
	for {
		if err := r.more(headLen); err != nil {
			return Page{}, err
		}
		if r.end-r.at < headLen {
			r.skip(r.end - r.at)
			r.damaged(Page{})
			return Page{}, io.EOF
		}
		n := need(r.buf[r.at:r.end])
		if n == 0 {
			if err := r.foreign(); err != nil {
				return Page{}, err
			}
			r.seek()
			continue
		}
		if err := r.more(n); err != nil {
			return Page{}, err
		}
		if r.end-r.at < n {
			r.seek() // a page that is cut off, or a head that lies
			continue
		}
		p, ok := open(r.buf[r.at:r.at+n], r.stream)
		if !ok {
			r.seek()
			continue
		}
		if !p.known() {
			return Page{}, unknownFormat(p.Number, version, p.coding)
		}
		if r.buf[r.at+7] == sealed {
			var err error
			if p.payload, err = r.stream.reveal(r.buf[r.at:], p.payload); err != nil {
				return Page{}, err
			}
		}
		p.Offset = r.base + int64(r.at)
		r.damaged(p)
		r.at += n
		r.number, r.clock = p.Number+1, max(r.clock, p.End())
		return p, nil
	}
}

// Damages returns what was skipped until now.
func (r *Reader) Damages() []Damage { return r.damages }

// Offset returns where the next page would begin.
func (r *Reader) Offset() int64 { return r.base + int64(r.at) }

// more makes n unread bytes ready, or what there is before the end.
func (r *Reader) more(n int) error {
	if r.end-r.at >= n || r.eof {
		return nil
	}
	r.base += int64(r.at)
	r.end = copy(r.buf, r.buf[r.at:r.end])
	r.at = 0
	if n > len(r.buf) {
		r.buf = append(r.buf, make([]byte, n-len(r.buf))...)
	}
	for r.end < n {
		got, err := r.src.Read(r.buf[r.end:])
		r.end += got
		if errors.Is(err, io.EOF) {
			r.eof = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("read capture: %w", err)
		}
	}
	return nil
}

// foreign refuses a whole page of another version. All versions have magic, length and checksum at the same places.
func (r *Reader) foreign() error {
	b := r.buf[r.at:r.end]
	if string(b[:4]) != magic || b[4] == version {
		return nil
	}
	n := binary.LittleEndian.Uint32(b[40:])
	if n > maxPayload {
		return nil
	}
	if err := r.more(headLen + int(n)); err != nil {
		return err
	}
	b = r.buf[r.at:r.end]
	if len(b) < headLen+int(n) || binary.LittleEndian.Uint32(b[44:]) != checksum(b[:headLen+int(n)]) {
		return nil
	}
	return unknownFormat(binary.LittleEndian.Uint32(b[24:]), int(b[4]), b[6])
}

// seek goes on to where the next page may begin.
func (r *Reader) seek() {
	rest := r.buf[r.at+1 : r.end]
	i := bytes.Index(rest, []byte(magic))
	if i < 0 {
		i = max(len(rest)-len(magic)+1, 0)
	}
	r.skip(1 + i)
}

func (r *Reader) skip(n int) {
	r.bad += int64(n)
	r.at += n
}

// damaged notes what was skipped before p; the zero page is the end.
func (r *Reader) damaged(p Page) {
	end := p.Size == 0
	missing := 0
	if !end && p.Number > r.number {
		missing = int(p.Number - r.number)
	}
	if r.bad == 0 && missing == 0 {
		return
	}
	d := Damage{Offset: r.Offset() - r.bad, Bytes: r.bad, After: r.clock, Before: p.Clock, Pages: missing}
	r.damages = append(r.damages, d)
	r.bad = 0
}
