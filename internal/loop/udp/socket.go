package udp

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// MaxPacket is the longest packet in bytes that is received whole; media over Ethernet stays below 1500.
const MaxPacket = 2048

// Socket is a bound UDP socket. Its methods belong to one goroutine at a time.
type Socket struct {
	fd   int
	v6   bool
	peer netip.AddrPort // the only one it talks with, invalid while it is open to all
	from sockaddr
	to   sockaddr
	time [2]unix.Timespec // when a packet came, and now
}

// Verdict says what became of a Receive or a Send.
type Verdict uint8

// The verdicts.
const (
	Done   Verdict = iota
	Empty          // nothing to receive
	Full           // the system's buffer has no place to send from
	Failed         // too long to receive, no address to send to, or an error of the system, as when the peer's port is closed
)

// Receive reads one packet into buf, which holds MaxPacket bytes.
func (s *Socket) Receive(buf []byte) (packet []byte, from netip.AddrPort, v Verdict) {
	var n int
	var err unix.Errno
	from = s.peer
	if from.IsValid() {
		n, err = receiveConnected(s.fd, buf)
	} else {
		n, err = receive(s.fd, buf, &s.from)
	}
	switch {
	case err == unix.EAGAIN:
		return nil, netip.AddrPort{}, Empty
	case err != 0 || n > len(buf):
		return nil, netip.AddrPort{}, Failed
	case !from.IsValid():
		from = s.from.addr()
	}
	return buf[:n], from, Done
}

// Age returns how long the packet that was received last has waited since it came from the network, 0 when the system does not tell. The first call
// begins to have packets stamped. It is a system call of its own: for reports, which are rare and measure time, not for audio.
func (s *Socket) Age() time.Duration { return age(s.fd, &s.time) }

// Send writes one packet to an address, which is ignored while the socket is connected.
func (s *Socket) Send(packet []byte, to netip.AddrPort) Verdict {
	var err unix.Errno
	if s.peer.IsValid() {
		err = sendConnected(s.fd, packet)
	} else {
		if to != s.to.of {
			s.to.set(to, s.v6)
		}
		err = send(s.fd, packet, &s.to)
	}
	switch err {
	case 0:
		return Done
	case unix.EAGAIN, unix.ENOBUFS:
		return Full
	}
	return Failed
}

// Connect restricts the socket to a peer and reports whether that worked. The system then drops what others send, and finds the route
// once instead of per packet, which halves the cost of sending and receiving.
func (s *Socket) Connect(peer netip.AddrPort) bool {
	s.to.set(peer, s.v6)
	if connect(s.fd, &s.to) != 0 {
		return false
	}
	s.peer = peer
	return true
}

// Disconnect opens the socket to all again. It stays bound.
func (s *Socket) Disconnect() {
	disconnect(s.fd)
	s.peer, s.to = netip.AddrPort{}, sockaddr{}
}

// Peer returns whom the socket is connected to, invalid when it is open to all.
func (s *Socket) Peer() netip.AddrPort { return s.peer }

// Drain drops what is waiting.
func (s *Socket) Drain() {
	var buf [1]byte
	for range drainMost {
		if _, err := receiveConnected(s.fd, buf[:]); err == unix.EAGAIN {
			return
		}
	}
}

// drainMost is above what the buffer of a socket holds; a flood that comes meanwhile does not hold up the caller.
const drainMost = 512
