// Package transfer has calls transferred: a party of a conversation has somebody else take its place, because its phone says so (REFER, RFC 3515, also
// with a dialog to be replaced, RFC 3891), or because the API does. It moves participants from conference to conference, and keeps the records of the
// transfers of the API, with one goroutine for each, which the exchange lends. How calls are placed, and what a call does when it is told to make room,
// is package line's business.
package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/prompt"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/wall"
)

// Seat is where a call sits.
type Seat struct{ Conference, Participant string }

// Phone is a live call that has been answered. Its methods may be called from any goroutine.
type Phone interface {
	ID() string
	// Seat is its place in the mix of a conference; false when it is in none.
	Seat() (Seat, bool)
	// HandOver says whether others go on without it when it ends: the conference that it is in, and the calls that would end with it.
	HandOver(on bool)
	// Vacate has it leave its conference for somebody else. It hears nothing after that, and waits to be hung up.
	Vacate(ctx context.Context) error
	Hangup(ctx context.Context, why string)
	// Over is closed when it ends.
	Over() <-chan struct{}
}

// Order asks for somebody to be called into a conference.
type Order struct {
	CustomerID string
	Source     call.Address
	To         []call.Address
	Conference string
	Replaces   string // value of a Replaces header for the callee's phone, "" for none
	Welcome    bool   // it is a newcomer like others, with the flows and the rules of the conference; else it takes a place
	// Answered is told of the first answer before that callee goes anywhere; others who answer are hung up. Ended is told of each end. Neither may
	// wait for the callee's call.
	Answered func(callID string)
	Ended    func(callID string, reason call.HangupReason)
}

// Lines are the calls of this node.
type Lines interface {
	// Phone returns a live call that has been answered, nil for none.
	Phone(callID string) Phone
	// Ring calls all phones of an order, and returns how many those are. cancel takes those back that have not answered.
	Ring(ctx context.Context, o Order) (calls int, cancel func(), err error)
	// Lend runs f in a goroutine until the context ends; false while the server stops.
	Lend(f func(life context.Context)) bool
}

// Options of a Host. All but Prompts are needed.
type Options struct {
	Store        store.Store
	Rooms        *room.Host
	Lines        Lines
	Prompts      prompt.Library // nil: nobody hears that somebody is called
	Log          *slog.Logger
	WriteTimeout time.Duration
}

// Host has calls transferred. Its methods may be called from any goroutine.
type Host struct {
	o Options

	mu   sync.Mutex // guards what follows
	busy map[string]bool
	live map[string]*job
}

// New makes a Host.
func New(o Options) *Host {
	return &Host{o: o, busy: map[string]bool{}, live: map[string]*job{}}
}

// begin has a call be transferred once at a time; end is to be called.
func (h *Host) begin(callID string) (end func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[callID] {
		return nil, fault.New(fault.Conflict, "REFER_PENDING", "a transfer of this call is under way")
	}
	h.busy[callID] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.busy, callID)
	}, nil
}

// scene is a conversation as one of its parties leaves it.
type scene struct {
	h      *Host
	at     Seat
	two    bool // it is a call of two: a connect conference
	in     bool // the party has joined, and can be missed
	others []conference.ParticipantID
}

// scene reads the conversation that a phone is in.
func (h *Host) scene(ctx context.Context, p Phone) (s scene, err error) {
	at, ok := p.Seat()
	if !ok {
		return s, fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is in no conversation that somebody else could take part in")
	}
	c, err := h.read(ctx, at.Conference)
	if err != nil {
		return s, err
	}
	s = scene{h: h, at: at, two: c.Type == conference.Connect, in: slices.Contains(c.Joined, at.Participant)}
	for _, id := range c.Joined {
		if id != at.Participant {
			s.others = append(s.others, conference.ParticipantID(id))
		}
	}
	return s, nil
}

func (h *Host) read(ctx context.Context, id string) (c conference.Conference, err error) {
	rec, err := h.o.Store.Get(ctx, store.Conference, id)
	if err != nil {
		return c, fmt.Errorf("read conference: %w", err)
	}
	if err := json.Unmarshal(rec.Doc, &c); err != nil {
		return c, fmt.Errorf("read conference %s: %w", id, err)
	}
	return c, nil
}

