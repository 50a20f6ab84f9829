package feed

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store/cause"
)

const (
	frameMax  = 64 << 10 // bytes of a client's frame
	topicsMax = 200
	goodbye   = 5 * time.Second // for the client's answer to a close
	lateWord  = time.Minute     // the same for one that is slow
)

// errSilent ends a WebSocket whose client does not even answer pings.
var errSilent = errors.New("no sign of life: connect again, and resume with after")

// ping is a complete frame without a payload (RFC 6455 section 5.5.2).
var ping = []byte{0x89, 0}

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
		s := &socket{f: f, who: r.Caller, by: r.Cause(), want: topics{}, changed: make(chan struct{}, 1)}
		if s.accept(w, r.Request) == nil { // else it has been answered
			defer func() { _ = s.c.CloseNow() }()
			s.run(ctx, leave)
		}
		return nil
	}}, nil
}

// socket is one WebSocket. The library does the handshake, reads, and answers control frames; entries go out past it, as frames that are made
// once for all sockets.
type socket struct {
	f       *Feed
	c       *websocket.Conn
	pipe    *pipe
	who     rest.Caller
	by      cause.Cause   // of what it writes
	heard   atomic.Int64  // when the client last gave a sign of life, Unix ns
	changed chan struct{} // orders have come

	using topics    // by the goroutine that writes
	asked time.Time // by the same: when the first ping went out that is not answered

	mu   sync.Mutex
	want topics // what is wished; never written in place
	from *int64 // where to go on, when the client has said so
}

// taken hands the library a connection that others write to as well.
type taken struct {
	http.ResponseWriter
	s *socket
}

// Hijack implements http.Hijacker.
func (t taken) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, both, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	t.s.pipe = newPipe(c, t.s.f.o.Patience)
	return t.s.pipe, bufio.NewReadWriter(both.Reader, bufio.NewWriterSize(t.s.pipe, 512)), c.SetDeadline(time.Time{})
}

func (s *socket) accept(w http.ResponseWriter, r *http.Request) (err error) {
	// A cookie travels with what other sites open; a credential that the client has to know does not.
	_, token := r.Cookie("token")
	_, key := r.Cookie("accesskey")
	byCookie := token == nil || key == nil
	s.hear()
	s.c, err = websocket.Accept(taken{w, s}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: !byCookie, OnPongReceived: func(context.Context, []byte) { s.hear() },
		OnPingReceived: func(context.Context, []byte) bool { s.hear(); return true },
	})
	if err == nil {
		s.c.SetReadLimit(frameMax)
	}
	return err
}

func (s *socket) hear() { s.heard.Store(time.Now().UnixNano()) }

// run serves the socket until either side ends it.
func (s *socket) run(ctx context.Context, leave func()) {
	reading, stop := context.WithCancel(cause.With(context.Background(), s.by)) // the library cuts the connection with it
	defer stop()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer leave()
		s.read(reading)
	}()
	at, err := s.f.place(ctx, -1)
	if err == nil {
		err = s.f.flow(ctx, &flow{
			pipe: s.pipe, customer: s.who.CustomerID, at: s.wishes(at), wanted: func(e *entry) bool { return s.using.wanted(e) }, frame: func(e *entry) []byte { return e.asFrame() },
			beat: ping, alive: s.alive, changed: s.changed, wishes: s.wishes,
		})
	}
	select {
	case <-read: // the client has ended it, or was told why
	default:
		s.end(ctx, err)
		leave()
		s.linger(read, err)
	}
	stop()
	_ = s.c.CloseNow()
	<-read
}

// end tells the client why the socket is closed.
func (s *socket) end(ctx context.Context, err error) {
	code, reason := websocket.StatusPolicyViolation, words(ctx, err)
	switch why := context.Cause(ctx); {
	case errors.Is(err, errSlow), errors.Is(err, errSilent), errors.Is(why, errKeyDeleted), errors.Is(why, errKeyExpired), errors.Is(why, errAgentOut):
	case errors.Is(why, errStopping):
		code = websocket.StatusGoingAway
	case ctx.Err() != nil:
		return // the client is gone
	default:
		code = websocket.StatusInternalError
	}
	s.pipe.last(closeFrame(code, reason))
}

// closeFrame returns a complete frame; a reason has at most 123 bytes (RFC 6455 sections 5.5 and 5.5.1).
func closeFrame(code websocket.StatusCode, reason string) []byte {
	reason = reason[:min(len(reason), 123)]
	b := binary.BigEndian.AppendUint16([]byte{0x88, byte(2 + len(reason))}, uint16(code))
	return append(b, reason...)
}

// linger waits for the client to end its side too. Would the socket be closed at once, the first word of a client that is late would make the
// system throw away what it has not read, the reason included.
func (s *socket) linger(read <-chan struct{}, err error) {
	wait := goodbye
	if errors.Is(err, errSlow) {
		wait = lateWord
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-read:
	case <-timer.C:
	}
}

// alive ends a socket whose client has left pings unanswered for too long. A ping has just been sent. While entries are on their way to a client that takes
// them slowly there is none, and nothing to be answered.
func (s *socket) alive() error {
	heard, now := time.Unix(0, s.heard.Load()), time.Now()
	switch {
	case s.asked.IsZero() || heard.After(s.asked):
		s.asked = now
	case now.Sub(s.asked) > s.f.o.Patience:
		return errSilent
	}
	return nil
}

// read takes the client's orders. What is not JSON is ignored, as in the original.
func (s *socket) read(ctx context.Context) {
	for {
		kind, text, err := s.c.Read(ctx)
		if err != nil {
			return
		}
		s.hear()
		if kind != websocket.MessageText {
			_ = s.c.Close(websocket.StatusUnsupportedData, "send text frames with JSON")
			return
		}
		var o order
		if json.Unmarshal(text, &o) != nil {
			continue
		}
		if o.Type == "message" && s.f.o.Say != nil && s.who.May(agent.Manages) {
			if _, err := s.pipe.Write(frameOf(s.f.o.Say(ctx, s.who.CustomerID, text))); err != nil {
				return
			}
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
		if !mayRead(topic, s.who) {
			return "a topic is not well formed or not yours"
		}
	}
	if o.After != nil {
		at, err := s.f.place(ctx, *o.After)
		if err != nil || *o.After < 0 {
			return fmt.Sprintf("after is %d, which is not a number of the log", *o.After)
		}
		o.After = &at
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want := topics{}
	for topic := range s.want {
		want[topic] = true
	}
	switch o.Type {
	case "subscribe":
		for _, topic := range o.Topics {
			want[topic] = true
		}
		if len(want) > topicsMax {
			return "too many topics"
		}
		if o.After != nil {
			s.from = o.After
		}
	case "unsubscribe":
		for _, topic := range o.Topics {
			delete(want, topic)
		}
	}
	s.want = want
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return ""
}

// wishes takes up what the client wants, and returns where to go on when it has said so, at otherwise.
func (s *socket) wishes(at int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.using = s.want; s.from != nil {
		at, s.from = *s.from, nil
	}
	return at
}
