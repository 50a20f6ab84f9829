package api

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"

	"parley/internal/api/links"
	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/blob"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/recording/archive"
	"parley/internal/recording/render"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// link is where a file can be had without a credential.
type link struct {
	URL    string    `json:"url"`
	Expire wire.Time `json:"tm_expire"`
}

// linkLasts is how long a link lasts when nobody says.
const linkLasts = time.Hour

func (d *Door) recordingLink(r *rest.Request) (rest.Reply, error) {
	x, err := d.sound(r)
	if err != nil {
		return rest.Reply{}, err
	}
	what, err := rendition(r, x)
	if err != nil {
		return rest.Reply{}, err
	}
	seconds, err := web.Int(r.URL.Query(), "lasts", int64(linkLasts/time.Second))
	if err == nil && (seconds < 1 || seconds > int64(blob.LongestLink/time.Second)) {
		err = fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q is out of range: take 1 to 604800 seconds", "lasts")
	}
	if err != nil {
		return rest.Reply{}, err
	}
	lasts := time.Duration(seconds) * time.Second
	ends := wall.Now().Add(lasts).UTC().Truncate(time.Second)
	at, err := d.o.Recordings.Link(r.Context(), x.ID, what, lasts)
	if fault.ReasonOf(err) == "BLOB_LINK_UNSUPPORTED" {
		token := d.links.Token(links.File{Recording: x.ID, Kind: what.Kind, Tag: what.Tag, Format: what.Format, Ends: ends.Unix()})
		at, err = hostOf(r.Request)+"/links?token="+url.QueryEscape(token), nil
	}
	return rest.Reply{Body: link{at, wire.Time(ends)}}, err
}

// hostOf is how the client has called this server.
func hostOf(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// linked serves the file that a link of ours leads to. What has been deleted since is not there any more.
func (d *Door) linked(w http.ResponseWriter, r *http.Request) {
	f, x, err := d.openLink(r)
	if err != nil {
		web.Refuse(w, r, err)
		return
	}
	defer f.Close()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a long download is no slow client
	serveFile(w, r, x, f)
}

func (d *Door) openLink(r *http.Request) (*archive.File, tape.Recording, error) {
	var x tape.Recording
	to, err := d.links.Open(r.URL.Query().Get("token"), wall.Now())
	if err != nil {
		return nil, x, err
	}
	rec, err := d.o.Store.Get(r.Context(), store.Recording, to.Recording)
	if err == nil {
		x, err = rest.Read[tape.Recording](rec)
	}
	switch {
	case fault.KindOf(err) == fault.NotFound, err == nil && (rec.Deleted || x.Status != tape.Ended):
		return nil, x, fault.New(fault.NotFound, "RECORDING_FILE_NOT_FOUND", "the recording has been deleted")
	case err != nil:
		return nil, x, err
	case d.o.Recordings == nil:
		return nil, x, fault.New(fault.Unavailable, "RECORDING_UNAVAILABLE", "this server does not record")
	}
	web.LabelCustomer(r, rec.CustomerID)
	f, err := d.o.Recordings.File(r.Context(), x.ID, render.Rendition{Kind: to.Kind, Tag: to.Tag, Format: to.Format})
	return f, x, err
}

// serveFile answers with the file, or the part of it that is asked for.
func serveFile(w http.ResponseWriter, r *http.Request, x tape.Recording, f *archive.File) {
	h := w.Header()
	h.Set("Content-Type", "audio/"+f.Format)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	h.Set("ETag", `"`+f.SHA256[:32]+`"`)
	http.ServeContent(w, r, "", x.Ended, f)
}

// elsewhere returns a redirection to where the store itself has the file, false when it is to be had here.
func (d *Door) elsewhere(r *rest.Request, x tape.Recording, what render.Rendition) (reply rest.Reply, ok bool, err error) {
	if !d.o.Redirect {
		return reply, false, nil
	}
	at, err := d.o.Recordings.Link(r.Context(), x.ID, what, linkLasts)
	switch {
	case fault.ReasonOf(err) == "BLOB_LINK_UNSUPPORTED", fault.ReasonOf(err) == "BLOB_UNAVAILABLE":
		return reply, false, nil
	case err != nil:
		return reply, false, err
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		w.Header().Set("Location", at)
		w.Header().Set("Cache-Control", "no-store") // the link ends
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	}}, true, nil
}

func closeAll(files []*archive.File) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}
