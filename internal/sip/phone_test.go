package sip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"parley/internal/fault"
	"parley/internal/line"
)

const (
	offerSDP  = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n"
	answerSDP = "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"
	ourOffer  = "v=0\r\no=- 2 1 IN IP4 127.0.0.1\r\ns=ours\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"
)

// exchange is a fake: the target of the call says what its line does.
type exchange struct {
	mu    sync.Mutex
	calls []*fakeLine
	made  chan *fakeLine
}

func newExchange() *exchange { return &exchange{made: make(chan *fakeLine, 100)} }

func (x *exchange) Accept(_ context.Context, in line.Invite, d line.Dialog) (Line, error) {
	switch {
	case in.Target == "nobody":
		return nil, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "no conference %q", in.Target)
	case in.Target == "full":
		return nil, fault.New(fault.Exhausted, "CONFERENCE_FULL", "full")
	case in.Target == "overload":
		return nil, fault.New(fault.Unavailable, "OVERLOADED", "too much")
	case in.Target == "members" && in.CustomerID == "":
		return nil, fault.New(fault.Unauthenticated, "AUTH", "who is it?")
	case in.Target == "broken":
		return nil, errors.New("secret of the database")
	}
	l := &fakeLine{in: in, d: d, hang: make(chan string, 1), ended: make(chan struct{}), up: make(chan struct{})}
	x.mu.Lock()
	x.calls = append(x.calls, l)
	x.mu.Unlock()
	x.made <- l
	return l, nil
}

type fakeLine struct {
	in        line.Invite
	d         line.Dialog
	hang      chan string
	ended     chan struct{}
	up        chan struct{} // closed when the answer is confirmed
	confirmed string
	err       error
	mu        sync.Mutex
	digits    string
	offers    []string
	answers   []string
}

func (l *fakeLine) Run(ctx context.Context) error {
	defer close(l.ended)
	if l.in.Target == "early" {
		if l.err = l.d.Ring(ctx, []byte(answerSDP)); l.err != nil {
			return nil
		}
	}
	if err := l.d.Ring(ctx, nil); err != nil {
		l.err = err
		return nil
	}
	switch l.in.Target {
	case "ring":
		select {
		case <-l.d.Done():
		case <-ctx.Done():
		}
		return nil
	case "forgets":
		return nil
	case "media":
		l.d.Reject(fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no codec in common"))
		return nil
	}
	body := answerSDP
	if l.in.Offer == nil {
		body = ourOffer
	}
	got, err := l.d.Answer(ctx, []byte(body))
	l.confirmed, l.err = string(got), err
	if err != nil {
		return nil
	}
	close(l.up)
	select {
	case reason := <-l.hang:
		l.d.Hangup(reason)
	case <-ctx.Done():
		l.d.Hangup("server stops")
	case <-l.d.Done():
	}
	return nil
}

func (l *fakeLine) Offer(_ context.Context, offer []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offers = append(l.offers, string(offer))
	if strings.Contains(string(offer), "m=video") {
		return nil, fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no audio")
	}
	if offer == nil {
		return []byte(ourOffer), nil
	}
	return []byte(answerSDP), nil
}

func (l *fakeLine) Answered(_ context.Context, answer []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, string(answer))
	return nil
}

func (l *fakeLine) Digit(_ context.Context, digit string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.digits += digit
}

// cause waits for the end of the line and tells how the dialog ended.
func (l *fakeLine) cause(t *testing.T) (string, int) {
	t.Helper()
	select {
	case <-l.d.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the dialog does not end")
	}
	select {
	case <-l.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the line does not end")
	}
	return l.d.Cause()
}

// start runs a server on a free port until the test ends, and checks that nothing is left of it then.
func start(t *testing.T, change func(*Options)) (*Server, *exchange) {
	t.Helper()
	x := newExchange()
	o := Options{Addr: "127.0.0.1:0", Exchange: x, Timing: Timing{T1: 50 * time.Millisecond, Drain: 2 * time.Second}}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	if change != nil {
		change(&o)
	}
	before := goleak.IgnoreCurrent()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
			if n := s.Stats().Dialogs; n != 0 {
				t.Errorf("%d dialogs left", n)
			}
			goleak.VerifyNone(t, before)
		})
	}
	t.Cleanup(stop)
	return s, x
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

var serial atomic.Int64

// phone is a user agent made of text: what it sends is written out in the test.
type phone struct {
	t        *testing.T
	network  string
	conn     net.Conn
	listener net.Listener
	packets  net.PacketConn
	server   net.Addr
	in       chan sip.Message
	callID   string
	user     string
	branch   string
	seq      int
	toTag    string
	last     string // code and CSeq of the last response, to skip repetitions
	target   string // request URI of requests in the dialog
}

