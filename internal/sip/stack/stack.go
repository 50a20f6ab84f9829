// Package stack is what all SIP dialogs and requests of one server share: timing, the making and counting of responses, the way that a
// request of ours takes (next hop, connection, Via), client transactions, and the group that counts goroutines. It starts goroutines for
// others only (Group.Run). What requests and responses mean is left to whoever sends them.
package stack

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/sip/field"
)

// Supported are the option tags of Supported and Require that this side understands.
const Supported = "100rel, timer, replaces"

// Timing of a server; every value is set.
type Timing struct {
	T1             time.Duration // first retransmission of a 2xx (RFC 3261 section 17.1.1.1), 500 ms; 64 of it is the wait for ACK
	SessionExpires time.Duration // session interval that we ask for (RFC 4028), 1800 s; whole seconds
	MinSE          time.Duration // smallest session interval that we take, 90 s; whole seconds
	Answer         time.Duration // longest wait for the line to answer an INVITE, 3 min
	Drain          time.Duration // how long a stop waits for calls to end by themselves, 6 s
}

// Stack is what the dialogs of one server share. Its fields are set before the first dialog and not changed after.
type Stack struct {
	Local        netip.AddrPort // bound address of UDP and TCP
	LocalTLS     netip.AddrPort // bound address of TLS; the zero value without
	Host         string         // host for Contact and Via; "": Local's, or the interface towards the peer
	UserAgent    string
	Registers    bool          // REGISTER is in Allow
	RetryAfter   time.Duration // told with 503
	Timing       Timing
	Log          *slog.Logger
	Transport    *sip.TransportLayer
	Transactions *sip.TransactionLayer
	Life         context.Context // of the server: lines are asked in it
	Quit         chan struct{}   // closed when waits for peers must end
	// Connect opens a connection for requests over "TCP" or "TLS" to addr and hands it to Transport; host is what a certificate must name.
	Connect func(ctx context.Context, network, host, addr string) error
	Work    Group
	sent    [7]atomic.Uint64
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 413: "Request Entity Too Large", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
	420: "Bad Extension", 422: "Session Interval Too Small", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
	482: "Loop Detected", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
	513: "Message Too Large",
}

// Verdict is a refusal as it goes on the wire.
type Verdict struct {
	Code    int
	Headers []sip.Header
}

// Refuse makes a verdict.
func Refuse(code int, headers ...sip.Header) *Verdict { return &Verdict{code, headers} }

// VerdictOf turns a refusal of the rules into its status. An internal error shows nothing of itself.
func (s *Stack) VerdictOf(err error) *Verdict {
	f, ok := fault.Of(err)
	if !ok {
		return Refuse(fault.Internal.SIP())
	}
	code, warn := f.Kind.SIP(), "399"
	switch {
	case f.Reason == "NOT_ACCEPTABLE_MEDIA":
		code, warn = 488, "305" // RFC 3261 section 20.43: incompatible media format
	case f.Reason == "UNSUPPORTED_MEDIA_TYPE":
		return Refuse(415, sip.NewHeader("Accept", "text/plain, message/cpim")) // RFC 3261 section 21.4.13; only texts have types that rules look at
	case f.Reason == "MESSAGE_RATE_EXCEEDED" || f.Reason == "MEDIA_PORTS_EXHAUSTED":
		code = 503
	case f.Kind == fault.Unauthenticated:
		code = 403 // whoever has a challenge sends it instead: 401 may not go without one
	}
	v := Refuse(code, sip.NewHeader("Warning", warn+" parley "+field.Quoted(f.Reason+": "+f.Message)))
	if code == 503 {
		v.Headers = append(v.Headers, s.RetryLater())
	}
	return v
}

// RetryLater is the Retry-After header of a 503.
func (s *Stack) RetryLater() sip.Header {
	return sip.NewHeader("Retry-After", Seconds(s.RetryAfter))
}

// Allow is the Allow header of this server.
func (s *Stack) Allow() sip.Header {
	list := "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, MESSAGE"
	if s.Registers {
		list += ", REGISTER"
	}
	return sip.NewHeader("Allow", list)
}

// Abilities are what RFC 3261 section 11.2 wants in the answer to OPTIONS.
func (s *Stack) Abilities() []sip.Header {
	return []sip.Header{
		s.Allow(),
		sip.NewHeader("Accept", field.SDP+", "+field.DTMFRelay+", "+field.DTMF),
		sip.NewHeader("Accept-Encoding", "identity"),
		sip.NewHeader("Accept-Language", "en"),
		sip.NewHeader("Supported", Supported),
	}
}

// Response makes a response that says who answers, with the body as SDP when there is one.
func (s *Stack) Response(req *sip.Request, code int, body []byte, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, phrases[code], body)
	res.SipVersion = "SIP/2.0"
	if via := res.Via(); via != nil && !via.Params.Has("received") {
		// RFC 3261 section 18.2.1
		if host, _, err := net.SplitHostPort(req.Source()); err == nil && host != via.Host {
			via.Params.Add("received", host)
		}
	}
	res.AppendHeader(sip.NewHeader("Server", s.UserAgent))
	for _, h := range headers {
		res.AppendHeader(h)
	}
	if len(body) > 0 {
		res.AppendHeader(sip.NewHeader("Content-Type", field.SDP))
	}
	return res
}

// Reply answers a request. A failing socket shows as a retransmitted request, so the error only counts for whoever set a call up.
func (s *Stack) Reply(req *sip.Request, tx *sip.ServerTx, code int, headers ...sip.Header) {
	_ = s.Send(tx, s.Response(req, code, nil, headers...))
}

// Send sends a response and counts it.
func (s *Stack) Send(tx *sip.ServerTx, res *sip.Response) error {
	s.Count(res.StatusCode)
	return tx.Respond(res)
}

// Count counts a response that went out another way.
func (s *Stack) Count(code int) {
	if class := code / 100; class > 0 && class < len(s.sent) {
		s.sent[class].Add(1)
	}
}

// Sent are the responses by class since the start.
func (s *Stack) Sent() (n [7]uint64) {
	for i := range s.sent {
		n[i] = s.sent[i].Load()
	}
	return n
}

// Seconds is how SIP writes a time span.
func Seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// Phrase is the reason phrase of a status; "" for one that this server does not send.
func Phrase(code int) string { return phrases[code] }
