package conference

import (
	"fmt"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// RecordingStatus of a recording. It only moves forward.
type RecordingStatus string

// The states of a recording.
const (
	RecordingRunning  RecordingStatus = "recording"
	RecordingStopping RecordingStatus = "stopping" // nothing more is captured, its files are being made
	RecordingEnded    RecordingStatus = "ended"
)

// RecordingReason says why a recording ended.
type RecordingReason string

// The reasons for the end of a recording.
const (
	RecordingStopped     RecordingReason = "stopped"
	RecordingDuration    RecordingReason = "duration"         // its limit
	RecordingConference  RecordingReason = "conference_ended" // under it
	RecordingInterrupted RecordingReason = "interrupted"      // the server died or stopped under it
	RecordingDiskFull    RecordingReason = "disk_full"
	RecordingFailed      RecordingReason = "failed"
)

// What a pause leaves in the files.
const (
	PauseSkip    = "skip"    // nothing: they are shorter
	PauseSilence = "silence" // silence of the same length
)

// RecordingMax is the longest recording.
const RecordingMax = 24 * time.Hour

// Recording is the record. Values are copied, never shared. Its JSON is the store's form; Resource is the API's.
type Recording struct {
	ID           string
	CustomerID   string
	ConferenceID ID
	ActiveflowID string
	Status       RecordingStatus
	Paused       string // "", skip or silence
	RecordingOptions
	EndReason RecordingReason
	RecordingFile
	RecordingTimes
}

// RecordingOptions are what a start says.
type RecordingOptions struct {
	Format      string        // wav or ogg; "" means wav
	Duration    time.Duration // limit, whole seconds; 0 and more than 24 h mean 24 h
	OnEndFlowID string        // UUID or ""
	Notice      string        // as in Settings.RecordingNotice; "" means what those say
}

// RecordingFile is what can be downloaded: the mix in the recording's format.
type RecordingFile struct {
	Size   int64         // bytes
	Length time.Duration // of the sound
	SHA256 string        // in hexadecimal
}

// RecordingTimes in UTC; zero when it has not happened.
type RecordingTimes struct {
	Created, Updated, Started, Stopped, Ended, Deleted time.Time
}

type (
	// StartRecording records everybody in a progressing conference, which may be empty. One recording is active at a time.
	StartRecording struct {
		At           time.Time
		ID           string
		ActiveflowID string
		Options      RecordingOptions
	}
	// StopRecording ends the active recording: its files are made, which FinishRecording tells of.
	StopRecording struct {
		At     time.Time
		ID     string          // "" means the active one; of one that is not active any more it changes nothing
		Reason RecordingReason // "" means stopped
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
		File    RecordingFile
		Failure RecordingReason // "", disk_full or failed
	}
	// DeleteRecording marks one that has ended as deleted: its record comes with the command, because the state has forgotten it.
	DeleteRecording struct {
		At        time.Time
		Recording Recording
	}
)

func (StartRecording) command()  {}
func (StopRecording) command()   {}
func (PauseRecording) command()  {}
func (ResumeRecording) command() {}
func (FinishRecording) command() {}
func (DeleteRecording) command() {}

// active returns the place of the recording that runs, -1 for none.
func (s *State) active() int {
	for i := range s.Recordings {
		if s.Recordings[i].Status == RecordingRunning {
			return i
		}
	}
	return -1
}

func (s *State) recording(id string) int {
	for i := range s.Recordings {
		if s.Recordings[i].ID == id {
			return i
		}
	}
	return -1
}

// patience of the rules with what is outside, for a recording in its present state; zero for none.
func (s *State) recordingDeadline(r *Recording) time.Time {
	if r.Status == RecordingRunning {
		return r.Started.Add(r.Duration)
	}
	if s.Limits.FinishDeadline > 0 {
		return r.Stopped.Add(s.Limits.FinishDeadline)
	}
	return time.Time{}
}

func (d *decision) startRecording(c StartRecording) error {
	if err := d.progressing(); err != nil {
		return err
	}
	id, err := wire.RequiredUUID(c.ID)
	var v verdict
	v.on("id", err)
	v.uuid("activeflow_id", &c.ActiveflowID)
	if v.err != nil {
		return v.err
	}
	o, err := c.Options.normal(&d.next.Conference)
	if err != nil {
		return err
	}
	if active := d.next.Conference.Recordings.Active; active != "" {
		return fault.New(fault.Conflict, "RECORDING_ALREADY_ACTIVE", "the conference is being recorded as %s; stop that first", active)
	}
	now := &d.next.Conference
	r := Recording{
		ID: id, CustomerID: now.CustomerID, ConferenceID: now.ID, ActiveflowID: c.ActiveflowID, Status: RecordingRunning,
		RecordingOptions: o, RecordingTimes: RecordingTimes{Created: d.at, Started: d.at},
	}
	d.emit(Event{Type: RecordingStarted, Recording: &r})
	d.conference(ConferenceUpdated, func(x *Conference) {
		x.Recordings = History{Active: id, All: append(append([]string(nil), x.Recordings.All...), id)}
	})
	return nil
}

// normal checks the options and gives each its explicit value.
func (o RecordingOptions) normal(c *Conference) (RecordingOptions, error) {
	var v verdict
	choose(&v, "format", &o.Format, "wav", "ogg")
	v.uuid("on_end_flow_id", &o.OnEndFlowID)
	if o.Duration < 0 || o.Duration%time.Second != 0 || o.Duration > timeoutMax {
		v.on("duration", fmt.Errorf("it must be whole seconds from 0 on; 0 means 24 hours, the longest"))
	}
	if o.Duration == 0 || o.Duration > RecordingMax {
		o.Duration = RecordingMax
	}
	if o.Notice == "" {
		o.Notice = c.RecordingNotice
	}
	choose(&v, "notice", &o.Notice, "none", "announce", "press_1")
	if v.err == nil && o.Notice != "none" {
		// Refused rather than left out: somebody would be recorded without being told.
		return o, fault.New(fault.Invalid, "RECORDING_NOTICE_UNSUPPORTED",
			"notice: %s is not available in this version; tell the participants yourself and start with none", o.Notice)
	}
	return o, v.err
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
		if i := d.next.recording(c.ID); i < 0 || d.next.Recordings[i].Status != RecordingRunning {
			return nil
		}
	}
	i, err := d.running()
	if err != nil {
		return err
	}
	var v verdict
	choose(&v, "end_reason", &c.Reason, RecordingStopped, RecordingDuration, RecordingConference, RecordingInterrupted, RecordingDiskFull, RecordingFailed)
	if v.err == nil {
		d.stop(i, c.Reason)
	}
	return v.err
}

