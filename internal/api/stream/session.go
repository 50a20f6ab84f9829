package stream

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/mixer/ear"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

const (
	frameMost    = 64 << 10 // bytes of a client's frame
	reasonMost   = 123      // bytes of a reason (RFC 6455 section 5.5)
	pollEvery    = 20 * time.Millisecond
	closeTimeout = 10 * time.Second // longest write to a client that takes nothing at all
)

// session is one stream.
type session struct {
	streams *Streams
	wish    wish
	key     string // or agent that opened it
	agent   bool
	still   func(context.Context) error
	what    string // it belongs to, for the log
	c       *websocket.Conn
	ring    *mixer.Ring
	inlet   *mixer.Inlet
	speech  *ear.Speech
	heard   []int16 // the reader's
	packet  []byte  // the writer's

	sent atomic.Uint64
	slow atomic.Bool
}

// tooSlow ends a stream whose client does not keep up.
var tooSlow = &breach{websocket.StatusPolicyViolation, "too slow: read faster, or choose a lower rate"}

// errGone says that the client has closed, or is not to be reached.
var errGone = errors.New("the client has gone")

// run serves the stream until the client, the conference or call, or the server ends it.
func (x *session) run(life context.Context, detach func()) {
	log := x.streams.o.Log.With("of", x.what, "encapsulation", string(x.wish.form), "rate", x.wish.rate)
	log.Info("media stream opened")
	x.c.SetReadLimit(frameMost)
	ctx, end := context.WithCancelCause(context.Background())
	for _, outer := range []context.Context{life, x.streams.quit} {
		defer context.AfterFunc(outer, func() { end(context.Cause(outer)) })()
	}
	var all sync.WaitGroup
	all.Go(func() { end(x.read()) })
	all.Go(func() { end(x.beat(ctx)) })
	end(x.write(ctx))
	detach()
	why := context.Cause(ctx)
	code, reason := farewell(why)
	if code != 0 {
		_ = x.c.Close(code, reason[:min(len(reason), reasonMost)])
	}
	_ = x.c.CloseNow()
	all.Wait()
	log.Info("media stream closed", "why", why, "sent", x.sent.Load(), "lost", x.ring.Lost(), "dropped", x.inlet.Dropped())
}

// farewell is how a stream is closed, 0 when there is nobody to tell.
func farewell(why error) (websocket.StatusCode, string) {
	var b *breach
	switch {
	case errors.As(why, &b):
		return b.code, b.reason
	case errors.Is(why, errGone):
		return 0, ""
	case fault.KindOf(why) == fault.Conflict:
		return websocket.StatusNormalClosure, why.Error()
	case fault.KindOf(why) == fault.Unavailable:
		return websocket.StatusGoingAway, why.Error()
	}
	return websocket.StatusInternalError, "the stream has failed: connect again"
}

// read plays what the client sends. Text frames are ignored, as in the original.
func (x *session) read() error {
	for {
		kind, frame, err := x.c.Read(context.Background()) // the end of a context would cut the farewell off
		if err != nil {
			return errGone
		}
		if kind != websocket.MessageBinary {
			continue
		}
		if err := x.wish.form.unpack(x.wish.rate, frame, x.play); err != nil {
			return err
		}
	}
}

func (x *session) play(pcm []byte) {
	x.heard = x.heard[:0]
	for ; len(pcm) > 1; pcm = pcm[2:] {
		x.heard = append(x.heard, int16(binary.LittleEndian.Uint16(pcm)))
	}
	x.inlet.Write(x.heard)
}

// write sends what is heard until ctx ends, or the client does not keep up.
func (x *session) write(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	frame := make([]int16, ear.Samples)
	var b blame
	lag := &x.streams.lag
	for {
		b.busy(time.Since(lag.begin), lag.total())
		for f, ok := x.ring.Next(frame); ok; f, ok = x.ring.Next(frame) {
			if err := x.send(f); err != nil || ctx.Err() != nil {
				return err
			}
			if b.late(x.ring.Lost(), time.Since(lag.begin), lag.total()) {
				return x.late()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-poll.C:
		}
	}
}

func (x *session) send(f mixer.Frame) error {
	pcm, at, err := x.speech.Frame(f)
	if err != nil {
		return err
	}
	x.packet = x.wish.form.pack(x.packet[:0], at, x.wish.rate, pcm)
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := x.c.Write(ctx, websocket.MessageBinary, x.packet); err != nil {
		if ctx.Err() != nil {
			return x.late()
		}
		return errGone
	}
	x.sent.Add(1)
	return nil
}

// beat asks for a sign of life. The answer comes after all that is under way to the client, so that it tells how far behind it is.
func (x *session) beat(ctx context.Context) error {
	beat := time.NewTicker(x.streams.o.Beat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		if err := x.admitted(ctx); err != nil {
			return err
		}
		stalled := x.streams.lag.total()
		// Not the stream's context: the library cuts the connection when that ends in the middle of a frame, and the farewell with it.
		patience, cancel := context.WithTimeout(context.Background(), x.streams.o.Patience)
		err := x.c.Ping(patience)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded) && x.streams.lag.total() > stalled:
			// It is the server that was late: the client is asked again.
		case errors.Is(err, context.DeadlineExceeded):
			return x.late()
		case err != nil:
			return errGone
		}
	}
}

// admitted ends a stream whose access key has been deleted or has expired. Not knowing is not failing.
func (x *session) admitted(ctx context.Context) error {
	if x.streams.o.Store == nil {
		return nil
	}
	if x.agent {
		if kind := fault.KindOf(x.still(ctx)); kind == fault.Unauthenticated || kind == fault.Denied {
			return &breach{websocket.StatusPolicyViolation, "the agent's token is not valid any more"}
		}
		return nil
	}
	rec, err := x.streams.o.Store.Get(ctx, store.Accesskey, x.key)
	if err != nil {
		return nil
	}
	var kept struct {
		Expire wire.Time `json:"tm_expire"`
	}
	err = json.Unmarshal(rec.Doc, &kept)
	if at := time.Time(kept.Expire); rec.Deleted || err == nil && !at.IsZero() && wall.Now().After(at) {
		return &breach{websocket.StatusPolicyViolation, "the access key was deleted or has expired"}
	}
	return nil
}

func (x *session) late() error {
	x.slow.Store(true)
	return tooSlow
}

// count adds the figures of the stream.
func (x *session) count(to *Stats) {
	if x.slow.Load() {
		to.Slow++
	}
	to.Sent += x.sent.Load()
	to.Lost += x.ring.Lost()
	to.Dropped += x.inlet.Dropped()
	to.Gaps += x.inlet.Gaps()
}
