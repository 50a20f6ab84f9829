package feed

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"parley/internal/api/rest"
	"parley/internal/fault"
)

const (
	frameMax  = 64 << 10 // bytes of a client's frame
	topicsMax = 200
)

// order is a frame of a client.
type order struct {
	Type   string   `json:"type"`
	Topics []string `json:"topics"`
	After  *int64   `json:"after"`
}

// socket answers with a WebSocket.
func (f *Feed) socket(r *rest.Request) (rest.Reply, error) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return rest.Reply{}, fault.New(fault.Invalid, "UPGRADE_REQUIRED", "this is a WebSocket; ask for the upgrade (RFC 6455)")
	}
	ctx, leave, err := f.enter(r)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Reply{Stream: func(w http.ResponseWriter) error {
		defer leave()
		// A cookie travels with what other sites open; a credential that the client has to know does not.
		_, token := r.Cookie("token")
		_, key := r.Cookie("accesskey")
		byCookie := token == nil || key == nil
		c, err := websocket.Accept(w, r.Request, &websocket.AcceptOptions{InsecureSkipVerify: !byCookie})
		if err != nil {
			return nil // Accept has answered
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(frameMax)
		s := &socket{f: f, c: c, customer: r.CustomerID, key: r.KeyID, want: topics{}, changed: make(chan struct{}, 1)}
		s.run(ctx, leave)
		return nil
	}}, nil
}

// socket is one WebSocket: one goroutine reads orders, another writes entries.
type socket struct {
	f             *Feed
	c             *websocket.Conn
	customer, key string
	changed       chan struct{} // orders have come

	mu   sync.Mutex
	want topics
	from *int64 // where to go on, when the client has said so
}

// run serves the socket until either side ends it.
func (s *socket) run(ctx context.Context, leave func()) {
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer leave()
		s.read(ctx)
	}()
	err := s.write(ctx)
	switch {
	case s.f.done.Err() != nil:
		_ = s.c.Close(websocket.StatusGoingAway, "the server is stopping: connect again, and resume with after")
	case errors.Is(err, context.DeadlineExceeded):
		_ = s.c.Close(websocket.StatusPolicyViolation, "too slow: connect again, and resume with after")
	case err != nil && ctx.Err() == nil:
		_ = s.c.Close(websocket.StatusInternalError, "the log cannot be read: connect again, and resume with after")
	}
	_ = s.c.CloseNow()
	<-read
}

// read takes the client's orders. What is not JSON is ignored, as in the original.
func (s *socket) read(ctx context.Context) {
	for {
		kind, text, err := s.c.Read(ctx)
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = s.c.Close(websocket.StatusUnsupportedData, "send text frames with JSON")
			return
		}
		var o order
		if json.Unmarshal(text, &o) != nil {
			continue
		}
		if reason := s.obey(ctx, &o); reason != "" {
			_ = s.c.Close(websocket.StatusPolicyViolation, reason)
			return
		}
	}
}

// obey carries out an order, or returns why the socket is to be closed.
func (s *socket) obey(ctx context.Context, o *order) string {
	for _, topic := range o.Topics {
		if !mayRead(topic, s.customer, s.key) {
			return "a topic is not well formed or not yours"
		}
	}
	if o.After != nil {
		at, err := s.f.place(ctx, *o.After)
		if err != nil || *o.After < 0 {
			return "after is not a number of the log"
		}
		o.After = &at
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o.Type {
	case "subscribe":
		for _, topic := range o.Topics {
			s.want[topic] = true
		}
		if len(s.want) > topicsMax {
			return "too many topics"
		}
		if o.After != nil {
			s.from = o.After
		}
	case "unsubscribe":
		for _, topic := range o.Topics {
			delete(s.want, topic)
		}
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return ""
}

// wishes returns the subscription, and where to go on when at is not it.
func (s *socket) wishes(at int64) (topics, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from != nil {
		at, s.from = *s.from, nil
	}
	want := make(topics, len(s.want))
	for topic := range s.want {
		want[topic] = true
	}
	return want, at
}

// write sends entries and pings until ctx ends or the client does not take them.
func (s *socket) write(ctx context.Context) error {
	at, err := s.f.place(ctx, -1)
	if err != nil {
		return err
	}
	want, at := s.wishes(at)
	beat := time.NewTicker(s.f.o.Beat)
	defer beat.Stop()
	for {
		list, next, more, err := s.f.tail.after(ctx, s.customer, at)
		if err != nil {
			return err
		}
		sent := false
		for _, e := range list {
			if want.wanted(e) {
				if err := s.send(ctx, e); err != nil {
					return err
				}
				sent = true
			}
		}
		if at = next; sent {
			hold(ctx)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		case <-s.changed:
			want, at = s.wishes(at)
		case <-beat.C:
			if err := s.ping(ctx); err != nil {
				return err
			}
		}
	}
}

func (s *socket) send(ctx context.Context, e *entry) error {
	ctx, cancel := context.WithTimeout(ctx, s.f.o.Patience)
	defer cancel()
	if err := s.c.Write(ctx, websocket.MessageText, e.text); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}

// ping waits for the client's sign of life.
func (s *socket) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.f.o.Patience)
	defer cancel()
	if err := s.c.Ping(ctx); err != nil {
		return errors.Join(err, ctx.Err())
	}
	return nil
}
