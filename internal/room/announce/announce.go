// Package announce brings announcements to be heard, one after the other for each who is to hear them. It starts one goroutine for each queue that is not
// empty, which fetches and plays and ends with the queue; what may be announced, where it is played and what is written of it is the room's business.
package announce

import (
	"context"
	"sync"
	"time"

	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/prompt"
)

// Stage is what a Desk needs of the conferences. It is called from the desk's goroutines and may wait until ctx ends.
type Stage interface {
	// Sounds gets what is to be heard.
	Sounds(ctx context.Context, a announcement.Announcement) ([]prompt.Sound, error)
	// Place returns where it is to be heard, or why nobody would.
	Place(ctx context.Context, a announcement.Announcement) (Place, error)
	// Start writes down that it begins.
	Start(ctx context.Context, a announcement.Announcement) error
	// End writes down that it is over.
	End(a announcement.Announcement, reason string, failed bool)
}

// Place plays a sound; repeat is until it is stopped.
type Place func(s prompt.Sound, repeat bool) (Playing, error)

// Playing is a sound that is heard until Done.
type Playing interface {
	Stop()
	Done() <-chan struct{}
}

// waitingMax is how many announcements wait in one queue.
const waitingMax = 16

// Desk has the announcements of a node. Its methods may be called from any goroutine.
type Desk struct {
	ctx   context.Context // ended when all have to end
	stage Stage
	done  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	queues map[target]*queue
	over   bool // nothing is added any more
}

type target struct{ conference, participant string }

type queue struct {
	waiting []announcement.Announcement
	stop    context.CancelFunc // of the one that is heard or fetched; nil between two
}

// New makes a Desk that works until ctx ends.
func New(ctx context.Context, s Stage) *Desk {
	return &Desk{ctx: ctx, stage: s, queues: map[target]*queue{}}
}

// Wait returns when all goroutines have ended. Call it after ctx has ended.
func (d *Desk) Wait() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
	d.done.Wait()
}

// Add has an announcement heard after those that its hearers wait for already. More than 16 of them are refused with ANNOUNCEMENTS_EXHAUSTED.
func (d *Desk) Add(a announcement.Announcement) error {
	to := target{a.ConferenceID, a.ConferencecallID}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.ctx.Err() != nil {
		return fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	q := d.queues[to]
	if q == nil {
		q = &queue{}
		d.queues[to] = q
		d.done.Go(func() { d.work(to, q) })
	}
	if len(q.waiting) >= waitingMax {
		return fault.New(fault.Exhausted, "ANNOUNCEMENTS_EXHAUSTED", "%d announcements wait to be heard; stop them, or try again later", waitingMax)
	}
	q.waiting = append(q.waiting, a)
	return nil
}

// Stop ends what one participant hears alone, for all is true everything in the conference, and forgets what waits. It returns how many those are.
func (d *Desk) Stop(conference, participant string, all bool) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for to, q := range d.queues {
		if to.conference != conference || !all && to.participant != participant {
			continue
		}
		n += len(q.waiting)
		q.waiting = nil
		if q.stop != nil {
			q.stop()
			n++
		}
	}
	return n
}

// work goes through a queue.
func (d *Desk) work(to target, q *queue) {
	for {
		d.mu.Lock()
		if q.stop = nil; len(q.waiting) == 0 || d.ctx.Err() != nil {
			delete(d.queues, to)
			d.mu.Unlock()
			return
		}
		a := q.waiting[0]
		q.waiting = q.waiting[1:]
		ctx, stop := context.WithCancel(d.ctx)
		q.stop = stop
		d.mu.Unlock()
		d.one(ctx, a)
		stop()
	}
}

// one fetches and plays an announcement. Of one that is stopped before it is heard nothing is written.
func (d *Desk) one(ctx context.Context, a announcement.Announcement) {
	sounds, err := d.stage.Sounds(ctx, a)
	var play Place
	if err == nil {
		play, err = d.stage.Place(ctx, a)
	}
	if err == nil && ctx.Err() == nil {
		if err = d.stage.Start(ctx, a); ctx.Err() != nil {
			d.stage.End(a, announcement.Stopped, false) // it may have been written all the same
		}
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		d.stage.End(a, reasonOf(err), true)
	default:
		reason, failed := perform(ctx, a, play, sounds)
		d.stage.End(a, reason, failed)
	}
}

func reasonOf(err error) string {
	if reason := fault.ReasonOf(err); reason != "" {
		return reason
	}
	return "INTERNAL"
}

// perform plays the sounds and returns why it has ended.
func perform(ctx context.Context, a announcement.Announcement, play Place, sounds []prompt.Sound) (reason string, failed bool) {
	for {
		for _, s := range sounds {
			began, forever := time.Now(), a.Repeat && len(sounds) == 1
			p, err := play(s, forever)
			if err != nil {
				return reasonOf(err), true
			}
			select {
			case <-p.Done():
			case <-ctx.Done():
				p.Stop()
				return announcement.Stopped, false
			}
			if forever || time.Since(began) < length(s)/2 {
				return announcement.Stopped, false // who was to hear it is gone
			}
		}
		if !a.Repeat {
			return announcement.Played, false
		}
	}
}

func length(s prompt.Sound) time.Duration {
	return time.Duration(len(s.Samples)) * time.Second / time.Duration(max(s.Rate, 1))
}
