package feed

import (
	"context"
	"time"
)

// The least time between two writes to one reader: what comes faster goes together. It grows with the readers, for they share the processor.
const (
	paceLeast = 5 * time.Millisecond
	paceMost  = 200 * time.Millisecond
	paceEach  = 100 * time.Microsecond // for each stream
)

func (f *Feed) pace() time.Duration {
	return min(max(time.Duration(f.total.Load())*paceEach, paceLeast), paceMost)
}

// flow is one reader's way along the log.
type flow struct {
	pipe     *pipe
	customer string
	at       int64
	wanted   func(*entry) bool
	frame    func(*entry) []byte
	beat     []byte               // a sign of life
	alive    func() error         // after each beat; nil for none
	changed  <-chan struct{}      // the client has other wishes; nil for never
	wishes   func(at int64) int64 // takes them up and says where to go on
	frames   [][]byte             // of the last write
}

// flow sends what a reader wants until ctx ends, which is nil, or the client cannot be served any more.
func (f *Feed) flow(ctx context.Context, r *flow) error {
	beat := time.NewTicker(f.o.Beat)
	defer beat.Stop()
	for {
		list, next, more, err := f.tail.after(ctx, r.customer, r.at)
		if err == nil {
			err = r.send(ctx, list)
		}
		if err == nil {
			r.at = next
			err = r.pipe.pause(ctx, f.pace())
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		case <-r.changed:
			r.at = r.wishes(r.at)
		case <-beat.C:
			if err := r.sign(ctx); err != nil {
				return err
			}
		}
	}
}

// send writes those of the entries that the reader wants.
func (r *flow) send(ctx context.Context, list []*entry) error {
	r.frames = r.frames[:0]
	for _, e := range list {
		if r.wanted(e) {
			r.frames = append(r.frames, r.frame(e))
		}
	}
	err := r.pipe.send(ctx, r.frames)
	clear(r.frames)
	return err
}

// sign writes the sign of life, unless what was written before is still on its way.
func (r *flow) sign(ctx context.Context) error {
	if err := r.pipe.room(ctx); err != nil {
		return err
	}
	if err := r.pipe.write([][]byte{r.beat}); err != nil {
		return err
	}
	if r.alive != nil {
		return r.alive()
	}
	return nil
}
