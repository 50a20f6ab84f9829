package socket

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"

	"parley/internal/sip/field"
)

// maxSources is how many sources the transport layer remembers before it starts afresh.
const maxSources = 16384

// Packets puts Check before the parser. The transport layer stops serving at any read error and remembers every source until then,
// so this hides passing errors and makes it start afresh after maxSources sources: a spoofer cannot make it grow.
type Packets struct {
	*net.UDPConn
	pair   *Pair
	seen   map[netip.AddrPort]struct{} // touched by the one reader only
	whole  []byte                      // room for the largest datagram; the reader's own is smaller
	closed atomic.Bool
}

// ReadFrom implements net.PacketConn for one reader.
func (c *Packets) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		if len(c.seen) >= maxSources {
			clear(c.seen)
			return 0, nil, net.ErrClosed
		}
		n, from, err := c.ReadFromUDPAddrPort(c.whole)
		switch {
		case errors.Is(err, net.ErrClosed):
			c.closed.Store(true)
			return 0, nil, err
		case err != nil:
			c.pair.Dropped.Add(1)
			time.Sleep(10 * time.Millisecond) // keeps a lasting fault of the socket from spinning
			continue
		case c.pair.muted.Load():
			c.pair.Dropped.Add(1)
			continue
		}
		from = field.Unmap(from)
		if n = c.admit(p, c.whole[:n], from); n == 0 {
			continue
		}
		c.seen[from] = struct{}{}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// admit checks a datagram, puts what is to be parsed into p and returns its length, 0 for nothing.
func (c *Packets) admit(p, raw []byte, from netip.AddrPort) int {
	fixed, ok := raw, true
	if len(bytes.Trim(raw, "\r\n\x00")) > 0 {
		var answer []byte
		fixed, answer, ok = c.pair.o.Check(raw, "UDP")
		if len(answer) > 0 {
			c.pair.Answered.Add(1)
			_, _ = c.WriteToUDPAddrPort(answer, replyTo(answer, from))
			return 0
		}
	}
	if !ok || len(fixed) >= len(p) {
		c.pair.Dropped.Add(1)
		return 0
	}
	return copy(p, fixed)
}

var (
	topVia  = regexp.MustCompile(`(?im)^(?:via|v)[ \t]*:[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*\w+[ \t]+(?:\[[^\]\r\n]*\]|[^\s:;,]+)([^\r\n]*)`)
	viaPort = regexp.MustCompile(`^[ \t]*:[ \t]*(\d{1,5})`)
	hasPort = regexp.MustCompile(`(?i);[ \t]*rport`)
)

// replyTo is where an answer goes over UDP: to the source's host, and to its port when the top Via asks so (RFC 3581), else to the port
// of the Via (RFC 3261 section 18.2.2).
func replyTo(answer []byte, from netip.AddrPort) netip.AddrPort {
	via := topVia.FindSubmatch(answer)
	if via == nil {
		return from
	}
	first, _, _ := bytes.Cut(via[1], []byte(","))
	if hasPort.Match(first) {
		return from
	}
	port := uint64(5060)
	if m := viaPort.FindSubmatch(first); m != nil {
		if n, err := strconv.ParseUint(string(m[1]), 10, 16); err == nil && n > 0 {
			port = n
		}
	}
	return netip.AddrPortFrom(from.Addr(), uint16(port))
}
