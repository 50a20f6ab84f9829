package capture

import (
	"encoding/json"
	"maps"
	"sync"
	"time"

	"parley/internal/blob/disk"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/recording/page"
)

// Options say what to capture, and where.
type Options struct {
	Dir     string          // of all captures: each gets a folder with its id in it
	ID      string          // of the recording, a UUID
	Meta    json.RawMessage // kept with it as it is, for whoever finds it after a crash; up to 64 KiB
	Limit   time.Duration   // of the room's clock; 0 and more than 24 hours mean 24 hours
	Key     []byte          // to encrypt what is kept, of at least 32 bytes; nil: it is kept open
	MinFree int64           // bytes that must be free on the disk to start; it stops when half of them are left. 0 means 128 MiB.
	GiveUp  time.Duration   // how long a disk may refuse before the capture ends; 0 means 5 s
	Ring    int             // samples that wait for the disk; 0 means a second of ten speakers at 48 kHz

	on disk.FS // nil: this machine's
}

const (
	longest     = 24 * time.Hour
	leastFree   = 128 << 20
	patience    = 5 * time.Second
	ringSamples = 10 * 48000
	maxMeta     = 64 << 10
	maxLanes    = 1 << 16
)

// Why a capture ended, beside what Stop was told.
const (
	Stopped      = "stopped"
	Interrupted  = "interrupted" // by a crash; Recover ended it
	LimitReached = "duration"    // the limit is reached
	DiskFull     = "disk_full"
	WriteFailed  = "write_failed"
)

// Result is what became of a capture.
type Result struct {
	ID     string          `json:"id"`
	Path   string          `json:"path"` // of the file
	Reason string          `json:"reason"`
	Error  string          `json:"error,omitempty"` // what the disk said
	Length time.Duration   `json:"length"`          // of the room's clock, pauses included
	Kept   time.Duration   `json:"kept"`            // of the renditions: without what pauses skipped
	Gaps   int             `json:"gaps"`            // 0 after a crash: the manifest knows
	Lost   time.Duration   `json:"lost"`            // in those gaps
	Meta   json.RawMessage `json:"meta,omitempty"`
}

// Lane is a participant as it joins.
type Lane struct {
	Tag    string // of its port
	Name   string // for people
	Codec  string
	Silent bool // is not stored before Consent
}

// Capture is a running recording of one room. It implements mixer.Tap; whoever starts it adds it to the room and removes it before Stop.
// All other methods may be called from anywhere; none waits for the disk.
type Capture struct {
	tap
	o    Options
	book book
	file *file
	done chan struct{}
	stop chan struct{}
	syncer
	flushed uint64 // cell

	mu      sync.Mutex
	marks   []page.Mark
	members map[string]*member
	used    int    // lanes
	reason  string // of Stop
	result  Result
}

type member struct {
	lane    uint16
	present bool
	silent  bool
}

var _ mixer.Tap = (*Capture)(nil)

// Start opens a capture. It refuses with DISK_FULL when there is no space, with RECORDING_EXISTS when the id has a capture, and with
// RECORDING_META_TOO_LONG. The file and its name are on the disk when it returns.
func Start(o Options) (*Capture, error) {
	o = o.filled()
	if len(o.Meta) > maxMeta {
		return nil, fault.New(fault.Invalid, "RECORDING_META_TOO_LONG", "recording %s comes with %d bytes of data: at most %d are kept", o.ID, len(o.Meta), maxMeta)
	}
	f, err := create(o)
	if err != nil {
		return nil, err
	}
	c := &Capture{o: o, file: f, done: make(chan struct{}), stop: make(chan struct{}), syncer: newSyncer(), members: map[string]*member{}, used: page.Player + 1}
	c.ring = newRing(o.Ring)
	c.limit = uint64(o.Limit / (20 * time.Millisecond) * page.Tick)
	c.lanes.Store(&map[string]uint16{})
	c.book.head.Stream = page.StreamOf(o.ID, o.Key)
	c.book.mark(0, 0, page.Mark{Type: page.Begin, At: time.Now().UTC(), ID: o.ID, Meta: o.Meta})
	if err := f.appendSync(c.book.pages); err != nil {
		f.discard()
		return nil, err
	}
	c.book.written()
	go c.run()
	go c.syncs(f, c.o.GiveUp)
	return c, nil
}

func (o Options) filled() Options {
	if o.Limit <= 0 || o.Limit > longest {
		o.Limit = longest
	}
	if o.MinFree <= 0 {
		o.MinFree = leastFree
	}
	if o.GiveUp <= 0 {
		o.GiveUp = patience
	}
	if o.Ring <= 0 {
		o.Ring = ringSamples
	}
	if o.on == nil {
		o.on = disk.OS
	}
	return o
}