func newPhone(t *testing.T, s *Server, network, user string) *phone {
	t.Helper()
	n := serial.Add(1)
	p := &phone{t: t, network: network, user: user, in: make(chan sip.Message, 100), callID: fmt.Sprintf("call-%d", n), target: "sip:" + user + "@127.0.0.1"}
	if network == "UDP" {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.packets = c
		p.knows(s)
		t.Cleanup(func() { _ = c.Close() })
		go p.readPackets()
		return p
	}
	c, err := net.Dial("tcp4", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.conn = c
	t.Cleanup(func() { _ = c.Close() })
	go p.readStream()
	return p
}

// knows tells the phone where the server is; it may be made before that, so that it outlives the server.
func (p *phone) knows(s *Server) {
	if s != nil {
		p.server = net.UDPAddrFromAddrPort(s.Addr())
	}
}

// listenPhone is a phone that waits for a connection over TCP.
func listenPhone(t *testing.T) *phone {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listening(t, l, "TCP")
}

func listening(t *testing.T, l net.Listener, network string) *phone {
	n := serial.Add(1)
	p := &phone{t: t, network: network, user: "bob", in: make(chan sip.Message, 100), callID: fmt.Sprintf("call-%d", n), listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.conn = c
		p.readStream()
		_ = c.Close()
	}()
	return p
}

func (p *phone) readPackets() {
	buf := make([]byte, 65535)
	for {
		n, _, err := p.packets.ReadFrom(buf)
		if err != nil {
			return
		}
		if m, err := sip.ParseMessage(buf[:n]); err == nil {
			p.in <- m
		} else {
			p.t.Errorf("cannot parse %q: %v", buf[:n], err)
		}
	}
}

func (p *phone) readStream() {
	defer close(p.in)
	r := bufio.NewReader(p.conn)
	for {
		var head strings.Builder
		length := 0
		for {
			row, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if row == "\r\n" && head.Len() == 0 {
				p.in <- sip.NewResponse(999, "pong")
				continue
			}
			head.WriteString(row)
			if v, ok := strings.CutPrefix(row, "Content-Length: "); ok {
				length, _ = strconv.Atoi(strings.TrimSpace(v))
			}
			if row == "\r\n" {
				break
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if m, err := sip.ParseMessage([]byte(head.String() + string(body))); err == nil {
			p.in <- m
		}
	}
}

func (p *phone) local() string {
	if p.listener != nil {
		return p.listener.Addr().String()
	}
	if p.conn != nil {
		return p.conn.LocalAddr().String()
	}
	return p.packets.LocalAddr().String()
}

func (p *phone) write(text string) {
	p.t.Helper()
	var err error
	if p.conn != nil {
		_, err = io.WriteString(p.conn, text)
	} else {
		_, err = p.packets.WriteTo([]byte(text), p.server)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// request writes a request out. Lines of extra replace the header of the same name; a line "-Name" takes it away; "=METHOD uri version"
// replaces the request line.
func (p *phone) request(method, body string, extra ...string) string {
	if method != "ACK" && method != "CANCEL" {
		p.seq++
		p.branch = fmt.Sprintf("z9hG4bK-%d", serial.Add(1))
	}
	branch := p.branch
	if method == "ACK" && p.toTag != "" {
		branch = fmt.Sprintf("z9hG4bK-%d", serial.Add(1))
	}
	to := "<sip:" + p.user + "@127.0.0.1>"
	if p.toTag != "" && method != "CANCEL" {
		to += ";tag=" + p.toTag
	}
	contact := "<sip:caller@" + p.local()
	if p.network == "TCP" {
		contact += ";transport=tcp"
	}
	rows := []string{
		fmt.Sprintf("%s %s SIP/2.0", method, p.target),
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s;rport", p.network, p.local(), branch),
		"Max-Forwards: 70",
		"From: \"Ada\" <sip:ada@127.0.0.1>;tag=from-" + p.callID,
		"To: " + to,
		"Call-ID: " + p.callID,
		fmt.Sprintf("CSeq: %d %s", p.seq, method),
		"Contact: " + contact + ">",
		"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO",
	}
	if body != "" {
		rows = append(rows, "Content-Type: application/sdp")
	}
	rows = append(rows, fmt.Sprintf("Content-Length: %d", len(body)))
	for _, e := range extra {
		rows = override(rows, e)
	}
	return strings.Join(rows, "\r\n") + "\r\n\r\n" + body
}

func override(rows []string, e string) []string {
	if start, ok := strings.CutPrefix(e, "="); ok {
		rows[0] = start
		return rows
	}
	name, drop := strings.CutPrefix(e, "-")
	name, _, _ = strings.Cut(name, ":")
	for i, r := range rows[1:] {
		if strings.HasPrefix(r, name+":") {
			if drop {
				return append(rows[:i+1], rows[i+2:]...)
			}
			rows[i+1] = e
			return rows
		}
	}
	return append(rows, e)
}

func (p *phone) next(wait time.Duration) sip.Message {
	select {
	case m, ok := <-p.in:
		if !ok {
			return nil
		}
		return m
	case <-time.After(wait):
		return nil
	}
}

// expect waits for a response with the code; 100 and repetitions of the last one are skipped.
func (p *phone) expect(code int) *sip.Response {
	p.t.Helper()
	for {
		m := p.next(5 * time.Second)
		if m == nil {
			p.t.Fatalf("no %d came", code)
		}
		res, ok := m.(*sip.Response)
		if !ok {
			p.t.Fatalf("want %d, got request %s", code, m.(*sip.Request).Method)
		}
		seen := fmt.Sprint(res.StatusCode)
		if res.CSeq() != nil {
			seen += " " + res.CSeq().Value()
		}
		if res.StatusCode == code {
			p.last = seen
			if to := res.To(); to != nil && code > 100 && p.toTag == "" && code < 300 {
				p.toTag = to.Params.GetOr("tag", "")
			}
			return res
		}
		if res.StatusCode != 100 && seen != p.last {
			p.t.Fatalf("want %d, got %s", code, res)
		}
	}
}

// expectRequest waits for a request of the server and answers it; status 0 leaves it unanswered.
func (p *phone) expectRequest(method string, status int, body string, extra ...string) *sip.Request {
	p.t.Helper()
	for {
		m := p.next(5 * time.Second)
		if m == nil {
			p.t.Fatalf("no %s came", method)
		}
		if res, ok := m.(*sip.Response); ok {
			if seen := fmt.Sprintf("%d %s", res.StatusCode, res.CSeq().Value()); seen != p.last {
				p.t.Fatalf("want %s, got %s", method, res)
			}
			continue
		}
		req := m.(*sip.Request)
		if string(req.Method) != method {
			p.t.Fatalf("want %s, got %s", method, req)
		}
		if status != 0 {
			p.answer(req, status, body, extra...)
		}
		return req
	}
}

func (p *phone) answer(req *sip.Request, status int, body string, extra ...string) {
	p.t.Helper()
	res := sip.NewResponseFromRequest(req, status, "X", []byte(body))
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	for _, e := range extra {
		name, v, _ := strings.Cut(e, ": ")
		res.AppendHeader(sip.NewHeader(name, v))
	}
	p.write(res.String())
}

// call sets a call up and returns its line and the 200.
func (p *phone) call(x *exchange, extra ...string) (*fakeLine, *sip.Response) {
	p.t.Helper()
	p.write(p.request("INVITE", offerSDP, extra...))
	p.expect(180)
	res := p.expect(200)
	p.write(p.request("ACK", ""))
	l := p.line(x)
	p.confirmed(l)
	return l, res
}

// confirmed waits until the line knows of the ACK.
func (p *phone) confirmed(l *fakeLine) {
	p.t.Helper()
	select {
	case <-l.up:
	case <-time.After(5 * time.Second):
		p.t.Fatal("the ACK does not arrive")
	}
}

// gone waits until the server has forgotten the dialog.
func (p *phone) gone(s *Server) {
	p.t.Helper()
	for end := time.Now().Add(5 * time.Second); s.Stats().Dialogs > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatal("the dialog stays")
		}
	}
}

func (p *phone) line(x *exchange) *fakeLine {
	p.t.Helper()
	select {
	case l := <-x.made:
		return l
	case <-time.After(5 * time.Second):
		p.t.Fatal("no call was made")
	}
	return nil
}

func (p *phone) bye() {
	p.t.Helper()
	p.write(p.request("BYE", ""))
	p.expect(200)
}

// quiet fails when anything comes within the time.
func (p *phone) quiet(wait time.Duration) {
	p.t.Helper()
	if m := p.next(wait); m != nil {
		p.t.Fatalf("unexpected %s", m)
	}
}

func header(m sip.Message, name string) string {
	if hs := m.GetHeaders(name); len(hs) > 0 {
		return hs[0].Value()
	}
	return ""
}