// whole refuses a conversation that is none yet.
func (s *scene) whole() error {
	switch {
	case !s.in:
		return fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is still on its way into its conversation; try again in a moment")
	case len(s.others) == 0:
		return fault.New(fault.Conflict, "TRANSFER_NOBODY", "the call has nobody on its other side")
	}
	return nil
}

// partner is the phone of the only other one, nil when there are more, or when it is no call.
func (s *scene) partner(ctx context.Context) Phone {
	if len(s.others) != 1 {
		return nil
	}
	rec, err := s.h.o.Store.Get(ctx, store.Conferencecall, string(s.others[0]))
	if err != nil {
		return nil
	}
	var p conference.Participant
	if err := json.Unmarshal(rec.Doc, &p); err != nil {
		return nil
	}
	return s.h.o.Lines.Phone(p.CallID)
}

// hold has the only other one hear music while it would hear nobody, and takes that back. Whoever is in a room with more has company.
func (s *scene) hold(ctx context.Context, on bool) {
	if len(s.others) != 1 {
		return
	}
	set := conference.Set{At: wall.Now(), ID: s.others[0], Patch: conference.ParticipantPatch{Held: &on}}
	if _, err := s.h.o.Rooms.Do(ctx, conference.ID(s.at.Conference), set, room.DoOptions{}); err != nil {
		s.h.o.Log.Info("music of a transfer", "conference", s.at.Conference, "on", on, "error", err)
	}
}

// desert ends a call of two when nobody comes for whom has gone; a room goes on.
func (s *scene) desert(ctx context.Context) {
	if s.two {
		s.h.close(ctx, s.at.Conference)
		return
	}
	s.hold(ctx, false)
}

func (h *Host) close(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.o.WriteTimeout)
	defer cancel()
	if _, err := h.o.Rooms.Do(ctx, conference.ID(id), conference.Terminate{At: wall.Now()}, room.DoOptions{}); err != nil {
		h.o.Log.Info("end a conference of a transfer", "conference", id, "error", err)
	}
}

// How long somebody who is on the way into a conference may take to be there, and how often that is looked at.
const (
	arrivalMost = 10 * time.Second
	arrivalLook = 50 * time.Millisecond
)

// arrived waits until somebody besides the others is in the conversation; false when the newcomer has ended before, or does not come.
func (s *scene) arrived(ctx context.Context, newcomer Phone) bool {
	if newcomer == nil {
		return false
	}
	for end := wall.Now().Add(arrivalMost); wall.Now().Before(end); {
		if at, ok := newcomer.Seat(); ok && at.Conference == s.at.Conference {
			if c, err := s.h.read(ctx, s.at.Conference); err == nil && slices.Contains(c.Joined, at.Participant) {
				return true
			}
		}
		if !wait(ctx, newcomer.Over(), arrivalLook) {
			return false
		}
	}
	return false
}

// wait pauses; false when the phone or ctx has ended before.
func wait(ctx context.Context, over <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-over:
	case <-ctx.Done():
	}
	return false
}

// bring moves a phone into a conference, with patience: who has just answered is not in the mix yet.
func (h *Host) bring(ctx context.Context, p Phone, to string) error {
	for end := wall.Now().Add(arrivalMost); ; {
		err := error(fault.New(fault.Conflict, "CALL_NOT_IN_CONFERENCE", "the call is in no conference"))
		if at, ok := p.Seat(); ok {
			err = h.move(ctx, at, to)
		}
		if err == nil || wall.Now().After(end) {
			return err
		}
		if reason := fault.ReasonOf(err); reason != "CONFERENCECALL_NOT_JOINED" && reason != "CALL_NOT_IN_CONFERENCE" && fault.KindOf(err) != fault.Unavailable {
			return err
		}
		if !wait(ctx, p.Over(), arrivalLook) {
			return err
		}
	}
}

func (h *Host) move(ctx context.Context, from Seat, to string) error {
	_, err := h.o.Rooms.Move(
		ctx, conference.ID(from.Conference), conference.ParticipantID(from.Participant), conference.ID(to), room.DoOptions{Transfer: true},
	)
	return err
}
