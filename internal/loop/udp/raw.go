package udp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of socket buffers in bytes, as asked for; the system doubles them for its own overhead. One second of packets fits
// into RTP's: a loop that was held up finds what came meanwhile, and nobody finds more than the jitter buffer could use.
const (
	rtpQueue  = 64 << 10
	rtcpQueue = 16 << 10
)

// expedited is the DSCP of voice (EF, RFC 3246) where the TOS byte carries it.
const expedited = 46 << 2

// bindUDP opens a non-blocking socket. Errors of the system stay recognizable by errors.Is.
func bindUDP(local netip.AddrPort, queue int) (int, error) {
	family := unix.AF_INET
	if local.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open media socket: %w", err)
	}
	if err := configure(fd, local, queue); err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func configure(fd int, local netip.AddrPort, queue int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, queue); err != nil {
		return fmt.Errorf("set receive buffer of media socket: %w", err)
	}
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(local.Port()), Addr: mapped4(local.Addr())}
	level, option := unix.IPPROTO_IP, unix.IP_TOS
	if local.Addr().Is6() {
		to = &unix.SockaddrInet6{Port: int(local.Port()), Addr: local.Addr().As16()}
		level, option = unix.IPPROTO_IPV6, unix.IPV6_TCLASS
	}
	if err := unix.SetsockoptInt(fd, level, option, expedited); err != nil {
		return fmt.Errorf("mark media socket as voice: %w", err)
	}
	if err := unix.Bind(fd, to); err != nil {
		return fmt.Errorf("bind media socket to %v: %w", local, err)
	}
	return nil
}

func mapped4(a netip.Addr) [4]byte {
	if a.Is4() {
		return a.As4()
	}
	return [4]byte{}
}

// sockaddr is an address as the system wants it, made once and kept as long as the peer stays.
type sockaddr struct {
	of  netip.AddrPort
	raw unix.RawSockaddrInet6 // of the size of the largest; an IPv4 address uses its begin
	len uint32
}

// set makes the address; a family that the socket cannot reach leaves it empty, and sending then fails and is counted.
func (s *sockaddr) set(a netip.AddrPort, v6 bool) {
	*s = sockaddr{of: a}
	ip := a.Addr().Unmap()
	port := (*[2]byte)(unsafe.Pointer(&s.raw.Port)) // both families have the port at the same place
	binary.BigEndian.PutUint16(port[:], a.Port())
	switch {
	case ip.Is4() && !v6:
		raw := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw))
		raw.Family, raw.Addr, s.len = unix.AF_INET, ip.As4(), unix.SizeofSockaddrInet4
	case ip.Is6() && v6:
		s.raw.Family, s.raw.Addr, s.len = unix.AF_INET6, ip.As16(), unix.SizeofSockaddrInet6
	}
}

// addr reads an address that the system wrote.
func (s *sockaddr) addr() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&s.raw.Port))[:])
	if s.raw.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&s.raw)).Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.raw.Addr), port)
}

// The calls below are raw, without telling the scheduler: on a non-blocking UDP socket neither can sleep, and what a call costs
// beyond the kernel's work is then small; measured, the difference is within noise. Buffers must not be on the stack of a goroutine that could grow meanwhile; the
// compiler keeps what is converted inside the call alive and in place.

// receive reads one packet into buf. Its length may exceed buf's, then the rest is lost.
func receive(fd int, buf []byte, from *sockaddr) (int, unix.Errno) {
	from.len = unix.SizeofSockaddrInet6
	n, _, err := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)),
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&from.len)))
	return int(n), err
}

// receiveConnected is receive where the source is known.
func receiveConnected(fd int, buf []byte) (int, unix.Errno) {
	n, _, err := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)),
		unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
	return int(n), err
}

// age returns how long ago the packet that was received last came to the system, 0 when it does not tell. The first call on a socket makes the system
// take note of the time of those that follow.
func age(fd int, stamp *[2]unix.Timespec) time.Duration {
	if _, _, err := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGSTAMPNS, uintptr(unsafe.Pointer(&stamp[0]))); err != 0 {
		return 0
	}
	if unix.ClockGettime(unix.CLOCK_REALTIME, &stamp[1]) != nil {
		return 0
	}
	return max(time.Duration(stamp[1].Nano()-stamp[0].Nano()), 0)
}

// send writes one packet.
func send(fd int, packet []byte, to *sockaddr) unix.Errno {
	if to.len == 0 {
		return unix.EDESTADDRREQ
	}
	_, _, err := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(packet))), uintptr(len(packet)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&to.raw)), uintptr(to.len))
	return err
}

// sendConnected is send to the address that the socket is connected to.
func sendConnected(fd int, packet []byte) unix.Errno {
	_, _, err := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(packet))), uintptr(len(packet)),
		unix.MSG_DONTWAIT, 0, 0)
	return err
}

// connect fixes the socket's peer.
func connect(fd int, to *sockaddr) unix.Errno {
	if to.len == 0 {
		return unix.EDESTADDRREQ
	}
	_, _, err := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.len))
	return err
}

// disconnect undoes connect.
func disconnect(fd int) unix.Errno {
	none := unix.RawSockaddrInet4{Family: unix.AF_UNSPEC}
	_, _, err := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4)
	return err
}
