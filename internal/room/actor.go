package room

import (
	"encoding/json"
	"sync/atomic"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/health"
	"parley/internal/loop"
	"parley/internal/recording/deck"
	"parley/internal/room/wish"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// room is one live conference. Everything but mail and done belongs to the goroutine of run.
//
// What the media loop noticed, and what has to be written whatever happens, is kept where it came in (in the seats, in pending) until it
// is in the state: chores compares both, so a store that cannot write for a while loses nothing and needs no second queue.
type room struct {
	host *Host
	id   conference.ID
	mail chan *request                         // unbuffered: what was taken from it will be answered
	done chan struct{}                         // closed when the goroutine has ended
	err  error                                 // why the room could not be loaded; written before done is closed
	seen atomic.Pointer[conference.Conference] // as it was committed last; nil before it is loaded

	state   conference.State
	place   place
	seats   map[conference.ParticipantID]*Seat
	mixer   Mixer            // nil while nobody is in the conference, it is not recorded and has no guests
	facts   <-chan loop.Fact // of mixer
	stage   hall
	lobby   hall
	played  string      // wait_music that is heard
	ringing atomic.Bool // somebody's coming or going is heard
	reel    *deck.Reel  // nil while nothing is recorded
	health  health.Checks
	backlog
	schedule schedule
	ended    bool
}

// backlog is what has to be written and is not yet.
type backlog struct {
	patience time.Duration                                // longest wait for one append
	pending  []*request                                   // as soon as the store can
	leaving  map[conference.ParticipantID]json.RawMessage // what brought about that somebody leaves who has not leaved yet
}

// place is where the room stands in the log.
type place struct {
	version int64 // of the key
	changed int64 // version of the last change of the conference itself, as a client sees it
	seq     int64 // last log entry that the state is known to reflect
}

const (
	batchMax = 256 // requests that share an append
	factsMax = 256 // facts that share an append
)

func newRoom(h *Host, id conference.ID) *room {
	return &room{
		host: h, id: id, mail: make(chan *request), done: make(chan struct{}),
		state: conference.State{Limits: h.o.Limits}, seats: map[conference.ParticipantID]*Seat{},
		backlog: backlog{leaving: map[conference.ParticipantID]json.RawMessage{}, patience: h.o.WriteTimeout},
	}
}

func (r *room) run() {
	defer close(r.done)
	defer r.host.forget(r)
	if r.err = r.load(); r.err != nil {
		return
	}
	r.tend()
	r.schedule.idle = wall.Now().Add(r.host.o.IdleAfter)
	wake := wall.NewTimer(0)
	defer wake.Stop()
	for !r.ended {
		wake.Reset(r.untilWake(wall.Now()))
		select {
		case q := <-r.mail:
			r.serve(q)
		case f, open := <-r.facts:
			r.notice(f, open)
		case <-wake.C:
			r.wakeUp(wall.Now())
		case <-r.host.quit:
			r.stop()
		}
	}
}

// serve takes the request and whoever else is waiting already, so that many joins at once share their appends.
func (r *room) serve(q *request) {
	group := []*request{q}
	for more := true; more && len(group) < batchMax; {
		select {
		case q := <-r.mail:
			group = append(group, q)
		default:
			more = false
		}
	}
	r.schedule.asked(group, wall.Now().Add(r.host.o.IdleAfter))
	group, entering := apart(r.steps(group))
	for len(group) > 0 {
		n := together(group)
		if r.ended {
			answerAll(group[:n], errMoved)
		} else {
			_, _ = r.commit(group[:n]) // whoever asked has the error
		}
		group = group[n:]
	}
	r.bring(entering)
	r.settle()
}

// together returns how many of the first requests may share an append.
func together(group []*request) int {
	for i, q := range group {
		if wish.Alone(q.command) {
			return max(i, 1)
		}
	}
	return len(group)
}

// notice keeps a fact of the media loop, and those behind it, and writes what they mean.
func (r *room) notice(f loop.Fact, open bool) {
	for n := 0; open; n++ {
		if seat := r.seats[conference.ParticipantID(f.Tag)]; seat != nil {
			seat.note(f)
		}
		if n == factsMax {
			break
		}
		select {
		case f, open = <-r.facts:
			continue
		default:
		}
		break
	}
	if !open {
		r.facts = nil
	}
	r.settle()
}

// settle writes what the state lacks until it lacks nothing or the store fails, which is then tried again later.
func (r *room) settle() {
	for !r.ended && !wall.Now().Before(r.schedule.retry) {
		chores := r.chores(wall.Now())
		if len(chores) == 0 {
			r.schedule.succeed()
			break
		}
		wrote, err := r.commit(chores)
		if err != nil {
			if !r.ended {
				r.host.o.Log.Error("cannot write what happened in a conference; trying again", "conference", r.id, "error", err)
				r.schedule.fail(wall.Now())
			}
			return
		}
		r.schedule.succeed()
		for _, seat := range r.seats {
			seat.digits = nil
		}
		if !wrote {
			break
		}
	}
	if len(r.state.Participants) == 0 && len(r.pending) == 0 && r.state.Conference.Status == conference.Terminated {
		r.ended = true
	}
}

// chores returns what is known and not in the state yet: what could not be written before, deadlines that have passed, participants
// whose port is gone, and what the media loop has noticed.
func (r *room) chores(now time.Time) []*request {
	out := r.pending
	r.pending = nil
	add := func(c conference.Command) { out = append(out, &request{command: c}) }
	if at := r.state.NextDeadline(); !at.IsZero() && !now.Before(at) {
		add(conference.Expire{At: now})
	}
	for _, id := range r.state.Unannounced() {
		if seat := r.seats[id]; seat != nil && seat.port != nil {
			add(conference.Announce{At: now, ID: id})
		}
	}
	for i := range r.state.Participants {
		p := r.state.Participants[i]
		seat := r.seats[p.ID]
		switch {
		case p.Status == conference.Leaving:
			out = append(out, &request{command: conference.Left{At: now, ID: p.ID}, cause: r.leaving[p.ID]})
		case seat == nil:
			continue // nobody holds it: the health check ends it
		default:
			r.unwritten(p, seat, now, add)
		}
	}
	return out
}

func (r *room) unwritten(p *conference.Participant, seat *Seat, now time.Time, add func(conference.Command)) {
	joined := p.Status == conference.Joined
	if seat.connected && !joined && p.Waiting == "" {
		add(conference.Connected{At: now, ID: p.ID})
		joined = true
	}
	audible := joined && !p.Muted && !p.Held && !p.RemoteHeld
	if p.Speaking != (seat.speaking && audible) {
		add(conference.Speech{At: now, ID: p.ID, Speaking: !p.Speaking})
	}
	for _, d := range seat.digits {
		add(conference.Digit{At: now, ID: p.ID, Digit: string(rune(d))})
	}
}

// check is one health check.
func (r *room) check(now time.Time) {
	evidence := make(map[conference.ParticipantID]health.Evidence, len(r.state.Participants))
	for i := range r.state.Participants {
		id := r.state.Participants[i].ID
		if seat := r.seats[id]; seat != nil {
			evidence[id] = seat.evidence()
		} else {
			evidence[id] = health.Evidence{CallEnded: true, Silence: -1} // a record without anybody: a ghost
		}
	}
	var group []*request
	for _, c := range r.health.Round(&r.state, now, evidence) {
		r.host.o.Log.Info("participant lost", "conference", r.id, "participant", wish.Named(c))
		group = append(group, &request{command: c, cause: cause.ByHealth})
	}
	if len(group) > 0 {
		_, _ = r.commit(group) // what fails is found again by the next check
		r.settle()
	}
}
