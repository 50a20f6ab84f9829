package room

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/capture"
	"parley/internal/store"
)

// Recorder keeps recordings; *archive.Archive is one. All of it may wait for the disk, so rooms never call it.
type Recorder interface {
	// Start opens a capture for a recording that is about to start.
	Start(r tape.Recording) (*capture.Capture, error)
	// Finish makes the file of one whose capture has ended or is about to. failure is the trouble that ended it, "" for none.
	Finish(ctx context.Context, id, format string) (f tape.File, failure tape.Reason, err error)
	// Settle says that the end has been written down.
	Settle(id string) error
	// Remove deletes everything of a recording.
	Remove(ctx context.Context, id string) error
}

// reel is what a room has of the recording that runs.
type reel struct {
	id      string
	capture *capture.Capture
	remove  func() // the tap
	lanes   map[conference.ParticipantID]lane
}

type lane struct{ muted, held bool }

// startRecording starts a recording and returns when it is committed. An empty id or time is filled in. The capture is open before
// the room is asked, so that a recording that has started cannot fail to: no space is DISK_FULL, and nothing has happened.
func (h *Host) startRecording(ctx context.Context, id conference.ID, c conference.StartRecording, o DoOptions) (View, error) {
	if c.ID == "" {
		c.ID = newID()
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	r, err := h.wouldRecord(ctx, id, c, o)
	if err != nil {
		return View{}, err
	}
	sound, err := h.o.Recorder.Start(r)
	if err != nil {
		return View{}, err
	}
	q := newRequest(c, o)
	q.capture = sound
	view, err := h.do(ctx, id, q)
	if err != nil { // nothing was written: the rules have changed their mind meanwhile, or the store cannot
		sound.Stop("")
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
		return r, unknownConference()
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
	record, err := h.o.Store.Get(ctx, store.Recording, c.Recording.ID)
	if err == nil {
		err = json.Unmarshal(record.Doc, &c.Recording)
	} else if fault.KindOf(err) == fault.NotFound {
		return View{}, fault.New(fault.NotFound, "RECORDING_NOT_FOUND", "there is no such recording; check the id")
	}
	if err != nil {
		return View{}, fmt.Errorf("read recording %s: %w", c.Recording.ID, err)
	}
	return h.do(ctx, id, newRequest(c, o))
}

// record lets a recording run: its capture sees the room from the next tick on.
func (r *room) record(rec *tape.Recording, c *capture.Capture) {
	r.media()
	r.tape = &reel{id: rec.ID, capture: c, lanes: map[conference.ParticipantID]lane{}}
	for i := range r.state.Participants {
		if p := &r.state.Participants[i]; p.Status != conference.Leaving {
			r.tape.show(p)
		}
	}
	r.tape.remove = r.mixer.Tap(c)
	r.host.o.Log.Info("recording started", "conference", r.id, "recording", rec.ID)
	r.host.keep(r.id, *rec, c)
}

// show tells the capture what has become of a participant.
func (t *reel) show(p *conference.Participant) {
	tag := string(p.ID)
	now, seen := lane{p.Muted, p.Held}, true
	was, known := t.lanes[p.ID]
	switch {
	case p.Status == conference.Leaving || p.Status == conference.Leaved:
		if known {
			t.capture.Leave(tag)
			delete(t.lanes, p.ID)
		}
		return
	case !known:
		// A lane that is refused for the number of lanes is missing from the recording's manifest.
		seen = t.capture.Join(capture.Lane{Tag: tag, Name: p.Name, Codec: p.Media.Codec}) == nil
	}
	if !seen {
		return
	}
	for _, x := range []struct {
		was, now bool
		on, off  func(string)
	}{{was.muted, now.muted, t.capture.Mute, t.capture.Unmute}, {was.held, now.held, t.capture.Hold, t.capture.Unhold}} {
		if !x.was && x.now {
			x.on(tag)
		} else if x.was && !x.now {
			x.off(tag)
		}
	}
	t.lanes[p.ID] = now
}

// follow makes the capture follow an event of its recording.
func (r *room) follow(e conference.Event) {
	if r.tape == nil || r.tape.id != e.Recording.ID {
		return
	}
	switch {
	case e.Recording.Status != tape.Running:
		r.cut(string(e.Recording.EndReason))
	case e.Type == tape.PausedEvent:
		if err := r.tape.capture.Pause(e.Recording.Paused); err != nil {
			r.host.o.Log.Error("cannot pause a recording", "recording", r.tape.id, "error", err)
		}
	case e.Type == tape.ResumedEvent:
		r.tape.capture.Resume()
	}
}

// cut ends the capture. The host's goroutine for it does the rest.
func (r *room) cut(reason string) {
	if r.tape == nil {
		return
	}
	r.tape.remove()
	r.tape.capture.Stop(reason)
	r.host.o.Log.Info("recording stopped", "conference", r.id, "recording", r.tape.id, "reason", reason)
	r.tape = nil
}

// tend has somebody see to every recording of the state that is not captured here: those of a process or owner before.
func (r *room) tend() {
	for _, rec := range r.state.Recordings {
		if r.host.o.Recorder != nil && (r.tape == nil || r.tape.id != rec.ID) {
			r.host.keep(r.id, rec, nil)
		}
	}
}

// keep starts the goroutine that brings a recording to its end, unless there is one. It ends with the recording, or with the host.
func (h *Host) keep(id conference.ID, rec tape.Recording, c *capture.Capture) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept[rec.ID] {
		return
	}
	h.kept[rec.ID] = true
	h.wg.Go(func() {
		h.bring(id, rec, c)
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.kept, rec.ID)
	})
}

