// Package socket binds UDP and TCP on one port and TLS on another, opens connections, and puts a check of raw messages between the sockets and the SIP library: datagrams one by
// one, streams cut into messages. It owns the limits of sockets: sizes, idle and half-sent connections, their number, remembered sources.
// It starts no goroutine; the library's readers call it.
package socket

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"parley/internal/sip/field"
)

// Check sees a raw message; transport is "UDP" or "TCP". It returns the message to go on with and ok, or an answer for the sender, or
// neither, and the message is dropped. It is called by several readers at once.
type Check = func(raw []byte, transport string) (fixed, answer []byte, ok bool)

// Options of the sockets. Zero values but Addr mean the defaults.
type Options struct {
	Addr        string        // IP:PORT of UDP and TCP; port 0 takes a free one
	TLSAddr     string        // IP:PORT of TLS; only with a Certificate
	Connections int           // TCP and TLS connections at once, in both directions; default 2,048
	Idle        time.Duration // life of a connection without a message; default 65 min
	Check       Check         // default: everything passes

	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error) // nil: no TLS comes in
	Spare       bool                                                 // without TLSAddr the server goes on without TLS
	Roots       *x509.CertPool                                       // that certificates of others are verified with; nil: the system's
}

// Pair is the sockets of one server.
type Pair struct {
	UDP       *Packets
	TCP       *Listener
	TLS       *Listener // nil without a certificate
	DialedTCP *Dialed
	DialedTLS *Dialed
	Dropped   atomic.Uint64 // datagrams, messages and connections thrown away
	Answered  atomic.Uint64 // messages that Check answered
	o         Options
	live      atomic.Int64 // connections
	muted     atomic.Bool
}

// Open binds the sockets.
func Open(o Options) (*Pair, error) {
	if o.Check == nil {
		o.Check = func(raw []byte, _ string) (fixed, answer []byte, ok bool) { return raw, nil, true }
	}
	if o.Connections <= 0 {
		o.Connections = 2048
	}
	if o.Idle <= 0 {
		o.Idle = 65 * time.Minute
	}
	udp, tcp, err := bind(o.Addr)
	if err != nil {
		return nil, err
	}
	p := &Pair{o: o}
	p.UDP = &Packets{UDPConn: udp, pair: p, seen: map[netip.AddrPort]struct{}{}, whole: make([]byte, 1<<16)}
	p.TCP = &Listener{Listener: tcp, pair: p}
	p.DialedTCP = newDialed(p, tcp.Addr(), nil)
	p.DialedTLS = newDialed(p, tcp.Addr(), &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12})
	if o.Certificate == nil {
		return p, nil
	}
	l, err := net.Listen("tcp", o.TLSAddr)
	switch {
	case err != nil && o.Spare:
		return p, nil
	case err != nil:
		p.Close()
		return nil, bindError(o.TLSAddr, "TLS", err)
	}
	p.TLS = &Listener{Listener: l, pair: p, config: &tls.Config{GetCertificate: o.Certificate, MinVersion: tls.VersionTLS12}}
	return p, nil
}

// enter counts one more connection; false when there are enough.
func (p *Pair) enter() bool {
	if p.live.Add(1) > int64(p.o.Connections) {
		p.live.Add(-1)
		p.Dropped.Add(1)
		return false
	}
	return true
}

// Addr is the bound address.
func (p *Pair) Addr() netip.AddrPort {
	return field.Unmap(p.UDP.LocalAddr().(*net.UDPAddr).AddrPort())
}

// AddrTLS is the bound address of TLS, the zero value without.
func (p *Pair) AddrTLS() netip.AddrPort {
	if p.TLS == nil {
		return netip.AddrPort{}
	}
	return field.Unmap(p.TLS.Addr().(*net.TCPAddr).AddrPort())
}

// Closed tells that the sockets are closed.
func (p *Pair) Closed() bool { return p.UDP.closed.Load() }

// Mute makes both sockets deaf: nothing reaches the readers any more, while answers still go out.
func (p *Pair) Mute() { p.muted.Store(true) }

// Close closes the listening sockets; connections stay.
func (p *Pair) Close() {
	p.UDP.closed.Store(true)
	_ = p.UDP.Close()
	_ = p.TCP.Close()
	if p.TLS != nil {
		_ = p.TLS.Close()
	}
	_ = p.DialedTCP.Close()
	_ = p.DialedTLS.Close()
}

// bind takes the same port for UDP and TCP. With port 0 the first choice may be taken for the other protocol, so it tries again.
func bind(addr string) (*net.UDPConn, *net.TCPListener, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("SIP address %q is not IP:PORT, for example 127.0.0.1:5060: %w", addr, err)
	}
	for try := 0; ; try++ {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return nil, nil, bindError(addr, "UDP", err)
		}
		// Many calls may start in one moment; a refused size is not worth refusing to start.
		_ = udp.SetReadBuffer(4 << 20)
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), uint16(udp.LocalAddr().(*net.UDPAddr).Port))))
		if err == nil {
			return udp, tcp, nil
		}
		_ = udp.Close()
		if at.Port() != 0 || try == 20 {
			return nil, nil, bindError(addr, "TCP", err)
		}
	}
}

func bindError(addr, network string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("SIP port %s is taken (%s): stop the program that has it or choose another with --sip: %w", addr, network, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("SIP address %s is not an address of this machine: choose another with --sip: %w", addr, err)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("SIP port %s needs more rights (%s): choose one above 1023 with --sip: %w", addr, network, err)
	}
	return fmt.Errorf("bind SIP %s %s: %w", network, addr, err)
}
