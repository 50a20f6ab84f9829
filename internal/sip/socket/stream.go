package socket

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	maxMessage   = 65535            // bytes of one message on a stream
	frameTimeout = 10 * time.Second // from the first byte of a message to its last
	writeTimeout = 5 * time.Second
	lastWords    = 20 * time.Millisecond
	crlfPing     = "\r\n\r\n" // RFC 5626 section 3.5.1
)

// Listener wraps accepted connections, keeps their number down and outlives passing errors (no file descriptors left).
type Listener struct {
	net.Listener
	pair   *Pair
	config *tls.Config // nil for TCP
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			time.Sleep(50 * time.Millisecond)
		case !l.pair.enter():
			_ = c.Close()
		default:
			if l.config != nil {
				c = tls.Server(c, l.config)
			}
			return &stream{Conn: c, pair: l.pair}, nil
		}
	}
}

// stream is a TCP or TLS connection that hands over one checked message after the other. Read is called by one goroutine.
type stream struct {
	net.Conn
	pair   *Pair
	known  bool   // the TLS handshake is done
	in     []byte // received, not yet framed
	out    []byte // framed and checked, not yet read
	since  time.Time
	broken bool // the next message cannot be found
	closed atomic.Bool
}

func (c *stream) Close() error {
	if !c.closed.Swap(true) {
		c.pair.live.Add(-1)
	}
	return c.Conn.Close()
}

func (c *stream) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c *stream) Read(p []byte) (int, error) {
	if !c.known {
		if err := c.handshake(); err != nil {
			return 0, err
		}
		c.known = true
	}
	for len(c.out) == 0 {
		if err := c.step(); err != nil {
			return 0, err
		}
	}
	if c.pair.muted.Load() {
		return 0, io.EOF
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// step frames and checks one message, or receives more bytes.
func (c *stream) step() error {
	if c.broken || c.pair.muted.Load() {
		return io.EOF
	}
	if err := c.keepAlive(); err != nil {
		return err
	}
	n, sure, err := frame(c.in)
	if err != nil {
		c.pair.Dropped.Add(1)
		return err
	}
	if n == 0 {
		return c.fill()
	}
	raw := bytes.Clone(c.in[:n])
	c.in = append(c.in[:0], c.in[n:]...)
	c.since = time.Now()
	c.broken = !sure
	fixed, answer, ok := c.pair.o.Check(raw, "TCP")
	switch {
	case len(answer) > 0:
		c.pair.Answered.Add(1)
		_, err := c.Write(answer)
		return err
	case !ok || !sure:
		c.pair.Dropped.Add(1)
	default:
		c.out = fixed
	}
	return nil
}

// keepAlive takes the empty lines between messages away and answers each ping.
func (c *stream) keepAlive() error {
	for bytes.HasPrefix(c.in, []byte(crlfPing)) {
		c.in = c.in[len(crlfPing):]
		if _, err := c.Write([]byte("\r\n")); err != nil {
			return err
		}
	}
	if len(c.in) > 3 && c.in[0] == '\r' && c.in[1] == '\n' {
		c.in = c.in[2:]
	}
	return nil
}

func (c *stream) fill() error {
	if len(c.in) == 0 || c.since.IsZero() {
		c.since = time.Now()
	}
	deadline := c.since.Add(frameTimeout)
	if len(bytes.Trim(c.in, "\r\n")) == 0 {
		deadline = time.Now().Add(c.pair.o.Idle)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return err
	}
	c.in = slices.Grow(c.in, 2048)
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	if len(c.in) == 0 {
		c.since = time.Now()
	}
	c.in = c.in[:len(c.in)+n]
	if n > 0 {
		return nil
	}
	// The library looks the connection of each message up in a goroutine of its own, and forgets the message when it is gone: a BYE just
	// before the end must find it.
	time.Sleep(lastWords)
	return err
}

var errTooLong = errors.New("message too long")

// frame finds the end of the first message in b: n is its length, 0 when more bytes are needed. sure is false when Content-Length does not
// say where the body ends; then n is the length of the header and nothing after it can be understood (RFC 3261 section 18.3).
func frame(b []byte) (n int, sure bool, err error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		if len(b) > maxMessage {
			return 0, false, errTooLong
		}
		return 0, false, nil
	}
	length, sure := contentLength(b[:head])
	if !sure {
		return head + 4, false, nil
	}
	n = head + 4 + length
	switch {
	case n > maxMessage:
		return 0, false, errTooLong
	case n > len(b):
		return 0, true, nil
	}
	return n, true, nil
}

// contentLength reads the one Content-Length of a header; ok is false when there is none, or none that can be trusted.
func contentLength(head []byte) (length int, ok bool) {
	for row := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, found := bytes.Cut(row, []byte(":"))
		name = bytes.TrimSpace(name)
		if !found || !bytes.EqualFold(name, []byte("content-length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil || ok && int(n) != length {
			return 0, false
		}
		length, ok = int(n), true
	}
	return length, ok
}