// Join gives a participant its lane. Who joins again under the same tag goes on in the lane that it had.
func (c *Capture) Join(l Lane) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[l.Tag]
	if m == nil {
		if c.used == maxLanes {
			return fault.New(fault.Exhausted, "RECORDING_LANES_EXHAUSTED", "recording %s has %d lanes: stop it and start another", c.o.ID, maxLanes)
		}
		m = &member{lane: uint16(c.used)}
		c.members[l.Tag] = m
		c.used++
	}
	m.present, m.silent = true, l.Silent
	c.note(m.lane, page.Mark{Type: page.Join, Tag: l.Tag, Name: short(l.Name), Codec: short(l.Codec), At: time.Now().UTC()})
	if !l.Silent {
		c.note(m.lane, page.Mark{Type: page.Consent})
	}
	c.admit()
	return nil
}

// short keeps a name from filling pages.
func short(s string) string { return s[:min(len(s), 1024)] }

// admit tells the loop who is stored.
func (c *Capture) admit() {
	lanes := make(map[string]uint16, len(c.members))
	for tag, m := range c.members {
		if m.present && !m.silent {
			lanes[tag] = m.lane
		}
	}
	if !maps.Equal(lanes, *c.lanes.Load()) {
		c.lanes.Store(&lanes)
	}
}

// note queues a mark at the tick that comes next.
func (c *Capture) note(lane uint16, m page.Mark) {
	m.Lane, m.Clock = lane, c.clock.Load()
	c.marks = append(c.marks, m)
}

// Leave ends a participant's lane. Unknown tags change nothing, here and in the methods below.
func (c *Capture) Leave(tag string) {
	c.change(tag, page.Leave, func(m *member) { m.present = false })
}

// Consent has a participant who joined silent stored from the next tick on.
func (c *Capture) Consent(tag string) {
	c.change(tag, page.Consent, func(m *member) { m.silent = false })
}

// Mute and the three after it note what the room does to a participant; the room does it.
func (c *Capture) Mute(tag string)   { c.change(tag, page.Mute, nil) }
func (c *Capture) Unmute(tag string) { c.change(tag, page.Unmute, nil) }
func (c *Capture) Hold(tag string)   { c.change(tag, page.Hold, nil) }
func (c *Capture) Unhold(tag string) { c.change(tag, page.Unhold, nil) }

func (c *Capture) change(tag, what string, how func(m *member)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[tag]
	if m == nil || !m.present {
		return
	}
	c.note(m.lane, page.Mark{Type: what, Tag: tag})
	if how != nil {
		how(m)
		c.admit()
	}
}

// Pause stores nothing from the next tick on: page.Skip leaves it out of the renditions, page.Silence keeps its time. It refuses other
// behaviors with RECORDING_BEHAVIOR_UNKNOWN. A pause within a pause changes its behavior.
func (c *Capture) Pause(behavior string) error {
	switch behavior {
	case page.Skip:
		c.turn(skipping)
	case page.Silence:
		c.turn(silenced)
	default:
		return fault.New(fault.Invalid, "RECORDING_BEHAVIOR_UNKNOWN", "a pause cannot %q: use skip or silence", behavior)
	}
	return nil
}

// Resume ends a pause with the next tick.
func (c *Capture) Resume() { c.turn(running) }

// turn changes the state unless it is final.
func (c *Capture) turn(state uint32) {
	for {
		was := c.want.Load()
		if was == closed || c.want.CompareAndSwap(was, state) {
			return
		}
	}
}

// Stop ends the capture; what was shown to it until then is stored. The reason, Stopped when empty, stays with the file. Repeated calls
// change nothing. Done says when the file is complete.
func (c *Capture) Stop(reason string) {
	if reason == "" {
		reason = Stopped
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want.Swap(closed) == closed {
		return
	}
	c.reason = reason
	close(c.stop)
}

// Done is closed when the capture has ended, whether by Stop or by itself.
func (c *Capture) Done() <-chan struct{} { return c.done }

// Result waits for the end and says what became of it.
func (c *Capture) Result() Result {
	<-c.done
	return c.result
}

// Position returns how far the capture has come on its own clock, pauses included.
func (c *Capture) Position() time.Duration {
	origin := c.origin.Load()
	if origin == 0 {
		return 0
	}
	return span(c.clock.Load() - (origin - 1))
}

// Lost returns how many ticks found no room in the ring because the disk was slow.
func (c *Capture) Lost() uint64 { return c.lost.Load() }

func span(clock uint64) time.Duration { return time.Duration(clock/48) * time.Millisecond }
