package api_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/recording/archive"
	"parley/internal/recording/render"
)

// bucket is an archive whose files can be had elsewhere.
type bucket struct {
	*archive.Archive
	at    string
	error error
}

func (b *bucket) Link(context.Context, string, render.Rendition, time.Duration) (string, error) {
	return b.at, b.error
}

// recorded makes a recording with sound that has ended.
func (w *world) recorded(t *testing.T, a *archive.Archive) (id string) {
	t.Helper()
	id = w.recording(w.must("POST", "/conferences", object{}).id())
	sound(t, a, id, uuid.NewString())
	if _, _, err := a.Finish(t.Context(), id, "wav"); err != nil {
		t.Fatal(err)
	}
	return id
}

// get is a request by somebody who has nothing but a URL.
func get(t *testing.T, at string, headers ...string) (int, []byte, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b.Bytes(), res.Header
}

// TestLinkOfOurs: where the store of files has no links, the server serves its own to whoever has one, until its end or the recording's.
func TestLinkOfOurs(t *testing.T) {
	a := newArchive(t)
	w := newWorld(t, func(o *api.Options) { o.Recordings = a })
	id := w.recorded(t, a)
	path := "/recordings/" + id
	whole := w.must("GET", path+"/file?format=ogg", nil)
	made := w.must("GET", path+"/link?format=ogg&lasts=60", nil)
	at, _ := made.body["url"].(string)
	if ends, err := time.Parse(time.RFC3339Nano, made.body["tm_expire"].(string)); err != nil || time.Until(ends) > time.Minute || time.Until(ends) < 50*time.Second {
		t.Errorf("it ends at %v (%v)", ends, err)
	}
	status, body, header := get(t, at)
	if status != http.StatusOK || !bytes.Equal(body, whole.raw) || header.Get("Content-Type") != "audio/ogg" {
		t.Errorf("%s: %d, %d bytes, %v", at, status, len(body), header)
	}
	if status, body, _ = get(t, at, "Range", "bytes=4-13"); status != http.StatusPartialContent || !bytes.Equal(body, whole.raw[4:14]) {
		t.Errorf("a range: %d, %d bytes", status, len(body))
	}
	if status, body, _ = get(t, at+"x"); status != http.StatusNotFound || !bytes.Contains(body, []byte("LINK_INVALID")) {
		t.Errorf("with another signature: %d %s", status, body)
	}
	u, err := url.Parse(at)
	if err != nil || strings.Contains(w.log.String(), u.Query().Get("token")) {
		t.Errorf("the log has the link (%v)", err)
	}
	for _, lasts := range []string{"0", "-1", "604801", "x"} {
		w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", path+"/link?lasts="+lasts, nil)
	}
	w.refused(404, "RECORDING_NOT_FOUND", "GET", path+"/link", nil, "Authorization", "Bearer "+otherKey)
	short, _ := w.must("GET", path+"/link?lasts=1", nil).body["url"].(string)
	time.Sleep(1100 * time.Millisecond)
	if status, body, _ = get(t, short); status != http.StatusNotFound || !bytes.Contains(body, []byte("LINK_EXPIRED")) {
		t.Errorf("after its end: %d %s", status, body)
	}
	w.must("DELETE", path, nil)
	if status, body, _ = get(t, at); status != http.StatusNotFound || !bytes.Contains(body, []byte("RECORDING_FILE_NOT_FOUND")) {
		t.Errorf("after the deletion: %d %s", status, body)
	}
}

// TestLinkOfTheStore: where the store has links they are given, and downloads are sent there when that is wished; a store that cannot be reached is no
// reason to refuse what may be to be had here.
func TestLinkOfTheStore(t *testing.T) {
	b := &bucket{Archive: newArchive(t)}
	w := newWorld(t, func(o *api.Options) { o.Recordings, o.Redirect = b, true })
	b.at = w.server.URL + "/ping"
	path := "/recordings/" + w.recorded(t, b.Archive)
	if made := w.must("GET", path+"/link", nil); made.body["url"] != b.at {
		t.Errorf("%s", made.raw)
	}
	status, _, header := get(t, w.server.URL+"/v1.0"+path+"/file", "Authorization", "Bearer "+key)
	if status != http.StatusTemporaryRedirect || header.Get("Location") != b.at || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, %v", status, header)
	}
	for _, reason := range []string{"BLOB_LINK_UNSUPPORTED", "BLOB_UNAVAILABLE"} {
		b.error = fault.New(fault.Unavailable, reason, "not today")
		if a := w.must("GET", path+"/file", nil); len(a.raw) != 44+16000 {
			t.Errorf("%s: %d bytes", reason, len(a.raw))
		}
	}
}

// slow is an archive in which a file is half made.
type slow struct{ *archive.Archive }

func (slow) Progress(string) (float64, bool) { return 0.421, true }

// TestProgress: a recording whose file is being made says how far that is, and no other does.
func TestProgress(t *testing.T) {
	w := newWorld(t, func(o *api.Options) { o.Recordings = slow{newArchive(t)} })
	room, id := w.must("POST", "/conferences", object{}).id(), uuid.NewString()
	shown := func() any { return w.must("GET", "/recordings/"+id, nil).body["progress"] }
	w.tell(room, conference.StartRecording{At: time.Now(), ID: id})
	if p := shown(); p != nil {
		t.Errorf("while it runs: %v", p)
	}
	w.tell(room, conference.StopRecording{At: time.Now()})
	if p := shown(); p != float64(42) {
		t.Errorf("while it is made: %v", p)
	}
	w.tell(room, conference.FinishRecording{At: time.Now(), ID: id})
	if p := shown(); p != nil {
		t.Errorf("at the end: %v", p)
	}
}