// bring waits for the end of the capture, has the file made, and tells the room of both. What it does not get done because the host ends
// is begun again by the next start.
func (h *Host) bring(id conference.ID, rec tape.Recording, c *capture.Capture) {
	reason := tape.ByCrash
	if c != nil {
		<-c.Done() // the room stops it at the latest when the host ends
		reason = ended(c.Result().Reason)
	}
	if !h.tellRecording(id, conference.StopRecording{At: time.Now(), ID: rec.ID, Reason: reason}) {
		return
	}
	file, failure, err := h.finish(id, rec)
	if h.ctx.Err() != nil {
		return
	}
	if err != nil {
		failure = tape.Failed
		h.o.Log.Error("cannot make the file of a recording", "conference", id, "recording", rec.ID, "error", err)
	}
	if !h.tellRecording(id, conference.FinishRecording{At: time.Now(), ID: rec.ID, File: file, Failure: failure}) {
		return
	}
	h.o.Log.Info("recording finished", "conference", id, "recording", rec.ID, "bytes", file.Size, "length", file.Length, "failure", failure)
	if err := h.o.Recorder.Settle(rec.ID); err != nil {
		h.o.Log.Warn("settle a recording", "recording", rec.ID, "error", err) // found again at the next start, and then settled
	}
}

// finish has the file made. Where it cannot be kept just now it tries again, for as long as the rules wait for it.
func (h *Host) finish(id conference.ID, rec tape.Recording) (f tape.File, failure tape.Reason, err error) {
	until := time.Now().Add(h.o.Limits.FinishDeadline)
	for {
		f, failure, err = h.o.Recorder.Finish(h.ctx, rec.ID, rec.Format)
		kind := fault.KindOf(err)
		if err == nil || h.ctx.Err() != nil || kind != fault.Unavailable && kind != fault.Exhausted || time.Now().After(until) {
			return f, failure, err
		}
		h.o.Log.Warn("cannot keep the file of a recording; trying again", "conference", id, "recording", rec.ID, "error", err)
		select {
		case <-time.After(retryMost):
		case <-h.ctx.Done():
		}
	}
}

// ended turns why a capture ended by itself into a reason of the rules.
func ended(reason string) tape.Reason {
	switch reason {
	case capture.LimitReached:
		return tape.ByLimit
	case capture.DiskFull:
		return tape.DiskFull
	case capture.WriteFailed:
		return tape.Failed
	}
	return tape.ByCrash // whoever else stops a capture has told the room before
}

// tellRecording sends a command until the room has taken it; false when the host ends or the conference is gone.
func (h *Host) tellRecording(id conference.ID, c conference.Command) bool {
	for h.ctx.Err() == nil {
		q := newRequest(c, DoOptions{})
		q.must, q.passing = true, true
		_, err := h.do(h.ctx, id, q)
		switch kind := fault.KindOf(err); {
		case err == nil:
			return true
		case h.ctx.Err() != nil || kind == fault.NotFound || kind == fault.Conflict || kind == fault.Invalid:
			return false
		}
		h.o.Log.Error("cannot tell a conference of its recording; trying again", "conference", id, "error", err)
		select {
		case <-time.After(retryMost):
		case <-h.ctx.Done():
		}
	}
	return false
}
