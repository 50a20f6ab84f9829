package room

import (
	"context"
	"encoding/json"
	"fmt"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/recording/deck"
	"parley/internal/room/wish"
	"parley/internal/store"
	"parley/internal/wall"
)

// startRecording starts a recording and returns when it is committed. An empty id or time is filled in. The capture is open before
// the room is asked, so that a recording that has started cannot fail to: no space is DISK_FULL, and nothing has happened.
func (h *Host) startRecording(ctx context.Context, id conference.ID, c conference.StartRecording, o DoOptions) (View, error) {
	if c.ID == "" {
		c.ID = newID()
	}
	if c.At.IsZero() {
		c.At = wall.Now()
	}
	r, err := h.wouldRecord(ctx, id, c, o)
	if err != nil {
		return View{}, err
	}
	q := newRequest(c, o)
	if q.capture, err = h.o.Recorder.Start(r); err != nil {
		return View{}, err
	}
	view, err := h.do(ctx, id, q)
	if err != nil { // nothing was written: the rules have changed their mind meanwhile, or the store cannot
		q.capture.Stop("")
		if e := h.o.Recorder.Remove(context.WithoutCancel(ctx), r.ID); e != nil {
			h.o.Log.Warn("remove a recording that did not start", "recording", r.ID, "error", e)
		}
	}
	return view, err
}

// wouldRecord returns the recording that the rules would start just now, or their refusal, before anything is done.
func (h *Host) wouldRecord(ctx context.Context, id conference.ID, c conference.StartRecording, o DoOptions) (r tape.Recording, err error) {
	if h.o.Recorder == nil {
		return r, fault.New(fault.Unavailable, "RECORDING_UNAVAILABLE", "this server does not record")
	}
	v, _, err := h.view(ctx, id)
	if err != nil {
		return r, err
	}
	if o.CustomerID != "" && o.CustomerID != v.Conference.CustomerID {
		return r, wish.Unknown()
	}
	state := conference.State{Conference: v.Conference, Limits: h.o.Limits}
	events, err := state.Decide(c)
	if err != nil {
		return r, err
	}
	return *events[0].Recording, nil
}

// deleteRecording decides on the record as it is in the store: the room's state has forgotten what has ended.
func (h *Host) deleteRecording(ctx context.Context, id conference.ID, c conference.DeleteRecording, o DoOptions) (View, error) {
	h.deletions.Lock()
	defer h.deletions.Unlock()
	var err error
	if c.Recording, err = h.readRecording(ctx, c.Recording.ID); err != nil {
		return View{}, err
	}
	return h.do(ctx, id, newRequest(c, o))
}

func (h *Host) readRecording(ctx context.Context, id string) (r tape.Recording, err error) {
	record, err := h.o.Store.Get(ctx, store.Recording, id)
	if err == nil {
		err = json.Unmarshal(record.Doc, &r)
	} else if fault.KindOf(err) == fault.NotFound {
		return r, fault.New(fault.NotFound, "RECORDING_NOT_FOUND", "there is no such recording; check the id")
	}
	if err != nil {
		return r, fmt.Errorf("read recording %s: %w", id, err)
	}
	return r, nil
}

// record lets a recording run: its capture sees the room from the next tick on.
func (r *room) record(rec *tape.Recording, c *capture.Capture) {
	r.reel = deck.Thread(rec, c, r.media().Tap(c))
	for i := range r.state.Participants {
		r.reel.Show(r.state.Participants[i])
	}
	r.host.o.Log.Info("recording started", "conference", r.id, "recording", rec.ID)
	r.host.deck.Keep(*rec, c, taped{r.host, r.id})
}

// recorded makes the capture follow an event, in the order of the log.
func (r *room) recorded(b *batch, e conference.Event) {
	switch {
	case e.Notice != nil:
		r.noticed(e)
	case e.Recording == nil:
	case e.Type == tape.StartedEvent && b.captures[e.Recording.ID] != nil:
		r.record(e.Recording, b.captures[e.Recording.ID])
	case r.reel != nil:
		runs, err := r.reel.Follow(e.Recording, e.Type)
		if err != nil {
			r.host.o.Log.Error("cannot pause a recording", "recording", r.reel.ID, "error", err)
		}
		if !runs {
			r.cut(e.Recording.EndReason)
		}
	}
	if e.Participant != nil && r.reel != nil {
		r.reel.Show(e.Participant)
	}
}

// cut ends the capture. The deck does the rest.
func (r *room) cut(reason tape.Reason) {
	if r.reel != nil {
		r.reel.Cut(string(reason))
		r.host.o.Log.Info("recording stopped", "conference", r.id, "recording", r.reel.ID, "reason", reason)
		r.reel = nil
	}
}

// tend has somebody see to every recording of the state that is not captured here: those of a process or owner before.
func (r *room) tend() {
	for _, rec := range r.state.Recordings {
		if r.host.o.Recorder != nil && (r.reel == nil || r.reel.ID != rec.ID) {
			r.host.deck.Keep(rec, nil, taped{r.host, r.id})
		}
	}
}

// taped is a conference as the owner of a recording.
type taped struct {
	host *Host
	id   conference.ID
}

// Stop implements deck.Owner.
func (t taped) Stop(ctx context.Context, id string, reason tape.Reason) error {
	return t.tell(ctx, conference.StopRecording{At: wall.Now(), ID: id, Reason: reason})
}

// Finish implements deck.Owner.
func (t taped) Finish(ctx context.Context, id string, f tape.File, failure tape.Reason) error {
	return t.tell(ctx, conference.FinishRecording{At: wall.Now(), ID: id, File: f, Failure: failure})
}

func (t taped) tell(ctx context.Context, c conference.Command) error {
	q := newRequest(c, DoOptions{})
	q.must, q.passing = true, true
	_, err := t.host.do(ctx, t.id, q)
	return err
}
