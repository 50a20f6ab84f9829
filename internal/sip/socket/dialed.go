package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// errFull is returned when there are as many connections as there may be.
var errFull = errors.New("too many connections")

// Dialed is a listener whose connections we open ourselves: so their messages are cut and checked like those of the connections that come in.
type Dialed struct {
	pair   *Pair
	addr   net.Addr
	config *tls.Config // nil for TCP
	next   chan *opened
	quit   chan struct{}
	close  sync.Once
	last   *opened // touched by Accept only

	mu     sync.Mutex
	flying map[string]chan struct{} // connections that are being opened, by address
}

// opened is a connection on its way to whoever accepts it.
type opened struct {
	conn  net.Conn
	taken chan struct{} // closed when it is known to the acceptor's pool
}

func newDialed(p *Pair, addr net.Addr, config *tls.Config) *Dialed {
	return &Dialed{pair: p, addr: addr, config: config, next: make(chan *opened), quit: make(chan struct{}), flying: map[string]chan struct{}{}}
}

// Connect opens a connection to addr, IP:PORT, and returns when it has been accepted. host is the name that a certificate must have. Who asks
// for a connection that another is opening waits for it, however that ends.
func (d *Dialed) Connect(ctx context.Context, host, addr string) error {
	d.mu.Lock()
	other := d.flying[addr]
	mine := make(chan struct{})
	if other == nil {
		d.flying[addr] = mine
	}
	d.mu.Unlock()
	if other != nil {
		select {
		case <-other:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.flying, addr)
		close(mine)
	}()
	return d.open(ctx, host, addr)
}

func (d *Dialed) open(ctx context.Context, host, addr string) error {
	if !d.pair.enter() {
		return errFull
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err == nil && d.config != nil {
		conn, err = secure(ctx, conn, d.config, host)
	}
	if err != nil {
		d.pair.live.Add(-1)
		return err
	}
	o := &opened{conn: &stream{Conn: conn, pair: d.pair}, taken: make(chan struct{})}
	select {
	case d.next <- o:
	case <-d.quit:
		_ = o.conn.Close()
		return net.ErrClosed
	case <-ctx.Done():
		_ = o.conn.Close()
		return ctx.Err()
	}
	select {
	case <-o.taken:
		return nil
	case <-d.quit:
		return net.ErrClosed
	}
}

// secure turns a connection into TLS.
func secure(ctx context.Context, conn net.Conn, config *tls.Config, host string) (net.Conn, error) {
	config = config.Clone()
	config.ServerName = host
	safe := tls.Client(conn, config)
	if err := safe.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return safe, nil
}

// Accept implements net.Listener for one acceptor, which comes back when it has put the connection into its pool.
func (d *Dialed) Accept() (net.Conn, error) {
	if d.last != nil {
		close(d.last.taken)
		d.last = nil
	}
	select {
	case d.last = <-d.next:
		return d.last.conn, nil
	case <-d.quit:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (d *Dialed) Close() error {
	d.close.Do(func() { close(d.quit) })
	return nil
}

// Addr implements net.Listener: the address that we are known by, not that of any connection.
func (d *Dialed) Addr() net.Addr { return d.addr }

// handshake makes a TLS connection that came in known, in its reader's goroutine.
func (c *stream) handshake() error {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), frameTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		c.pair.Dropped.Add(1)
		return err
	}
	return t.SetDeadline(time.Time{})
}
