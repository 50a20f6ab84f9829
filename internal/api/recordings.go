package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/archive"
	"parley/internal/recording/calls"
	"parley/internal/recording/render"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Recordings is what the door asks of recordings that have ended; *archive.Archive is one.
type Recordings interface {
	File(ctx context.Context, id string, what render.Rendition) (*archive.File, error)
	ZIP(ctx context.Context, w io.Writer, files ...*archive.File) error
	Manifest(ctx context.Context, id string) (render.Manifest, error)
	Peaks(ctx context.Context, id string, what render.Rendition, points int) (render.Peaks, error)
	Remove(ctx context.Context, id string) error
	Renditions
}

// Renditions is what it asks of what is made of them.
type Renditions interface {
	// Link returns a URL of the store of files itself for a rendition; BLOB_LINK_UNSUPPORTED when there is none.
	Link(ctx context.Context, id string, what render.Rendition, lasts time.Duration) (string, error)
	// Progress returns how much of a rendition is made, from 0 to 1; false while none is.
	Progress(id string) (float64, bool)
}

// Tapes is what the door asks of recordings of calls; *calls.Desk is one.
type Tapes interface {
	// Delete marks a recording that has ended as deleted.
	Delete(ctx context.Context, id string) error
}

func (d *Door) recordingRoutes() []rest.Route {
	return []rest.Route{
		{Method: "POST", Path: "/conferences/{id}/recording_start", Do: d.startRecording},
		{Method: "POST", Path: "/conferences/{id}/recording_stop", Do: d.stopRecording},
		{Method: "POST", Path: "/conferences/{id}/recording_pause", Do: d.pauseRecording},
		{Method: "POST", Path: "/conferences/{id}/recording_resume", Do: d.resumeRecording},
		{Method: "GET", Path: "/recordings", Do: d.listRecordings},
		{Method: "GET", Path: "/recordings/{id}", Do: d.getRecording},
		{Method: "DELETE", Path: "/recordings/{id}", Do: d.deleteRecording},
		{Method: "GET", Path: "/recordings/{id}/file", Do: d.recordingFile},
		{Method: "GET", Path: "/recordings/{id}/link", Do: d.recordingLink},
		{Method: "GET", Path: "/recordings/{id}/manifest", Do: d.recordingManifest},
		{Method: "GET", Path: "/recordings/{id}/peaks", Do: d.recordingPeaks},
		{Method: "GET", Path: "/recordingfiles/{id}", Do: d.recordingZIP},
	}
}

// newRecording is the body of recording_start; all of it may be left out.
type newRecording struct {
	Format      string `json:"format"`
	Duration    int64  `json:"duration"` // seconds
	OnEndFlowID string `json:"on_end_flow_id"`
	Notice      string `json:"notice"`
}

// parse reads a body that may be left out.
func parse(r *rest.Request, into any) error {
	if len(r.Body) == 0 {
		return nil
	}
	return r.Parse(into)
}

func (d *Door) startRecording(r *rest.Request) (rest.Reply, error) {
	c, _, _, err := d.conference(r)
	if err != nil {
		return rest.Reply{}, err
	}
	var in newRecording
	if err := parse(r, &in); err != nil {
		return rest.Reply{}, err
	}
	if in.Duration < 0 || in.Duration > math.MaxInt32 {
		return rest.Reply{}, fault.New(fault.Invalid, "INVALID_ARGUMENT",
			"duration: %d is outside 0..%d seconds; 0 means 24 hours, the longest", in.Duration, math.MaxInt32)
	}
	id := r.NewID()
	out, err := d.command(r, conference.StartRecording{At: wall.Now().UTC(), ID: id, Options: tape.Options{
		Format: in.Format, Duration: time.Duration(in.Duration) * time.Second, OnEndFlowID: in.OnEndFlowID, Notice: in.Notice,
	}})
	if err != nil && r.Repeatable() && fault.ReasonOf(err) == "RECORDING_ALREADY_ACTIVE" && c.Recordings.Active == id {
		// The id is made from the key: this very request has started it before, and died before it could answer.
		return d.getConference(r)
	}
	return out, err
}

func (d *Door) stopRecording(r *rest.Request) (rest.Reply, error) {
	return d.command(r, conference.StopRecording{At: wall.Now().UTC()})
}

