// Package touchtone is keys that are pressed for a peer, frame by frame: what is on when, and the two sines of each key. It owns no time and no packet;
// a Row and its Tones belong to the loop that asks for them.
package touchtone

import (
	"strings"
	"time"

	"parley/internal/audio"
	"parley/internal/fault"
)

// Figures of keys. A peer must have heard 40 ms to take it for a press, and the end of an event is sent three times (RFC 4733 section 2.5.1.4), the last
// two times in the pause.
const (
	usualPress   = 100 * time.Millisecond
	shortPress   = 40 * time.Millisecond
	longPress    = 20 * time.Second
	shortPause   = 60 * time.Millisecond
	waitMillis   = 500 // of w and of a comma
	mostKeys     = 256
	endsRepeated = 2
)

// Row is keys that are pressed one after the other.
type Row struct {
	keys    string
	on, off int // frames of a press and of the pause after it
	at      int // frames of the first of keys that have gone by
}

// Frame is 20 ms of a Row.
type Frame struct {
	Key     byte // 0 while none is meant
	Begins  bool // it is the first frame of the press
	Pressed bool // the key is down
	Event   bool // there is an event to be sent
	End     bool // which tells of the end
	Last    bool // nothing follows
}

// NewRow reads 1 to 256 of 0-9, *, #, A-D in either case, and w or a comma for half a second's pause. Each key is pressed for duration, with gap after it:
// 0 means 100 ms, less than 40 and 60 ms becomes that, more than 20 s is refused. The reason is DIGITS_INVALID.
func NewRow(digits string, duration, gap time.Duration) (*Row, error) {
	digits = strings.ToUpper(digits)
	if digits == "" || len(digits) > mostKeys || strings.Trim(digits, "0123456789*#ABCDW,") != "" {
		return nil, fault.New(fault.Invalid, "DIGITS_INVALID", "cannot send %.32q: want 1 to %d of 0-9, *, #, A-D, and w for a pause", digits, mostKeys)
	}
	if duration == 0 {
		duration = usualPress
	}
	if gap == 0 {
		gap = usualPress
	}
	if duration < 0 || gap < 0 || duration > longPress || gap > longPress {
		return nil, fault.New(fault.Invalid, "DIGITS_INVALID", "keys cannot be pressed for %v with pauses of %v: want up to %v", duration, gap, longPress)
	}
	return &Row{keys: digits, on: frames(max(duration, shortPress)), off: frames(max(gap, shortPause))}, nil
}

const frame = audio.FrameMillis * time.Millisecond

func frames(d time.Duration) int { return int((d + frame - 1) / frame) }

// Next returns the next frame. It must not be called after the last one.
func (r *Row) Next() Frame {
	f, on := Frame{Key: r.keys[0]}, r.on
	if f.Key == 'W' || f.Key == ',' {
		f.Key, on = 0, max(waitMillis/audio.FrameMillis-r.off, 0)
	}
	r.at++
	if f.Key != 0 {
		f.Begins, f.Pressed = r.at == 1, r.at <= on
		f.Event, f.End = r.at <= on+endsRepeated, r.at >= on
	}
	if r.at >= on+r.off {
		r.at, r.keys = 0, r.keys[1:]
	}
	f.Last = r.keys == ""
	return f
}
