package tape

import (
	"fmt"
	"math"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Status of a recording. It only moves forward.
type Status string

// The states of a recording.
const (
	Running  Status = "recording"
	Stopping Status = "stopping" // nothing more is captured, its files are being made
	Ended    Status = "ended"
)

// Reason says why a recording ended.
type Reason string

// The reasons for the end of a recording.
const (
	ByRequest    Reason = "stopped"
	ByLimit      Reason = "duration"
	ByConference Reason = "conference_ended" // under it
	ByCall       Reason = "call_ended"       // under it
	BySilence    Reason = "end_of_silence"
	ByKey        Reason = "end_of_key"
	ByCrash      Reason = "interrupted" // the server died or stopped under it
	DiskFull     Reason = "disk_full"
	Failed       Reason = "failed"
)

// Reasons are all of them, ByRequest first.
var Reasons = []Reason{ByRequest, ByLimit, ByConference, ByCall, BySilence, ByKey, ByCrash, DiskFull, Failed}

// What a pause leaves in the files.
const (
	PauseSkip    = "skip"    // nothing: they are shorter
	PauseSilence = "silence" // silence of the same length
)

// What is told before somebody is recorded.
const (
	NoNotice = "none"
	Announce = "announce" // a sound is played to each leg before it is stored
	Press1   = "press_1"  // and it is stored only when it has pressed 1
)

// The events of a recording.
const (
	StartedEvent  = "recording_started"
	PausedEvent   = "recording_paused"
	ResumedEvent  = "recording_resumed"
	FinishedEvent = "recording_finished"
	FailedEvent   = "recording_failed"
	DeletedEvent  = "recording_deleted"
)

// Longest is the longest recording.
const Longest = 24 * time.Hour

// Recording is the record. Values are copied, never shared. Its JSON is the store's form; Resource is the API's.
type Recording struct {
	ID           string
	CustomerID   string
	ConferenceID string // "" for that of a call
	CallID       string `json:",omitempty"` // "" for that of a conference
	ActiveflowID string
	Status       Status
	Paused       string // "", skip or silence
	Options
	EndReason Reason
	File
	Times
}

// Options are what a start says.
type Options struct {
	Format       string        // wav or ogg; "" means wav
	Duration     time.Duration // limit, whole seconds; 0 and more than 24 h mean 24 h
	OnEndFlowID  string        // UUID or ""
	Notice       string        // none, announce, press_1; "" means what the conference says, of a call none
	EndOfSilence time.Duration `json:",omitempty"` // of a call: it ends when the caller was silent for so long, whole seconds; 0: never
	EndOfKey     string        `json:",omitempty"` // of a call: keys that end it, some of 0-9*#A-D, or none, any
}

// File is what can be downloaded: the mix in the recording's format.
type File struct {
	Size   int64         // bytes
	Length time.Duration // of the sound
	SHA256 string        // in hexadecimal
}

// Times in UTC; zero when it has not happened.
type Times struct {
	Created, Updated, Started, Stopped, Ended, Deleted time.Time
}

// AnyKey is the EndOfKey that every key fits.
const AnyKey = "any"

// Normal checks the options and gives each its explicit value; notice is what an empty Notice means.
func (o Options) Normal(notice string) (Options, error) {
	var c checks
	o.Format = choose(&c, "format", o.Format, "wav", "ogg")
	id, err := wire.OptionalUUID(o.OnEndFlowID)
	o.OnEndFlowID = id
	c.on("on_end_flow_id", err)
	c.seconds("duration", o.Duration, "24 hours, the longest")
	c.seconds("end_of_silence", o.EndOfSilence, "never")
	if o.Duration == 0 || o.Duration > Longest {
		o.Duration = Longest
	}
	if o.Notice == "" {
		o.Notice = notice
	}
	o.Notice = choose(&c, "notice", o.Notice, NoNotice, Announce, Press1)
	o.EndOfKey, err = keys(o.EndOfKey)
	c.on("end_of_key", err)
	return o, c.err
}

// keys returns "" for none.
func keys(s string) (string, error) {
	if s == "none" {
		return "", nil
	}
	if s == AnyKey {
		return s, nil
	}
	for i := range len(s) {
		if !isKey(s[i]) || len(s) > 16 {
			return s, fmt.Errorf("%.32q are no keys: name some of 0-9, *, #, A-D, or none, or any", s)
		}
	}
	return s, nil
}

func isKey(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'D' || c == '*' || c == '#'
}

// Ends reports whether a key ends the recording.
func (o *Options) Ends(key byte) bool {
	for i := range len(o.EndOfKey) {
		if o.EndOfKey == AnyKey || o.EndOfKey[i] == key {
			return true
		}
	}
	return false
}

// checks keeps the first failure.
type checks struct{ err error }

func (c *checks) on(field string, err error) {
	if c.err == nil && err != nil {
		c.err = fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %v", field, err)
	}
}

func (c *checks) seconds(field string, d time.Duration, zero string) {
	if d < 0 || d%time.Second != 0 || d > math.MaxInt32*time.Second {
		c.on(field, fmt.Errorf("it must be whole seconds from 0 on; 0 means %s", zero))
	}
}

func choose[S ~string](c *checks, field string, s S, allowed ...S) S {
	value, err := wire.OneOf(s, allowed...)
	c.on(field, err)
	return value
}