func (d *Door) pauseRecording(r *rest.Request) (rest.Reply, error) {
	if _, _, _, err := d.conference(r); err != nil {
		return rest.Reply{}, err
	}
	var in struct {
		Behavior string `json:"behavior"`
	}
	if err := parse(r, &in); err != nil {
		return rest.Reply{}, err
	}
	return d.command(r, conference.PauseRecording{At: wall.Now().UTC(), Behavior: in.Behavior})
}

func (d *Door) resumeRecording(r *rest.Request) (rest.Reply, error) {
	return d.command(r, conference.ResumeRecording{At: wall.Now().UTC()})
}

func (d *Door) listRecordings(r *rest.Request) (rest.Reply, error) {
	q := store.Query{Kind: store.Recording}
	var err error
	if q.Reference, err = web.UUID(r.URL.Query(), "reference_id"); err != nil {
		return rest.Reply{}, err
	}
	if q.Conference, err = web.UUID(r.URL.Query(), "conference_id"); err != nil {
		return rest.Reply{}, err
	}
	if q.Status, err = web.Choices(r.URL.Query(), "status", "initiating", "recording", "stopping", "ended"); err != nil {
		return rest.Reply{}, err
	}
	return r.List(q, func(rec store.Record) (any, error) {
		x, err := rest.Read[tape.Recording](rec)
		return x.Resource(), err
	})
}

func (d *Door) recording(r *rest.Request) (x tape.Recording, err error) {
	rec, err := r.Owned(store.Recording)
	if err != nil {
		return x, err
	}
	return rest.Read[tape.Recording](rec)
}

func (d *Door) getRecording(r *rest.Request) (rest.Reply, error) {
	x, err := d.recording(r)
	if err != nil {
		return rest.Reply{}, err
	}
	out := shownRecording{Resource: x.Resource()}
	if d.o.Recordings != nil && x.Status == tape.Stopping {
		if part, making := d.o.Recordings.Progress(x.ID); making {
			percent := int(100 * part)
			out.Progress = &percent
		}
	}
	return rest.Tagged(out)
}

// shownRecording is a recording with how far its file is made.
type shownRecording struct {
	tape.Resource
	Progress *int `json:"progress,omitempty"` // in percent; only while it is made
}

// deleteRecording marks it first: what a crash leaves behind of the sound is removed at the next start.
func (d *Door) deleteRecording(r *rest.Request) (rest.Reply, error) {
	x, err := d.recording(r)
	if err != nil {
		return rest.Reply{}, err
	}
	if x.Deleted.IsZero() {
		if err := d.forget(r, x); err != nil {
			return rest.Reply{}, err
		}
	}
	if d.o.Recordings != nil {
		if err := d.o.Recordings.Remove(r.Context(), x.ID); err != nil {
			return rest.Reply{}, fmt.Errorf("delete recording: %w", err)
		}
	}
	return d.getRecording(r)
}

func (d *Door) forget(r *rest.Request, x tape.Recording) error {
	if x.CallID != "" && d.o.Tapes != nil {
		return d.o.Tapes.Delete(r.Context(), x.ID)
	}
	c := conference.DeleteRecording{At: wall.Now().UTC(), Recording: x}
	_, err := d.o.Rooms.Do(r.Context(), conference.ID(x.ConferenceID), c, room.DoOptions{CustomerID: r.CustomerID})
	return err
}

// sound returns the recording that the path names when its sound can be had.
func (d *Door) sound(r *rest.Request) (tape.Recording, error) {
	x, err := d.recording(r)
	switch {
	case err != nil:
		return x, err
	case !x.Deleted.IsZero():
		return x, fault.New(fault.NotFound, "RECORDING_FILE_NOT_FOUND", "the recording has been deleted")
	case x.Status != tape.Ended:
		return x, fault.New(fault.NotFound, "RECORDING_FILE_NOT_FOUND", "the recording is %s; its file is there when recording_finished has come", x.Status)
	case d.o.Recordings == nil:
		return x, fault.New(fault.Unavailable, "RECORDING_UNAVAILABLE", "this server does not record")
	}
	return x, nil
}

