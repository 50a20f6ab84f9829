package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/store"
)

// events answers with Server-Sent Events (HTML standard, section 9.2): the id of each is its number, so that a browser resumes by itself.
func (f *Feed) events(r *rest.Request) (rest.Reply, error) {
	q := r.URL.Query()
	after, err := web.Int(q, "after", -1)
	if err != nil {
		return rest.Reply{}, err
	}
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil {
			after = n
		}
	}
	conference, err := web.UUID(q, "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	want := store.LogQuery{Types: web.Words(q, "type"), Limit: 1}
	if err := want.Check(); err != nil {
		return rest.Reply{}, err
	}
	at, err := f.place(r.Context(), after)
	if err != nil {
		return rest.Reply{}, err
	}
	if r.Method == http.MethodHead { // there is nothing to follow
		return rest.Reply{Stream: func(w http.ResponseWriter) error { kind(w.Header()); return nil }}, nil
	}
	ctx, leave, err := f.enter(r)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		defer leave()
		p, err := f.begin(w)
		if err != nil {
			return err
		}
		defer p.Close()
		go func() { // a client that goes away is noticed by reading
			defer leave()
			drain(p)
		}()
		err = f.flow(ctx, &flow{
			pipe: p, customer: r.CustomerID, at: at, beat: []byte(": \n\n"),
			wanted: func(e *entry) bool {
				return (conference == "" || e.ConferenceID == conference) && store.OfType(e.Type, want.Types)
			},
			frame: func(e *entry) []byte { return e.asEvent() },
		})
		reason, _ := json.Marshal(map[string]string{"reason": words(ctx, err)}) // strings always marshal
		p.last(fmt.Appendf(nil, "event: closed\ndata: %s\n\n", reason))
		return nil
	}}, nil
}

// kind says what the answer is, and that nobody on the way is to keep it.
func kind(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
}

// begin takes the connection over: the answer has no length and ends with it.
func (f *Feed) begin(w http.ResponseWriter) (*pipe, error) {
	h := w.Header().Clone()
	kind(h)
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take the connection over: %w", err)
	}
	p := newPipe(c, f.o.Patience)
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&head) // a buffer takes everything
	head.WriteString("\r\n: \n\n")
	if err = c.SetDeadline(time.Time{}); err == nil {
		_, err = p.Write(head.Bytes())
	}
	if err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("begin stream: %w", err)
	}
	return p, nil
}

// drainMax is how much a client may say that has nothing to say.
const drainMax = 64 << 10

// drain reads until the client is gone.
func drain(c net.Conn) {
	b := make([]byte, 512)
	for n := 0; n < drainMax; {
		k, err := c.Read(b)
		if n += k; err != nil {
			return
		}
	}
}
