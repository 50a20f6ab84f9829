package feed

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	chunkMax  = 64 << 10         // bytes that are written at once
	unsentMax = 64 << 10         // bytes that may wait in the socket before the next write: there is always room for a last word
	sendSpace = 256 << 10        // of the socket
	lookFirst = time.Millisecond // after that the socket is asked again; longer each time
	lookLast  = 50 * time.Millisecond
)

// errSlow ends a stream whose client has taken nothing for the time of patience.
var errSlow = errors.New("too slow: connect again, and resume with after")

// pipe is the connection of one stream. What is written to it comes whole: a frame of somebody else never gets into the middle. It never fills
// the socket's buffer, so that a client which does not read can still be told why it is disconnected, whenever it reads on.
type pipe struct {
	net.Conn
	raw      syscall.RawConn // nil: the socket cannot be asked
	patience time.Duration

	mu    sync.Mutex // of writes
	ended bool       // the last word has been said; guarded by mu
	list  net.Buffers
	timer *time.Timer
}

func newPipe(c net.Conn, patience time.Duration) *pipe {
	p := &pipe{Conn: c, patience: patience, timer: time.NewTimer(time.Hour)}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendSpace) // what the system allows is enough
		p.raw, _ = tcp.SyscallConn()
	}
	return p
}

// Write implements net.Conn for whoever writes complete frames.
func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return len(b), nil // nobody misses it
	}
	if err := p.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// unsent returns how many bytes the client has not taken from the socket, 0 where that cannot be asked.
func (p *pipe) unsent() int {
	n := 0
	if p.raw != nil {
		_ = p.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	}
	return n
}

// send writes frames, the bytes of which belong to many. It waits for a client that takes them slowly, and gives up one that takes none.
func (p *pipe) send(ctx context.Context, frames [][]byte) error {
	for len(frames) > 0 {
		n, size := 0, 0
		for n < len(frames) && (n == 0 || size+len(frames[n]) <= chunkMax) {
			size += len(frames[n])
			n++
		}
		if err := p.room(ctx); err != nil {
			return err
		}
		if err := p.write(frames[:n]); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

func (p *pipe) write(frames [][]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return net.ErrClosed
	}
	if err := p.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
		return err
	}
	p.list = append(p.list[:0], frames...)
	all := p.list
	_, err := all.WriteTo(p.Conn)
	clear(p.list)
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return errSlow
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// room waits until the client has taken most of what was written.
func (p *pipe) room(ctx context.Context) error {
	least, look := p.unsent(), lookFirst
	for since := time.Now(); least > unsentMax; look = min(2*look, lookLast) {
		if err := p.pause(ctx, look); err != nil {
			return err
		}
		if n := p.unsent(); n < least {
			least, since, look = n, time.Now(), lookFirst
		} else if time.Since(since) > p.patience {
			return errSlow
		}
	}
	return nil
}

// pause waits; its error is the context's. It belongs to the goroutine that sends.
func (p *pipe) pause(ctx context.Context, d time.Duration) error {
	p.timer.Reset(d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-p.timer.C:
		return nil
	}
}

// last writes the last word, and nothing after it.
func (p *pipe) last(word []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	_ = p.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = p.Conn.Write(word) // a client that is gone does not miss it
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
