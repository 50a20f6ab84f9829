package api_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/blob/dir"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/mixer"
	"parley/internal/recording/archive"
	"parley/internal/recording/capture"
)

// recording makes one that has ended, without any sound.
func (w *world) recording(conferenceID string) string {
	w.t.Helper()
	id := uuid.NewString()
	w.tell(conferenceID, conference.StartRecording{At: time.Now(), ID: id})
	w.tell(conferenceID, conference.FinishRecording{At: time.Now(), ID: id})
	return id
}

func newArchive(t *testing.T) *archive.Archive {
	t.Helper()
	files, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := archive.Open(archive.Options{Dir: t.TempDir(), Blobs: files, Capture: capture.Options{MinFree: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// sound captures a second of somebody under the id of a recording.
func sound(t *testing.T, a *archive.Archive, id, tag string) {
	t.Helper()
	c, err := a.Start(tape.Recording{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Join(capture.Lane{Tag: tag, Name: "Ada", Codec: "PCMU"}); err != nil {
		t.Fatal(err)
	}
	frame := make([]int16, 160)
	for i := range frame {
		frame[i] = int16(100 * i)
	}
	for tick := range 50 {
		c.See(mixer.Moment{Clock: uint64(tick) * 960, Rate: 8000, Voices: []mixer.Voice{{Tag: tag, Frame: frame}}, Mix: frame})
	}
	c.Stop("")
}

func TestRecordingLife(t *testing.T) {
	a := newArchive(t)
	w := newWorld(t, func(o *api.Options) { o.Recordings = a })
	room := w.must("POST", "/conferences", object{}).id()
	path := "/conferences/" + room
	w.refused(409, "RECORDING_NOT_ACTIVE", "POST", path+"/recording_stop", nil)
	w.refused(409, "RECORDING_NOT_ACTIVE", "POST", path+"/recording_pause", nil)
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/recording_start", object{"format": "mp3"})
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/recording_start", object{"duration": -1})
	w.refused(400, "INVALID_ARGUMENT", "POST", path+"/recording_start", object{"notice": "whisper"})
	started := w.must("POST", path+"/recording_start", object{"duration": 90000}, "Idempotency-Key", "once")
	again := w.must("POST", path+"/recording_start", object{"duration": 90000}, "Idempotency-Key", "once")
	id, _ := started.body["recording_id"].(string)
	if again.body["recording_id"] != id || started.body["recording_ids"].([]any)[0] != id {
		t.Errorf("started %s, again %s", started.raw, again.raw)
	}
	w.refused(409, "RECORDING_ALREADY_ACTIVE", "POST", path+"/recording_start", nil)
	w.must("POST", path+"/recording_pause", object{"behavior": "silence"})
	if r := w.must("GET", "/recordings/"+id, nil).body; r["paused"] != true || r["status"] != "recording" || r["duration"] != float64(86400) {
		t.Errorf("paused: %v", r)
	}
	w.refused(404, "RECORDING_FILE_NOT_FOUND", "GET", "/recordings/"+id+"/file", nil)
	w.refused(409, "RECORDING_NOT_ENDED", "DELETE", "/recordings/"+id, nil)
	w.must("POST", path+"/recording_resume", nil)
	if c := w.must("POST", path+"/recording_stop", nil); c.body["recording_id"] != "00000000-0000-0000-0000-000000000000" {
		t.Errorf("stopped: %s", c.raw)
	}
	if r := w.must("GET", "/recordings?status=stopping&reference_id="+room, nil); len(r.list()) != 1 {
		t.Errorf("stopping: %s", r.raw)
	}
	w.refused(404, "RECORDING_FILE_NOT_FOUND", "GET", "/recordingfiles/"+id, nil)
	want := []string{"conference_created", "conference_updated", "recording_started", "conference_updated", "recording_paused", "recording_resumed", "conference_updated"}
	if types := w.types(room); strings.Join(types, " ") != strings.Join(want, " ") {
		t.Errorf("log %v", types)
	}
}

func TestRecordingFiles(t *testing.T) {
	a := newArchive(t)
	w := newWorld(t, func(o *api.Options) { o.Recordings = a })
	room, tag := w.must("POST", "/conferences", object{}).id(), uuid.NewString()
	id := w.recording(room)
	path := "/recordings/" + id
	w.refused(404, "RECORDING_CAPTURE_MISSING", "GET", path+"/file", nil)
	sound(t, a, id, tag)
	if _, _, err := a.Finish(t.Context(), id, "wav"); err != nil {
		t.Fatal(err)
	}
	whole := w.must("GET", path+"/file", nil)
	sum := sha256.Sum256(whole.raw)
	if len(whole.raw) != 44+16000 || whole.header.Get("Content-Type") != "audio/wav" || whole.header.Get("ETag") != `"`+hex.EncodeToString(sum[:16])+`"` {
		t.Errorf("%d bytes, %v", len(whole.raw), whole.header)
	}
	part := w.send("GET", path+"/file", nil, "Range", "bytes=44-143")
	if part.status != http.StatusPartialContent || !bytes.Equal(part.raw, whole.raw[44:144]) {
		t.Errorf("range: %d, %d bytes", part.status, len(part.raw))
	}
	if out := w.send("GET", path+"/file", nil, "Range", "bytes=99999-"); out.status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("range behind the end: %d", out.status)
	}
	voice := w.must("GET", path+"/file?rendition=participant&conferencecall_id="+tag+"&format=ogg", nil)
	if !bytes.HasPrefix(voice.raw, []byte("OggS")) || voice.header.Get("Content-Type") != "audio/ogg" {
		t.Errorf("one voice: %v", voice.header)
	}
	w.refused(404, "PARTICIPANT_NOT_RECORDED", "GET", path+"/file?rendition=participant", nil)
	w.refused(400, "RENDITION_UNKNOWN", "GET", path+"/file?rendition=..%2Fmix", nil)
	w.refused(400, "RENDITION_FORMAT_UNKNOWN", "GET", path+"/file?format=mp3", nil)
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", path+"/file?conferencecall_id=x", nil)
	m := w.must("GET", path+"/manifest", nil)
	if files := m.body["files"].([]any); len(files) != 2 || m.body["duration_ms"] != float64(1000) || len(m.body["tracks"].([]any)) != 1 {
		t.Errorf("manifest %s", m.raw)
	}
	if p := w.must("GET", path+"/peaks?points=10", nil); len(p.body["data"].([]any)) != 20 {
		t.Errorf("peaks %s", p.raw)
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", path+"/peaks?points=-1", nil)
	packed := w.must("GET", "/recordingfiles/"+id, nil)
	if z, err := zip.NewReader(bytes.NewReader(packed.raw), int64(len(packed.raw))); err != nil || len(z.File) != 2 {
		t.Errorf("archive: %v", err)
	}
	before := len(w.types(""))
	for range 2 {
		if r := w.must("DELETE", path, nil); r.body["tm_delete"] == nil {
			t.Errorf("deleted: %s", r.raw)
		}
	}
	if log := w.types(""); len(log) != before+1 || log[before] != "recording_deleted" {
		t.Errorf("log: %v", log[before:])
	}
	w.refused(404, "RECORDING_FILE_NOT_FOUND", "GET", path+"/file", nil)
	if list := w.must("GET", "/recordings", nil); len(list.list()) != 0 {
		t.Errorf("list after the deletion: %s", list.raw)
	}
	if _, err := a.Manifest(t.Context(), id); err == nil {
		t.Error("the sound is still there")
	}
}

func TestNoRecorder(t *testing.T) {
	w := newWorld(t)
	id := w.recording(w.must("POST", "/conferences", object{}).id())
	w.refused(503, "RECORDING_UNAVAILABLE", "GET", "/recordings/"+id+"/file", nil)
}
