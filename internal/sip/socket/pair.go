// Package socket binds UDP and TCP on one port and puts a check of raw messages between the sockets and the SIP library: datagrams one by
// one, streams cut into messages. It owns the limits of sockets: sizes, idle and half-sent connections, their number, remembered sources.
// It starts no goroutine; the library's readers call it.
package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"

	"parley/internal/sip/field"
)

// Check sees a raw message; transport is "UDP" or "TCP". It returns the message to go on with and ok, or an answer for the sender, or
// neither, and the message is dropped. It is called by several readers at once.
type Check = func(raw []byte, transport string) (fixed, answer []byte, ok bool)

// Pair is the two sockets of one address.
type Pair struct {
	UDP      *Packets
	TCP      *Listener
	Dropped  atomic.Uint64 // datagrams, messages and connections thrown away
	Answered atomic.Uint64 // messages that Check answered
	check    Check
	muted    atomic.Bool
}

// Open binds addr, IP:PORT; port 0 takes a free one. connections limits TCP; check may be nil.
func Open(addr string, connections int, check Check) (*Pair, error) {
	udp, tcp, err := bind(addr)
	if err != nil {
		return nil, err
	}
	if check == nil {
		check = func(raw []byte, _ string) (fixed, answer []byte, ok bool) { return raw, nil, true }
	}
	p := &Pair{check: check}
	p.UDP = &Packets{UDPConn: udp, pair: p, seen: map[netip.AddrPort]struct{}{}}
	p.TCP = &Listener{Listener: tcp, pair: p, most: int64(connections)}
	return p, nil
}

// Addr is the bound address.
func (p *Pair) Addr() netip.AddrPort {
	return field.Unmap(p.UDP.LocalAddr().(*net.UDPAddr).AddrPort())
}

// Closed tells that the sockets are closed.
func (p *Pair) Closed() bool { return p.UDP.closed.Load() }

// Mute makes both sockets deaf: nothing reaches the readers any more, while answers still go out.
func (p *Pair) Mute() { p.muted.Store(true) }

// Close closes both listening sockets; accepted connections stay.
func (p *Pair) Close() {
	p.UDP.closed.Store(true)
	_ = p.UDP.Close()
	_ = p.TCP.Close()
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
