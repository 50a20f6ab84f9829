package page

import (
	"encoding/json"
	"time"
)

// The types of marks.
const (
	Begin   = "begin"  // the first page: ID, Meta
	Origin  = "origin" // the room's first tick
	Join    = "join"   // Tag, Name, Codec: a lane begins
	Leave   = "leave"
	Mute    = "mute"
	Unmute  = "unmute"
	Hold    = "hold"
	Unhold  = "unhold"
	Consent = "consent" // from here on the lane is stored
	Pause   = "pause"   // Behavior
	Resume  = "resume"
	Gap     = "gap" // Length, Reason: what was heard is not stored
	End     = "end" // Reason: the capture is complete
)

// What a pause leaves in the renditions.
const (
	Skip    = "skip"    // nothing: they are shorter
	Silence = "silence" // silence of the same length
)

// Mark is something that happened during a capture. Clock and Lane stand in the head of its page.
type Mark struct {
	Type     string          `json:"type"`
	Clock    uint64          `json:"-"`
	Lane     uint16          `json:"-"` // 0 when it concerns all
	At       time.Time       `json:"at,omitzero"`
	ID       string          `json:"id,omitempty"`
	Meta     json.RawMessage `json:"meta,omitempty"`
	Tag      string          `json:"tag,omitempty"`
	Name     string          `json:"name,omitempty"`
	Codec    string          `json:"codec,omitempty"`
	Behavior string          `json:"behavior,omitempty"`
	Length   uint64          `json:"length,omitempty"` // in units of the clock
	Reason   string          `json:"reason,omitempty"`
}
