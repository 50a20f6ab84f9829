package conference

import (
	"slices"
	"time"

	"parley/internal/conference/setting"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/wire"
)

type (
	// StartRecording records everybody in a progressing conference, which may be empty. One recording is active at a time.
	StartRecording struct {
		At           time.Time
		ID           string
		ActiveflowID string
		Options      tape.Options
	}
	// StopRecording ends the active recording: its files are made, which FinishRecording tells of.
	StopRecording struct {
		At     time.Time
		ID     string      // "" means the active one; of one that is not active any more it changes nothing
		Reason tape.Reason // "" means stopped
	}
	// PauseRecording keeps what follows out of the active recording. Repeated with the same behavior it changes nothing.
	PauseRecording struct {
		At       time.Time
		Behavior string // "" means skip
	}
	// ResumeRecording ends a pause. Without one it changes nothing.
	ResumeRecording struct{ At time.Time }
	// FinishRecording says that a recording can be downloaded, or with a Failure that it ended in trouble; what is in File can be had all the
	// same. Of a recording that has ended it changes nothing.
	FinishRecording struct {
		At      time.Time
		ID      string
		File    tape.File
		Failure tape.Reason // "", disk_full or failed
	}
	// DeleteRecording marks one that has ended as deleted: its record comes with the command, because the state has forgotten it.
	DeleteRecording struct {
		At        time.Time
		Recording tape.Recording
	}
)

func (StartRecording) command()  {}
func (StopRecording) command()   {}
func (PauseRecording) command()  {}
func (ResumeRecording) command() {}
func (FinishRecording) command() {}
func (DeleteRecording) command() {}

func (s *State) applyRecording(r tape.Recording) {
	if r.Status != tape.Running {
		s.Notices = tape.WithoutNotices(s.Notices, func(n tape.Notice) bool { return n.Recording == r.ID })
	}
	s.Recordings = tape.With(s.Recordings, r)
}

func (s *State) active() int             { return tape.Active(s.Recordings) }
func (s *State) recording(id string) int { return tape.Find(s.Recordings, id) }

func (d *decision) runRecording(c Command) error {
	switch c := c.(type) {
	case StartRecording:
		return d.on(c.At).startRecording(c)
	case StopRecording:
		return d.on(c.At).stopRecording(c)
	case PauseRecording:
		return d.on(c.At).pauseRecording(c)
	case ResumeRecording:
		return d.on(c.At).resumeRecording(c)
	case FinishRecording:
		return d.on(c.At).finishRecording(c)
	case DeleteRecording:
		return d.on(c.At).deleteRecording(c)
	case Announce:
		return d.on(c.At).announce(c)
	case Announced:
		return d.on(c.At).announced(c)
	}
	return unknownCommand(c)
}

func (d *decision) startRecording(c StartRecording) error {
	if err := d.progressing(); err != nil {
		return err
	}
	id, err := wire.RequiredUUID(c.ID)
	var v setting.Verdict
	v.On("id", err)
	v.UUID("activeflow_id", &c.ActiveflowID)
	if v.Err != nil {
		return v.Err
	}
	now := &d.next.Conference
	o, err := c.Options.Normal(now.RecordingNotice)
	if err != nil {
		return err
	}
	if active := now.Recordings.Active; active != "" {
		return fault.New(fault.Conflict, "RECORDING_ALREADY_ACTIVE", "the conference is being recorded as %s; stop that first", active)
	}
	if slices.Contains(now.Recordings.All, id) {
		return fault.New(fault.Conflict, "ALREADY_EXISTS", "recording %s exists; choose another id or leave it out", id)
	}
	r := tape.Start(d.at, tape.Recording{
		ID: id, CustomerID: now.CustomerID, ConferenceID: string(now.ID), ActiveflowID: c.ActiveflowID, Options: o,
	})
	d.emit(Event{Type: tape.StartedEvent, Recording: &r})
	d.conference(ConferenceUpdated, func(x *Conference) {
		x.Recordings = History{Active: id, All: append(append([]string(nil), x.Recordings.All...), id)}
	})
	return nil
}

// running returns the place of the active recording, or why there is none.
func (d *decision) running() (int, error) {
	if i := d.next.active(); i >= 0 {
		return i, nil
	}
	return -1, fault.New(fault.Conflict, "RECORDING_NOT_ACTIVE", "the conference is not being recorded; start a recording first")
}

func (d *decision) stopRecording(c StopRecording) error {
	if c.ID != "" {
		if i := d.next.recording(c.ID); i < 0 || d.next.Recordings[i].Status != tape.Running {
			return nil
		}
	}
	i, err := d.running()
	if err != nil {
		return err
	}
	reason, err := tape.CheckReason(c.Reason)
	if err == nil {
		d.stop(i, reason)
	}
	return err
}

// stop is the step recording to stopping. It has no event of its own: the conference's tells of it.
func (d *decision) stop(i int, reason tape.Reason) {
	r := d.next.Recordings[i].Stop(d.at, reason)
	c := d.next.Conference
	c.Recordings.Active, c.Updated = "", d.at
	d.emit(Event{Type: ConferenceUpdated, Conference: &c, Recording: &r})
}

func (d *decision) pauseRecording(c PauseRecording) error {
	behavior, err := tape.CheckPause(c.Behavior)
	if err != nil {
		return err
	}
	return d.pause(behavior, tape.PausedEvent)
}

func (d *decision) resumeRecording(ResumeRecording) error { return d.pause("", tape.ResumedEvent) }

func (d *decision) pause(behavior, event string) error {
	i, err := d.running()
	if err == nil && d.next.Recordings[i].Paused != behavior {
		r := d.next.Recordings[i].Pause(d.at, behavior)
		d.emit(Event{Type: event, Recording: &r})
	}
	return err
}

func (d *decision) finishRecording(c FinishRecording) error {
	if err := tape.CheckFailure(c.Failure); err != nil {
		return err
	}
	i := d.next.recording(c.ID)
	if i < 0 {
		return nil
	}
	if d.next.Recordings[i].Status == tape.Running {
		reason := c.Failure
		if reason == "" {
			reason = tape.ByCrash
		}
		d.stop(i, reason)
	}
	d.ended(i, c.File, c.Failure)
	return nil
}

// ended is the last step. A conference that has waited for it is over then.
func (d *decision) ended(i int, file tape.File, failure tape.Reason) {
	r, event := d.next.Recordings[i].End(d.at, file, failure)
	d.emit(Event{Type: event, Recording: &r})
	d.finish()
}

func (d *decision) deleteRecording(c DeleteRecording) error {
	if c.Recording.ConferenceID != string(d.next.Conference.ID) {
		return unknownConference()
	}
	if i := d.next.recording(c.Recording.ID); i >= 0 {
		c.Recording = d.next.Recordings[i]
	}
	r, changed, err := c.Recording.Delete(d.at)
	if changed {
		d.emit(Event{Type: tape.DeletedEvent, Recording: &r})
	}
	return err
}

// expireRecordings ends those that have reached their limit, and the patience with those whose files do not get made.
func (d *decision) expireRecordings() {
	for i := 0; i < len(d.next.Recordings); i++ {
		r := &d.next.Recordings[i]
		at := r.Deadline(d.next.Limits.FinishDeadline)
		switch {
		case at.IsZero() || d.at.Before(at):
		case r.Status == tape.Running:
			d.stop(i, tape.ByLimit)
			i-- // its next deadline may have passed too
		default:
			d.ended(i, tape.File{}, tape.Failed)
			i--
		}
	}
}
