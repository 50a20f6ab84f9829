package render

import (
	"time"

	"parley/internal/recording/page"
)

// Manifest says what is in a recording, and what is not. Places are given in samples at 48 kHz from the begin on, on the room's clock, and
// in milliseconds within the renditions, which lack what pauses skipped.
type Manifest struct {
	ID        string     `json:"id"`
	StartedAt time.Time  `json:"tm_start,omitzero"`
	Reason    string     `json:"reason,omitempty"` // why it ended; empty while it runs
	Rate      int        `json:"rate"`             // of the renditions, in Hz
	Clock     int        `json:"clock"`            // 48000
	Length    uint64     `json:"length"`           // on the clock
	Duration  uint64     `json:"duration_ms"`      // of the renditions
	Tracks    []Track    `json:"tracks"`
	Events    []Event    `json:"events"` // joins, leaves, mutes, holds, consents, in their order
	Pauses    []Interval `json:"pauses"`
	Gaps      []Interval `json:"gaps"`
	Damages   []Damaged  `json:"damages"`
	Capture   Source     `json:"capture"`
	Files     []Made     `json:"files,omitempty"` // the renditions, filled in by whoever keeps them
}

// Track is the lane of a participant, or of the room's players.
type Track struct {
	Lane   int    `json:"lane"`
	Tag    string `json:"tag,omitempty"`
	Name   string `json:"name,omitempty"`
	Codec  string `json:"codec,omitempty"`
	Player bool   `json:"player,omitempty"`
	Place         // of the first sound
	Stored uint64 `json:"stored_ms"` // how much there is
	Rates  []int  `json:"rates"`
}

// Place is a moment.
type Place struct {
	Offset   uint64 `json:"offset"`
	Position uint64 `json:"position_ms"`
}

// Event is something that happened to a lane.
type Event struct {
	Type string `json:"type"`
	Lane int    `json:"lane"`
	Tag  string `json:"tag,omitempty"`
	Place
	At time.Time `json:"tm,omitzero"`
}

// Interval is a time in which nothing was stored.
type Interval struct {
	Place
	Length   uint64 `json:"length"`
	Behavior string `json:"behavior,omitempty"` // of a pause
	Reason   string `json:"reason,omitempty"`   // of a gap
}

// Damaged is a part of the capture that cannot be read. What it held was between two places.
type Damaged struct {
	page.Damage
	From Place `json:"from"`
	To   Place `json:"to"`
}

// Source is the capture itself.
type Source struct {
	Size   int64  `json:"size"`
	Pages  int    `json:"pages"`
	SHA256 string `json:"sha256"`
}

// Manifest returns the manifest.
func (r *Recording) Manifest() Manifest {
	m := Manifest{
		ID: r.id, StartedAt: r.started, Reason: r.reason, Rate: r.rate, Clock: page.Clock, Length: r.end - r.origin,
		Duration: uint64(r.Length().Milliseconds()), Capture: Source{Size: r.size, Pages: r.pages, SHA256: r.sum},
		Tracks: []Track{}, Events: []Event{}, Pauses: []Interval{}, Gaps: []Interval{}, Damages: []Damaged{},
	}
	for i, l := range r.lanes {
		if l.used || l.tag != "" {
			m.Tracks = append(m.Tracks, r.track(i, l))
		}
	}
	for _, s := range r.pauses {
		behavior := page.Silence
		if s.skip {
			behavior = page.Skip
		}
		m.Pauses = append(m.Pauses, Interval{Place: r.place(s.from), Length: s.to - s.from, Behavior: behavior})
	}
	for _, x := range r.marks {
		switch x.Type {
		case page.Pause, page.Resume:
		case page.Gap:
			m.Gaps = append(m.Gaps, Interval{Place: r.place(x.Clock), Length: x.Length, Reason: x.Reason})
		default:
			tag := x.Tag
			if tag == "" && int(x.Lane) < len(r.lanes) {
				tag = r.lanes[x.Lane].tag
			}
			m.Events = append(m.Events, Event{Type: x.Type, Lane: int(x.Lane), Tag: tag, Place: r.place(x.Clock), At: x.At})
		}
	}
	for _, d := range r.damages {
		before := d.Before
		if before == 0 {
			before = r.end
		}
		m.Damages = append(m.Damages, Damaged{Damage: d, From: r.place(d.After), To: r.place(before)})
	}
	return m
}

func (r *Recording) track(i int, l lane) Track {
	t := Track{Lane: i, Tag: l.tag, Name: l.name, Codec: l.codec, Player: i == page.Player, Stored: l.stored / (page.Clock / 1000), Rates: l.rates}
	if l.used {
		t.Place = r.place(l.first)
	}
	if t.Rates == nil {
		t.Rates = []int{}
	}
	return t
}

// place returns where a clock of the room is.
func (r *Recording) place(clock uint64) Place {
	clock = min(max(clock, r.origin), r.end)
	offset := clock - r.origin
	ticks := offset / page.Tick
	inside := offset % page.Tick / (page.Clock / 1000)
	return Place{Offset: offset, Position: (ticks-min(r.skipped(clock), ticks))*20 + inside}
}
