// Package room runs live conferences: one goroutine each, which decides, appends, applies, reacts and replies; a reaper for the
// deadlines of those that are not live; one goroutine for each recording, which brings it to its end; and recovery of what a dead process left. A room that nobody is in ends its goroutine after a
// while and is loaded again when it is needed. It never calls a door: whoever holds a Seat waits for its end.
package room

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/prompt"
	"parley/internal/recording/deck"
	"parley/internal/room/announce"
	"parley/internal/room/gate"
	"parley/internal/room/ledger"
	"parley/internal/room/sound"
	"parley/internal/room/wish"
	"parley/internal/store"
	"parley/internal/store/cause"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Options of a Host. Zero durations mean the defaults named here.
type Options struct {
	Store    store.Store
	Media    Media          // Engine(loop) in a server
	Recorder deck.Recorder  // nil: nothing is recorded
	Prompts  prompt.Library // nil: no music, no tones, no announcements
	// Notice returns what is played to each leg before it is recorded, by the kind of recording_notice; nil: three tones.
	Notice func(ctx context.Context, customerID, kind string) (prompt.Sound, error)
	Limits conference.Limits
	Log    *slog.Logger // nil: slog.Default

	HealthInterval time.Duration // between health checks of participants; 5 s
	IdleAfter      time.Duration // how long a room without participants stays live; 30 s
	WriteTimeout   time.Duration // longest wait for one append before it counts as failed; 5 s
	StopTimeout    time.Duration // longest time to write down the end of the rooms at a stop; 5 s
}

func (o *Options) complete() {
	o.Log = cmp.Or(o.Log, slog.Default())
	o.Limits.FinishDeadline = cmp.Or(o.Limits.FinishDeadline, 30*time.Minute)
	o.HealthInterval = cmp.Or(o.HealthInterval, 5*time.Second)
	o.IdleAfter = cmp.Or(o.IdleAfter, 30*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 5*time.Second)
	o.StopTimeout = cmp.Or(o.StopTimeout, 5*time.Second)
}

// Host owns the rooms of this node. Its methods may be called from any goroutine.
type Host struct {
	o    Options
	quit chan struct{}   // closed when the rooms have to end
	deck *deck.Deck      // of recordings
	wg   sync.WaitGroup  // goroutines of rooms and their sounds
	ctx  context.Context // of sounds; ended when the rooms have to end
	end  context.CancelFunc

	mu       sync.Mutex // guards rooms and stopping
	rooms    map[conference.ID]*room
	stopping bool

	gates     gate.Gates
	desk      *announce.Desk
	band      *sound.Band
	legs      sync.Map // of conference.ParticipantID: leg
	seated    atomic.Int64
	deletions sync.Mutex // of recordings, one at a time: each is told once
}

// New makes a Host. Rooms work as soon as they are asked for; deadlines of others are watched while Run runs, and the goroutines of
// rooms end with it: every Host needs its Run.
func New(o Options) *Host {
	o.complete()
	h := &Host{o: o, quit: make(chan struct{}), rooms: map[conference.ID]*room{}}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.desk = announce.New(h.ctx, speaker{h})
	h.band = sound.NewBand(h.ctx, o.Prompts, o.Log)
	h.deck = deck.New(deck.Options{Recorder: o.Recorder, Patience: o.Limits.FinishDeadline, Log: o.Log})
	return h
}

// Stats of a Host.
type Stats struct {
	Rooms      int // live rooms
	Seats      int // participants in them
	Recordings int // that run or are being finished
}

// Stats returns a snapshot.
func (h *Host) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Rooms: len(h.rooms), Seats: int(h.seated.Load()), Recordings: h.deck.Kept()}
}

// View is a conference as it was right after a command, with the version of its key and the log position that it reflects.
type View struct {
	Conference  conference.Conference
	Participant *conference.Participant // the one that the command named, when it named one; only to be read
	Version     int64
	Seq         int64
}

// Create makes a conference. A known id is fault.Conflict ALREADY_EXISTS; a dial-in alias in use likewise. An empty id, direct hash or
// time is filled in.
func (h *Host) Create(ctx context.Context, c conference.Create) (View, error) {
	if err := h.open(); err != nil {
		return View{}, err
	}
	if c.ID == "" {
		c.ID = conference.ID(newID())
	}
	if c.DirectHash == "" {
		c.DirectHash = NewDirectHash()
	}
	if c.At.IsZero() {
		c.At = wall.Now()
	}
	state := conference.State{Limits: h.o.Limits}
	events, err := state.Decide(c)
	if err != nil {
		return View{}, err
	}
	for _, e := range events {
		state.Apply(e)
	}
	change, err := ledger.Change(0, &conference.State{}, &state, events)
	if err != nil {
		return View{}, err
	}
	if err := h.o.Store.Append(ctx, change); err != nil {
		return View{}, wish.Creation(err, &state.Conference)
	}
	last := change.Events[len(change.Events)-1]
	h.o.Log.Info("conference created", "conference", state.Conference.ID)
	return View{Conference: state.Conference, Version: last.Version, Seq: last.Seq}, nil
}

