package room

import (
	"time"

	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/room/wish"
	"parley/internal/wall"
)

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second
	// A wall clock may be set while a timer runs: deadlines are looked at this often in any case.
	wakeMost = time.Minute
	// A deadline that passes between two looks at it is not to be looked at in a circle.
	wakeLate = 100 * time.Millisecond
)

// schedule is when a room has to do something by itself. Zero times mean never, but for idle.
type schedule struct {
	retry   time.Time // next attempt to write what could not be written
	backoff time.Duration
	health  time.Time
	keys    time.Time // when keys that somebody has pressed are all there will be
	idle    time.Time // when the goroutine may end
	wanted  bool      // somebody other than a passing request has asked for the room
}

func (s *schedule) fail(now time.Time) {
	s.backoff = min(max(2*s.backoff, retryFirst), retryMost)
	s.retry = now.Add(s.backoff)
}

func (s *schedule) succeed() { s.retry, s.backoff = time.Time{}, 0 }

// asked keeps the room live until the given time, unless nobody but the reaper ever asked.
func (s *schedule) asked(group []*request, until time.Time) {
	for _, q := range group {
		s.wanted = s.wanted || !q.passing
	}
	s.idle = time.Time{}
	if s.wanted {
		s.idle = until
	}
}

// untilWake returns how long the room may sleep.
func (r *room) untilWake(now time.Time) time.Duration {
	s := &r.schedule
	next := now.Add(wakeMost)
	earlier := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	earlier(s.keys)
	if at := r.state.NextDeadline(); !s.retry.IsZero() {
		earlier(s.retry) // nothing is written before
	} else if !at.IsZero() {
		if !at.After(now) {
			at = now.Add(wakeLate)
		}
		earlier(at)
	}
	if len(r.state.Participants) > 0 {
		if s.health.IsZero() {
			s.health = now.Add(r.host.o.HealthInterval)
		}
		earlier(s.health)
	} else {
		s.health = time.Time{}
		if r.unwanted() && s.idle.Before(next) {
			next = s.idle
		}
	}
	return next.Sub(now)
}

// unwanted reports whether a room without participants may end: nothing is to be written or recorded, and nobody listens.
func (r *room) unwanted() bool {
	return len(r.pending) == 0 && r.reel == nil && len(r.stage.guests) == 0
}

func (r *room) wakeUp(now time.Time) {
	r.lapse(now)
	r.settle()
	if r.ended {
		return
	}
	s := &r.schedule
	if len(r.state.Participants) == 0 {
		r.ended = r.unwanted() && !now.Before(s.idle)
		return
	}
	if !s.health.IsZero() && !now.Before(s.health) {
		s.health = now.Add(r.host.o.HealthInterval)
		r.check(now)
	}
}

// stop ends the room with the server. Who is still inside leaves with reason lost, as after a crash: a permanent conference stays
// progressing, a connect conference is over.
func (r *room) stop() {
	until := wall.Now().Add(r.host.o.StopTimeout)
	for !r.ended && (len(r.state.Participants) > 0 || !r.unwanted()) {
		r.patience = max(wall.Until(until), 0)
		group := append(r.pending, &request{command: conference.Recover{At: wall.Now()}})
		r.pending = nil
		if _, err := r.commit(group); err == nil {
			break
		}
		r.schedule.fail(wall.Now())
		if !r.schedule.retry.Before(until) {
			r.host.o.Log.Error("stopped without writing down who left; the next start does", "conference", r.id)
			break
		}
		time.Sleep(wall.Until(r.schedule.retry))
	}
	r.abandon(wish.Stopping())
}

// abandon ends every seat without writing anything, and the room.
func (r *room) abandon(err error) {
	r.cut(tape.ByCrash)
	r.dismiss(err)
	var out []departure
	for id, seat := range r.seats {
		out = append(out, departure{seat, conference.LeftLost})
		delete(r.seats, id)
	}
	r.unseat(out)
	answerAll(r.pending, err)
	r.pending = nil
	r.ended = true
}

func answerAll(group []*request, err error) {
	for _, q := range group {
		q.answer(View{}, err)
	}
}
