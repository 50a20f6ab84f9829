// Package sip is the SIP door: it checks what comes in, turns each INVITE into a dialog that a line runs, places the calls that lines ask for, and
// answers the rest. It owns the dialogs of this node, the limits on strangers and the counters. Goroutines: one per listening socket and
// connection, one per request as the transaction layer hands it over (the one of an INVITE lives as long as its call and runs the line), one
// per call that is placed, two per trunk that is looked after. All of them are waited for when Run ends. What a call means is left to package
// line, raw message checks to the Check hook, credentials and bindings to Authenticate, Register and Contacts.
package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/line"
	"parley/internal/sip/dialog"
	"parley/internal/sip/registration"
	"parley/internal/sip/socket"
	"parley/internal/sip/stack"
)

// Exchange routes incoming calls. It may be called from any goroutine; a refusal is a fault.
type Exchange interface {
	Accept(ctx context.Context, in line.Invite, d line.Dialog) (Line, error)
}

// Line is one call as the exchange runs it; see line.Line for the promises.
type Line interface {
	dialog.Line
	Run(ctx context.Context) error
}

// Identity is who a request was proven to come from; the zero Identity is anonymous.
type Identity struct {
	CustomerID, Extension string
	Secure                bool // its calls have to be of SRTP
	Trusted               bool // what it says of its callers in P-Asserted-Identity (RFC 3325) is believed
}

// Options of a server. Only Exchange is required.
type Options struct {
	Addr      string // IP:PORT for UDP and TCP; default 127.0.0.1:5060; port 0 takes a free one
	Host      string // host that peers see in Contact and Via; default: Addr's, or the interface towards the peer when that is unspecified
	UserAgent string // Server and User-Agent headers; default "parley"
	Exchange  Exchange
	Log       *slog.Logger // default: none

	// Check sees each raw message before it is parsed; transport is "UDP" or "TCP". It returns the message to parse, perhaps repaired,
	// with ok; or an answer for the sender; or neither, and the message is dropped.
	Check func(raw []byte, transport string) (fixed, answer []byte, ok bool)
	TLS   TLS

	// Authenticate looks at the credentials of an INVITE. Without an Authorization header it returns the zero Identity and the challenge
	// to send should the exchange ask for one; with credentials that do not hold, a challenge, which is sent at once.
	Authenticate func(req *sip.Request, source netip.AddrPort) (Identity, *sip.Response)
	// Register answers a REGISTER. Without it REGISTER is refused with 405.
	Register func(req *sip.Request, source netip.AddrPort) *sip.Response
	// Message takes a text that came by SIP MESSAGE outside of any call; target is the user part of the request URI. Without it, 405.
	Message func(ctx context.Context, who Identity, target, contentType string, body []byte) error
	// Contacts returns where an extension is registered, the most preferred first. Without it nowhere.
	Contacts func(ctx context.Context, customerID, extension string) ([]line.Outgoing, error)

	Timing       Timing
	Limits       Limits
	Registration registration.Timing
}

// TLS of a server: its own side, and how it looks at others'.
type TLS struct {
	Addr        string // IP:PORT; default: Addr's IP and the port after Addr's
	Spare       bool   // when Addr is taken, go on without TLS
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Roots       *x509.CertPool // that certificates of others are verified with; nil: the system's
}

// Timing of a server; zero values mean the defaults.
type Timing = stack.Timing

// Limits of a server; zero values mean the defaults.
type Limits struct {
	Dialogs     int           // dialogs at once, 10,000; above it 503
	Connections int           // TCP and TLS connections at once, in both directions, 2,048
	Idle        time.Duration // life of a connection without a message, 65 min: longer than a registration
	Message     int           // bytes of a text (SIP MESSAGE), 16,384; above it 413
	InviteRate  float64       // INVITEs per second and source address, 50; negative: no limit
	InviteBurst int           // INVITEs that may come at once from one source, 100
	Loopback    bool          // whether InviteRate holds for loopback sources too
	RetryAfter  time.Duration // told with 503, 5 s; whole seconds
}

// Server is the SIP door of one node.
type Server struct {
	o        Options
	running  atomic.Bool
	stack    *stack.Stack
	sockets  *socket.Pair
	draining atomic.Bool
	book     book
	flood    flood
	stats    stats
	trunks   *registration.Client
}

// The library keeps these settings in variables of the package. Its size check exists for requests, which we keep short, but it would
// also swallow long answers; its logger would write what strangers send.
func init() {
	sip.UDPMTUSize = 65507 + 200
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
}

// Open binds the sockets. Nothing is read before Run.
func Open(o Options) (*Server, error) {
	if o.Exchange == nil {
		return nil, errors.New("sip: an exchange is required")
	}
	o = withDefaults(o)
	sockets, err := socket.Open(socket.Options{
		Addr: o.Addr, TLSAddr: o.TLS.Addr, Certificate: o.TLS.Certificate, Spare: o.TLS.Spare, Roots: o.TLS.Roots,
		Connections: o.Limits.Connections, Idle: o.Limits.Idle, Check: o.Check,
	})
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, sockets: sockets}
	s.book.init()
	s.flood.init(o.Limits)
	quiet := slog.New(slog.DiscardHandler)
	transport := sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), nil, sip.WithTransportLayerLogger(quiet), onlyOurs())
	transport.OnMessage(s.seen) // before the transaction layer, see there
	stray := func(*sip.Response) { s.stats.strays.Add(1) }
	transactions := sip.NewTransactionLayer(transport, sip.WithTransactionLayerLogger(quiet), sip.WithTransactionLayerUnhandledResponseHandler(stray))
	transactions.OnRequest(s.serve)
	s.stack = &stack.Stack{
		Local: sockets.Addr(), LocalTLS: sockets.AddrTLS(), Connect: s.connect, Host: o.Host, UserAgent: o.UserAgent, Registers: o.Register != nil, RetryAfter: o.Limits.RetryAfter,
		Timing: o.Timing, Log: o.Log, Transport: transport, Transactions: transactions, Life: context.Background(), Quit: make(chan struct{}),
	}
	s.trunks = registration.New(s.stack, o.Registration)
	return s, nil
}