func (h *Host) open() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return wish.Stopping()
	}
	return nil
}

// DoOptions narrow a Do.
type DoOptions struct {
	CustomerID string // "" for the server itself
	IfVersion  int64  // 0: any
	Transfer   bool   // of Move: it leaves with reason transferred, and a connect conference goes on with who stays
}

// Do runs a command on a conference and returns after its events are committed. ifVersion, when positive, must be the
// current version, else fault.Conflict VERSION_MISMATCH (HTTP 412 at the API). Unknown conferences, and those of another customer when customer is not "",
// are fault.NotFound CONFERENCE_NOT_FOUND. A version counts as current while nothing of the conference itself has changed since. Once a
// room has taken the command up, the end of ctx does not withdraw it: an error means that nothing was written. The start of a recording opens
// its capture first: without space it is DISK_FULL. Of a recording that is to be deleted only the id counts; its sound is the caller's business.
func (h *Host) Do(ctx context.Context, id conference.ID, c conference.Command, o DoOptions) (View, error) {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return View{}, wish.Unknown()
	}
	if _, joins := c.(conference.Join); joins {
		return View{}, fault.New(fault.Invalid, "INVALID_ARGUMENT", "a join needs a media session")
	}
	id = conference.ID(known)
	switch c := c.(type) {
	case conference.StartRecording:
		return h.startRecording(ctx, id, c, o)
	case conference.DeleteRecording:
		return h.deleteRecording(ctx, id, c, o)
	}
	view, err := h.do(ctx, id, newRequest(c, o))
	who := wish.Named(c)
	if who == "" || (err == nil && view.Participant != nil) {
		return view, err
	}
	if err == nil || fault.ReasonOf(err) == "CONFERENCECALL_NOT_FOUND" {
		return h.former(ctx, id, c, view, err)
	}
	return view, err
}

// former answers a command about a participant that the room does not know any more, from its record. undone is the room's own answer.
func (h *Host) former(ctx context.Context, id conference.ID, c conference.Command, view View, undone error) (View, error) {
	p, found, err := ledger.Participant(ctx, h.o.Store, wish.Named(c))
	switch {
	case err != nil:
		return View{}, err
	case !found || p.ConferenceID != id:
		return view, undone
	}
	if _, patch := c.(conference.Set); patch && undone != nil {
		return View{}, fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left; it cannot be changed any more", p.ID)
	}
	if undone != nil { // final states are final: nothing was to be done
		if view, _, err = h.view(ctx, id); err != nil {
			return View{}, err
		}
	}
	view.Participant = &p
	return view, nil
}

// do brings a request to the conference's room, which is made live for it, and returns its answer.
func (h *Host) do(ctx context.Context, id conference.ID, req *request) (View, error) {
	if req.cause == nil {
		req.cause = cause.In(ctx)
	}
	for moved := 0; moved < 3; {
		r, err := h.room(id)
		if err != nil {
			return View{}, err
		}
		select {
		case r.mail <- req:
		case <-r.done:
			if r.err != nil {
				return View{}, r.err
			}
			continue // it has just gone idle
		case <-ctx.Done():
			return View{}, wish.Late(ctx)
		}
		answer, err := req.wait(ctx)
		if err != nil {
			return View{}, err
		}
		if answer.err != errMoved {
			return answer.view, answer.err
		}
		moved++
	}
	return View{}, fault.New(fault.Unavailable, "OWNER_CHANGED", "the conference is moving between owners; try again")
}

// room returns the live room of the conference, and makes it live when it is not.
func (h *Host) room(id conference.ID) (*room, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return nil, wish.Stopping()
	}
	if r := h.rooms[id]; r != nil {
		return r, nil
	}
	r := newRoom(h, id)
	h.rooms[id] = r
	h.wg.Go(r.run)
	return r, nil
}

// live reports whether the conference has a room, which then keeps its own time.
func (h *Host) live(id conference.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[id] != nil
}

// forget is called by a room that ends, before it is done.
func (h *Host) forget(r *room) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.rooms, r.id)
}
