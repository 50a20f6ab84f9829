package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// agent is a small SIP client on one UDP socket: enough of RFC 3261 to place calls on loopback and hang up.
type agent struct {
	conn   *net.UDPConn
	server netip.AddrPort
	mu     sync.Mutex
	byID   map[string]*dialog
	failed string
	next   int
}

// dialog is one call.
type dialog struct {
	id, from, to, target string
	contact              string
	leg                  *leg
	setup                time.Duration
	err                  error
	answers              chan string
}

func newAgent(server netip.AddrPort) (*agent, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("load generator's SIP socket: %w", err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	a := &agent{conn: conn, server: server, byID: map[string]*dialog{}}
	go a.read()
	return a, nil
}

func (a *agent) close() { _ = a.conn.Close() }

func (a *agent) lastFailure() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failed
}

var callID = regexp.MustCompile(`(?im)^(?:call-id|i)\s*:\s*(\S+)`)

// read hands answers to their calls and says 200 to whatever the server asks. It ends when the socket is closed.
func (a *agent) read() {
	buf := make([]byte, 65536)
	for {
		n, err := a.conn.Read(buf)
		if err != nil {
			return
		}
		msg := string(buf[:n])
		if !strings.HasPrefix(msg, "SIP/2.0 ") {
			a.oblige(msg)
			continue
		}
		m := callID.FindStringSubmatch(msg)
		if m == nil {
			continue
		}
		a.mu.Lock()
		d := a.byID[m[1]]
		a.mu.Unlock()
		if d != nil {
			select {
			case d.answers <- msg:
			default:
			}
		}
	}
}

// oblige answers a request of the server (BYE, UPDATE, OPTIONS) with 200.
func (a *agent) oblige(msg string) {
	if strings.HasPrefix(msg, "ACK ") {
		return
	}
	var b strings.Builder
	b.WriteString("SIP/2.0 200 OK\r\n")
	for line := range strings.SplitSeq(msg, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		if slices.Contains([]string{"via", "from", "to", "call-id", "cseq", "session-expires"}, strings.ToLower(name)) {
			b.WriteString(line + "\r\n")
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	_, _ = a.conn.WriteToUDPAddrPort([]byte(b.String()), a.server)
}

// invite places one call and returns it answered, or with err set.
func (a *agent) invite(ctx context.Context, user string, talks bool) *dialog {
	leg, err := newLeg(talks)
	if err != nil {
		return &dialog{err: err}
	}
	a.mu.Lock()
	a.next++
	d := &dialog{
		id: fmt.Sprintf("bench-%d-%d@127.0.0.1", a.next, time.Now().UnixNano()), target: fmt.Sprintf("sip:%s@%v", user, a.server),
		from: fmt.Sprintf("<sip:bench%d@%v>;tag=b%d", a.next, a.conn.LocalAddr(), a.next), leg: leg, answers: make(chan string, 16),
	}
	a.byID[d.id] = d
	a.mu.Unlock()
	d.to = "<" + d.target + ">"
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n", leg.port)
	if d.err = a.dialogUp(ctx, d, sdp); d.err != nil {
		a.mu.Lock()
		a.failed = d.err.Error()
		delete(a.byID, d.id)
		a.mu.Unlock()
		leg.close()
	}
	return d
}

func (a *agent) dialogUp(ctx context.Context, d *dialog, sdp string) error {
	start := time.Now()
	msg, err := a.ask(ctx, d, request{"INVITE", 1, d.target, sdp})
	if err != nil {
		return err
	}
	d.setup = time.Since(start)
	d.to = header(msg, "To")
	if !strings.HasPrefix(msg, "SIP/2.0 200") {
		status, _, _ := strings.Cut(msg, "\r\n")
		a.send(d, request{"ACK", 1, d.target, ""})
		return errors.New(status)
	}
	d.contact = strings.Trim(strings.SplitN(header(msg, "Contact"), ">", 2)[0], "< ")
	if d.contact == "" {
		return errors.New("no Contact in the 200")
	}
	a.send(d, request{"ACK", 1, d.contact, ""})
	return d.leg.connect(msg)
}

// bye hangs up without waiting.
func (a *agent) bye(d *dialog) {
	a.send(d, request{"BYE", 2, d.contact, ""})
	d.leg.close()
}

// quiet waits for the last answers to BYE, at most d.
func (a *agent) quiet(d time.Duration) {
	deadline := time.After(d)
	a.mu.Lock()
	calls := make([]*dialog, 0, len(a.byID))
	for _, c := range a.byID {
		calls = append(calls, c)
	}
	a.mu.Unlock()
	for _, c := range calls {
		for done := false; !done; {
			select {
			case msg := <-c.answers:
				done = strings.Contains(header(msg, "CSeq"), "BYE")
			case <-deadline:
				return
			}
		}
	}
}

// request is one of a dialog's.
type request struct {
	method    string
	cseq      int
	uri, body string
}

func (a *agent) send(d *dialog, r request) {
	kind := ""
	if r.body != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	fmt.Fprintf(udpWriter{a}, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %v;rport;branch=z9hG4bK%s-%s-%d\r\nMax-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"+
		"Contact: <sip:bench@%v>\r\n%sContent-Length: %d\r\n\r\n%s",
		r.method, r.uri, a.conn.LocalAddr(), strings.SplitN(d.id, "@", 2)[0], r.method, r.cseq, d.from, d.to, d.id, r.cseq, r.method, a.conn.LocalAddr(), kind, len(r.body), r.body)
}

type udpWriter struct{ a *agent }

func (w udpWriter) Write(p []byte) (int, error) { return w.a.conn.WriteToUDPAddrPort(p, w.a.server) }

// ask sends a request, again every 500 ms until something is heard, and returns the final answer.
func (a *agent) ask(ctx context.Context, d *dialog, r request) (string, error) {
	a.send(d, r)
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	provisional := false
	for {
		select {
		case msg := <-d.answers:
			if provisional = strings.HasPrefix(msg, "SIP/2.0 1"); !provisional {
				return msg, nil
			}
		case <-again.C:
			if !provisional {
				a.send(d, r)
			}
		case <-deadline.C:
			return "", fmt.Errorf("no answer to %s within 20 s", r.method)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// header returns the first value of a header in a message.
func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

var (
	mediaLine = regexp.MustCompile(`(?m)^m=audio (\d+) `)
	connLine  = regexp.MustCompile(`(?m)^c=IN IP4 (\S+)`)
)

// connect points the leg to the address of an SDP answer.
func (l *leg) connect(msg string) error {
	m, c := mediaLine.FindStringSubmatch(msg), connLine.FindStringSubmatch(msg)
	if m == nil || c == nil {
		return errors.New("no audio in the answer")
	}
	port, _ := strconv.ParseUint(m[1], 10, 16)
	ip, err := netip.ParseAddr(strings.TrimSpace(c[1]))
	if err != nil || !ip.IsLoopback() {
		return fmt.Errorf("media address %q is not on loopback", c[1])
	}
	return l.to(netip.AddrPortFrom(ip, uint16(port)))
}