// stop is the step recording to stopping. It has no event of its own: the conference's tells of it.
func (d *decision) stop(i int, reason RecordingReason) {
	r := d.next.Recordings[i]
	r.Status, r.EndReason, r.Stopped, r.Updated, r.Paused = RecordingStopping, reason, d.at, d.at, ""
	c := d.next.Conference
	c.Recordings.Active, c.Updated = "", d.at
	d.emit(Event{Type: ConferenceUpdated, Conference: &c, Recording: &r})
}

func (d *decision) pauseRecording(c PauseRecording) error {
	var v verdict
	if choose(&v, "behavior", &c.Behavior, PauseSkip, PauseSilence); v.err != nil {
		return v.err
	}
	i, err := d.running()
	if err == nil && d.next.Recordings[i].Paused != c.Behavior {
		d.recording(i, RecordingPaused, func(r *Recording) { r.Paused = c.Behavior })
	}
	return err
}

func (d *decision) resumeRecording(ResumeRecording) error {
	i, err := d.running()
	if err == nil && d.next.Recordings[i].Paused != "" {
		d.recording(i, RecordingResumed, func(r *Recording) { r.Paused = "" })
	}
	return err
}

// recording records a change of the i-th recording.
func (d *decision) recording(i int, kind string, change func(*Recording)) {
	r := d.next.Recordings[i]
	change(&r)
	r.Updated = d.at
	d.emit(Event{Type: kind, Recording: &r})
}

func (d *decision) finishRecording(c FinishRecording) error {
	var v verdict
	if choose(&v, "failure", &c.Failure, "", RecordingDiskFull, RecordingFailed); v.err != nil {
		return v.err
	}
	i := d.next.recording(c.ID)
	if i < 0 {
		return nil
	}
	if d.next.Recordings[i].Status == RecordingRunning {
		reason := c.Failure
		if reason == "" {
			reason = RecordingInterrupted
		}
		d.stop(i, reason)
	}
	d.ended(i, c.File, c.Failure)
	return nil
}

// ended is the last step. A conference that has waited for it is over then.
func (d *decision) ended(i int, file RecordingFile, failure RecordingReason) {
	kind := RecordingFinished
	if failure != "" {
		kind = RecordingFailedEvent
	}
	d.recording(i, kind, func(r *Recording) {
		r.Status, r.RecordingFile, r.Ended = RecordingEnded, file, d.at
		if failure != "" {
			r.EndReason = failure
		}
	})
	d.finish()
}

func (d *decision) deleteRecording(c DeleteRecording) error {
	r := c.Recording
	switch {
	case r.ConferenceID != d.next.Conference.ID:
		return unknownConference()
	case r.Status != RecordingEnded || d.next.recording(r.ID) >= 0:
		return fault.New(fault.Conflict, "RECORDING_NOT_ENDED", "recording %s is %s; stop it and wait until it has ended", r.ID, r.Status)
	case r.Deleted.IsZero():
		r.Deleted, r.Updated = d.at, d.at
		d.emit(Event{Type: RecordingDeleted, Recording: &r})
	}
	return nil
}

// expireRecordings ends those that have reached their limit, and the patience with those whose files do not get made.
func (d *decision) expireRecordings() {
	for i := 0; i < len(d.next.Recordings); i++ {
		r := &d.next.Recordings[i]
		at := d.next.recordingDeadline(r)
		switch {
		case at.IsZero() || d.at.Before(at):
		case r.Status == RecordingRunning:
			d.stop(i, RecordingDuration)
			i-- // its next deadline may have passed too
		default:
			d.ended(i, RecordingFile{}, RecordingFailed)
			i--
		}
	}
}
