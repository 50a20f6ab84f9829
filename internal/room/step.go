package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/room/ledger"
	"parley/internal/room/wish"
	"parley/internal/store"
)

// batch is a step under way: the commands that share an append, and what becomes of them.
type batch struct {
	next     conference.State
	place    place
	events   []conference.Event
	causes   []json.RawMessage // of the events
	outcomes []outcome
	arriving map[conference.ParticipantID]*Seat
	captures map[string]*capture.Capture // of recordings that start
}

// outcome is what a command led to.
type outcome struct {
	request *request
	view    View
	last    int   // index of its last event, or of the last one before it; -1 for none
	err     error // a refusal that has events
}

// commit is the step: decide, append, apply, react, reply. An error means that nothing was written; all requests have
// their answer then, or are pending.
func (r *room) commit(group []*request) (wrote bool, err error) {
	b := r.decide(group)
	if len(b.events) == 0 {
		r.reply(b, nil)
		return false, nil
	}
	change, err := ledger.Change(r.place.version, &r.state, &b.next, b.events)
	if err == nil {
		for i := range change.Events {
			change.Events[i].Cause = b.causes[i]
		}
		err = r.append(change)
	}
	if err != nil {
		r.fail(b, err)
		return false, err
	}
	r.state, r.place = b.next, b.place
	r.seen.Store(new(r.state.Conference))
	r.place.seq = change.Events[len(change.Events)-1].Seq
	r.react(b)
	r.tend()
	r.reply(b, change.Events)
	return true, nil
}

func (r *room) append(change *store.Change) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.patience)
	defer cancel()
	return r.host.o.Store.Append(ctx, change)
}

// decide runs the commands one after the other on a copy of the state. Refusals are answered at once.
func (r *room) decide(group []*request) *batch {
	b := &batch{next: r.state, place: r.place, arriving: map[conference.ParticipantID]*Seat{}, captures: map[string]*capture.Capture{}}
	b.next.Participants = slices.Clone(r.state.Participants)
	for _, q := range group {
		if err := b.allows(q); err != nil {
			q.answer(View{}, err)
			continue
		}
		events, err := b.next.Decide(q.command)
		if c, ok := q.command.(conference.Connected); ok {
			events = r.connected(b, c, events, err)
		}
		if err != nil && len(events) == 0 {
			q.answer(View{}, err)
			continue
		}
		b.take(q, events, err)
	}
	return b
}

// connected keeps the fact for a store that fails, and ends who the rules do not let in any more.
func (r *room) connected(b *batch, c conference.Connected, events []conference.Event, refused error) []conference.Event {
	seat, p := r.seats[c.ID], find(b.next.Participants, c.ID)
	if seat == nil || p == nil || p.Status != conference.Joining {
		return events
	}
	seat.connected = true
	if refused != nil {
		seat.refusal = refused
		events, _ = b.next.Decide(conference.Leave{At: c.At, ID: c.ID, Reason: conference.LeftRefused})
	}
	return events
}

// allows checks what the rules do not know of: who asks, and on which version.
func (b *batch) allows(q *request) error {
	if q.o.CustomerID != "" && q.o.CustomerID != b.next.Conference.CustomerID {
		return wish.Unknown()
	}
	if v := q.o.IfVersion; v > 0 && (v < b.place.changed || v > b.place.version) {
		return fault.New(fault.Conflict, "VERSION_MISMATCH",
			"the conference has changed: it is at version %d, not %d; read it again and repeat the change on what it is now", b.place.version, v)
	}
	return nil
}

func (b *batch) take(q *request, events []conference.Event, refused error) {
	who := wish.Named(q.command)
	o := outcome{request: q, err: refused}
	by := q.cause
	if by == nil {
		by = wish.Cause(q.command)
	}
	for _, e := range events {
		b.next.Apply(e)
		b.events, b.causes = append(b.events, e), append(b.causes, by)
		b.place.version++
		if e.Conference != nil {
			b.place.changed = b.place.version
		}
		if e.Participant != nil && e.Participant.ID == who {
			o.view.Participant = e.Participant
		}
	}
	if p := find(b.next.Participants, who); p != nil && o.view.Participant == nil {
		o.view.Participant = p
	}
	if q.capture != nil && len(events) > 0 {
		b.captures[events[0].Recording.ID] = q.capture
	}
	if q.seat != nil {
		b.arriving[who] = q.seat
	}
	o.view.Conference, o.view.Version, o.view.Seq = b.next.Conference, b.place.version, b.place.seq
	o.last = len(b.events) - 1
	b.outcomes = append(b.outcomes, o)
}

func find(in []*conference.Participant, id conference.ParticipantID) *conference.Participant {
	for _, p := range in {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// fail answers for a batch that was not written. Who lost the key ends the room; what has to happen stays pending.
func (r *room) fail(b *batch, err error) {
	if errors.Is(err, store.ErrFenced) {
		r.host.o.Log.Warn("conference has another owner now; its seats here end", "conference", r.id)
		for _, o := range b.outcomes {
			o.request.answer(View{}, errMoved)
		}
		r.abandon(errMoved)
		return
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fault.New(fault.Unavailable, "STORE_BUSY", "the store did not answer in time; try again")
	}
	for _, o := range b.outcomes {
		if o.request.must {
			r.pending = append(r.pending, o.request)
		} else {
			o.request.answer(View{}, fmt.Errorf("write %T: %w", o.request.command, err))
		}
	}
}

func (r *room) reply(b *batch, written []store.Event) {
	for _, o := range b.outcomes {
		if o.last >= 0 {
			o.view.Seq = written[o.last].Seq
		}
		err := o.err
		if o.request.seat != nil && o.request.seat.refused != nil {
			err = o.request.seat.refused
		}
		o.request.answer(o.view, err)
	}
}

// react makes the media loop and the seats follow the events.
func (r *room) react(b *batch) {
	var in []*Seat
	var out []departure
	for i, e := range b.events {
		r.recorded(b, e)
		p := e.Participant
		if p == nil {
			continue
		}
		seat := r.seats[p.ID]
		switch p.Status {
		case conference.Leaving:
			r.leaving[p.ID] = b.causes[i]
		case conference.Leaved:
			delete(r.leaving, p.ID)
		}
		switch {
		case seat == nil && p.Status == conference.Joining && b.arriving[p.ID] != nil:
			seat = b.arriving[p.ID]
			r.seats[p.ID] = seat
			r.host.seated.Add(1)
			in = append(in, seat)
		case seat != nil && (p.Status == conference.Leaving || p.Status == conference.Leaved):
			delete(r.seats, p.ID)
			seat.by = b.causes[i]
			out = append(out, departure{seat, p.LeaveReason})
		case seat != nil && seat.hall != nil && seat.hall != r.hallOf(p):
			in = append(in, seat)
		}
		switch e.Type {
		case conference.ConferencecallJoined:
			r.host.o.Log.Info("participant joined", "conference", r.id, "participant", p.ID, "call", p.CallID)
		case conference.ConferencecallLeaved:
			r.host.o.Log.Info("participant leaved", "conference", r.id, "participant", p.ID, "reason", p.LeaveReason)
		case conference.ConferencecallUpdated:
			r.tune(seat, p)
		case conference.ConferencecallDigitReceived:
			if seat != nil {
				r.pressed(seat, p, e)
			}
		}
	}
	r.enter(in)
	r.dismissAtEnd()
	r.unseat(out)
	r.ring(b.events)
	if r.played != r.state.Conference.WaitMusic {
		r.played = r.state.Conference.WaitMusic
		r.retune()
	}
}