// rendition reads what is asked for from the query.
func rendition(r *rest.Request, x tape.Recording) (what render.Rendition, err error) {
	q := r.URL.Query()
	if tag := q.Get("conferencecall_id"); x.CallID != "" && (tag == calls.In || tag == calls.Out) {
		what.Tag = tag
	} else if what.Tag, err = web.UUID(q, "conferencecall_id"); err != nil {
		return what, err
	}
	if what.Kind = q.Get("rendition"); what.Kind == "" {
		what.Kind = render.Mix
	}
	if what.Format = q.Get("format"); what.Format == "" {
		what.Format = x.Format
	}
	return what, nil
}

func (d *Door) recordingFile(r *rest.Request) (rest.Reply, error) {
	x, err := d.sound(r)
	if err != nil {
		return rest.Reply{}, err
	}
	what, err := rendition(r, x)
	if err != nil {
		return rest.Reply{}, err
	}
	if reply, ok, err := d.elsewhere(r, x, what); ok || err != nil {
		return reply, err
	}
	f, err := d.o.Recordings.File(r.Context(), x.ID, what)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		defer f.Close()
		serveFile(w, r.Request, x, f)
		return nil
	}}, nil
}

// manifest is the engine's with the API's words for the recording and its files.
type manifest struct {
	render.Manifest
	Files        []madeFile `json:"files"`
	ConferenceID string     `json:"conference_id"`
	End          wire.Time  `json:"tm_end"`
}

// madeFile is a rendition that has been made.
type madeFile struct {
	Rendition        string `json:"rendition"`
	ConferencecallID string `json:"conferencecall_id,omitempty"`
	Format           string `json:"format"`
	Size             int64  `json:"size"`
	SHA256           string `json:"sha256"`
	Milliseconds     int64  `json:"duration_ms"`
	Rate             int    `json:"rate"`
	Channels         int    `json:"channels"`
}

func (d *Door) recordingManifest(r *rest.Request) (rest.Reply, error) {
	x, err := d.sound(r)
	if err != nil {
		return rest.Reply{}, err
	}
	m, err := d.o.Recordings.Manifest(r.Context(), x.ID)
	if err != nil {
		return rest.Reply{}, err
	}
	files := []madeFile{}
	for _, f := range m.Files {
		files = append(files, madeFile{f.Kind, f.Tag, f.Format, f.Size, f.SHA256, f.Duration.Milliseconds(), f.Rate, f.Channels})
	}
	return rest.Reply{Body: manifest{m, files, wire.UUID(string(x.ConferenceID)), wire.Time(x.Stopped)}}, nil
}

func (d *Door) recordingPeaks(r *rest.Request) (rest.Reply, error) {
	x, err := d.sound(r)
	if err != nil {
		return rest.Reply{}, err
	}
	what, err := rendition(r, x)
	if err != nil {
		return rest.Reply{}, err
	}
	points, err := web.Int(r.URL.Query(), "points", 0)
	if err == nil && (points < 0 || points > math.MaxInt32) {
		err = fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q is out of range: take 1 to 100000", "points")
	}
	if err != nil {
		return rest.Reply{}, err
	}
	p, err := d.o.Recordings.Peaks(r.Context(), x.ID, what, int(points))
	return rest.Reply{Body: p}, err
}

func (d *Door) recordingZIP(r *rest.Request) (rest.Reply, error) {
	x, err := d.sound(r)
	if err != nil {
		return rest.Reply{}, err
	}
	// Made before the answer begins, so that trouble has an answer of its own.
	var files []*archive.File
	for _, what := range packed(x) {
		f, err := d.o.Recordings.File(r.Context(), x.ID, what)
		if err != nil {
			return rest.Reply{}, errors.Join(err, closeAll(files))
		}
		files = append(files, f)
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) (err error) {
		defer func() { err = errors.Join(err, closeAll(files)) }()
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": x.ID + ".zip"}))
		if r.Method == http.MethodHead {
			return nil
		}
		return d.o.Recordings.ZIP(r.Context(), w, files...)
	}}, nil
}

// packed returns what the archive of a recording holds: the mix, or of a call each direction, as the original has it.
func packed(x tape.Recording) []render.Rendition {
	if x.CallID == "" {
		return []render.Rendition{{Kind: render.Mix, Format: x.Format}}
	}
	return []render.Rendition{
		{Kind: render.Participant, Tag: calls.In, Format: x.Format}, {Kind: render.Participant, Tag: calls.Out, Format: x.Format},
	}
}