// Trunks registers us at others and looks whether they are there, while the server runs.
func (s *Server) Trunks() *registration.Client { return s.trunks }

// onlyOurs keeps the library from opening connections by itself: their messages would not be checked.
func onlyOurs() sip.TransportLayerOption {
	none := func(net.Addr) net.Dialer {
		return net.Dialer{Control: func(string, string, syscall.RawConn) error { return errors.New("the connection is gone") }}
	}
	return sip.WithTransportLayerTransports(sip.TransportsConfig{
		TCP: &sip.TransportTCP{DialerCreate: none}, TLS: &sip.TransportTLS{TransportTCP: &sip.TransportTCP{DialerCreate: none}},
	})
}

// connect opens a connection for requests of ours.
func (s *Server) connect(ctx context.Context, network, host, addr string) error {
	if network == "TLS" {
		return s.sockets.DialedTLS.Connect(ctx, host, addr)
	}
	return s.sockets.DialedTCP.Connect(ctx, host, addr)
}

func withDefaults(o Options) Options {
	orString(&o.Addr, "127.0.0.1:5060")
	if at, err := netip.ParseAddrPort(o.Addr); err == nil {
		next := at.Port()
		if next != 0 {
			next++
		}
		orString(&o.TLS.Addr, netip.AddrPortFrom(at.Addr(), next).String())
	}
	orString(&o.UserAgent, "parley")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	or(&o.Timing.T1, 500*time.Millisecond)
	or(&o.Timing.SessionExpires, 1800*time.Second)
	or(&o.Timing.MinSE, 90*time.Second)
	or(&o.Timing.Answer, 3*time.Minute)
	or(&o.Timing.Drain, 6*time.Second)
	or(&o.Limits.Dialogs, 10000)
	or(&o.Limits.Connections, 2048)
	or(&o.Limits.Idle, 65*time.Minute)
	or(&o.Limits.Message, 16384)
	or(&o.Limits.InviteRate, 50)
	or(&o.Limits.InviteBurst, 100)
	or(&o.Limits.RetryAfter, 5*time.Second)
	return o
}

func or[T int | float64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

func orString(v *string, def string) {
	if *v == "" {
		*v = def
	}
}

// Addr is the bound address, the same for UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return s.sockets.Addr() }

// AddrTLS is the bound address of TLS, the zero value without.
func (s *Server) AddrTLS() netip.AddrPort { return s.sockets.AddrTLS() }

// Run serves until ctx ends. Then new calls are refused with 503, lines end their calls in the same context, and Run returns when every
// goroutine of the server has ended, at most Timing.Drain plus a few seconds later. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	s.stack.Life = ctx
	var wg sync.WaitGroup
	failed := make(chan error, 5)
	wg.Go(func() {
		for !s.sockets.Closed() { // serving UDP ends now and then, see socket.Packets
			if err := s.stack.Transport.ServeUDP(s.sockets.UDP); err != nil {
				failed <- fmt.Errorf("serve SIP over UDP: %w", err)
				return
			}
		}
	})
	serve := func(what string, by func(net.Listener) error, l net.Listener) {
		wg.Go(func() {
			if err := by(l); !errors.Is(err, net.ErrClosed) {
				failed <- fmt.Errorf("serve SIP over %s: %w", what, err)
			}
		})
	}
	serve("TCP", s.stack.Transport.ServeTCP, s.sockets.TCP)
	serve("TCP", s.stack.Transport.ServeTCP, s.sockets.DialedTCP)
	serve("TLS", s.stack.Transport.ServeTLS, s.sockets.DialedTLS)
	if s.sockets.TLS != nil {
		serve("TLS", s.stack.Transport.ServeTLS, s.sockets.TLS)
	}
	if s.sockets.TLS != nil {
		s.o.Log.Info("sip listens", "addr", s.Addr(), "tls", s.AddrTLS())
	} else {
		s.o.Log.Info("sip listens, without TLS", "addr", s.Addr())
	}
	s.running.Store(true)
	s.stack.Work.Run(func() { s.trunks.Run(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stop()
	wg.Wait()
	return err
}

// stop ends what is left in the order that lets calls say goodbye: lines first, then waits for peers, then transactions and sockets.
func (s *Server) stop() {
	s.draining.Store(true)
	s.stack.Work.Wait(s.o.Timing.Drain)
	close(s.stack.Quit)
	if left := s.stack.Work.Wait(2 * time.Second); left > 0 {
		s.o.Log.Error("sip stops with work left", "goroutines", left)
	}
	s.stack.Work.Close()
	s.sockets.Mute()
	s.stack.Transactions.Close()
	// The library handles each message in a goroutine that nobody can wait for; one that finds the listening socket gone would open another.
	time.Sleep(20 * time.Millisecond)
	s.sockets.Close()
	_ = s.stack.Transport.Close()
}

// Lines makes a line.Exchange fit the server.
func Lines(x *line.Exchange) Exchange { return lines{x} }

type lines struct{ x *line.Exchange }

func (l lines) Accept(ctx context.Context, in line.Invite, d line.Dialog) (Line, error) {
	got, err := l.x.Accept(ctx, in, d)
	if err != nil {
		return nil, err
	}
	return got, nil
}
