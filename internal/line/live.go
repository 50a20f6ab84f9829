package line

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/finish"
	"parley/internal/line/inside"
	"parley/internal/line/ledger"
	"parley/internal/line/leg"
	"parley/internal/line/script"
	"parley/internal/line/show"
	"parley/internal/line/visit"
	"parley/internal/recording/calls"
	"parley/internal/room"
	"parley/internal/store/cause"
	"parley/internal/wall"
)

// Line is one live call. Run is called once; the other methods may be called from any goroutine.
//
// Two goroutines work for it. The one of Run owns the dialog, the media session and the record. The other performs what the call is for (its
// show), one step after the other; it waits for rooms, sounds and digits, and asks the owner for whatever touches what the owner owns.
type Line struct {
	x        *Exchange
	id       call.ID
	customer string
	plan     plan
	inbound  inbound
	outbound *outbound // nil when the call came in
	made     call.Call // as it was before Run

	asks     chan func()   // what has to run in the line's goroutine; unbuffered
	hang     chan struct{} // closed when somebody wants the call to end
	hangOnce sync.Once
	asked    json.RawMessage               // who closed hang, as the log keeps it, or nil; written before
	why      atomic.Pointer[finish.Ending] // why, when it is not just hung up
	over     chan struct{}                 // closed when no more asks are taken
	finished chan struct{}                 // closed when Run is about to return
	helpers  sync.WaitGroup                // the show, and who listens to the booth

	chair   atomic.Pointer[chair] // where it sits; set by the show
	handing atomic.Bool           // somebody else gets its seat, and its conference goes on
	keys    *leg.Keys

	owned // by the goroutine of Run
}

// inbound is what belongs to a call that came in.
type inbound struct {
	d  Dialog // nil when we place the call
	in Invite
}

// owned is what belongs to the goroutine of Run.
type owned struct {
	record    *ledger.Entry
	leg       *leg.Leg // nil before it has ports
	heir      Dialog   // of the phone that has taken the place of the first one, nil for none
	start     func()   // begins what the call is for
	answered  bool
	booth     *booth
	told      leg.State // what its seat knows of the leg's
	connected bool
	overlay   overlay
	tie       *inside.Tie // to the conference at the other end, nil for none
	visitors  visit.Visitors
	outside   *visit.Visitor   // the one for a host outside, nil for none
	tape      *calls.Recording // that runs, nil for none
	life      context.Context  // of the show and of what is played
	timer     *time.Timer
	began     bool           // whether what the call is for has begun
	fate      *finish.Ending // of a step that ends the call
}

// plan is what a call is for.
type plan struct {
	dialled    *conference.Conference // as it was when it was dialled; belongs to the show; nil otherwise
	conference conference.ID          // to enter; "" for a flow alone
	join       Joining                // how
	show       *script.Plan           // nil: straight into the conference
}

func (x *Exchange) newLine(id call.ID, customer string, p plan) *Line {
	return &Line{
		x: x, id: id, customer: customer, plan: p, owned: owned{record: ledger.New(x.o.Store, string(p.conference))}, keys: leg.NewKeys(),
		asks: make(chan func()), hang: make(chan struct{}), over: make(chan struct{}), finished: make(chan struct{}),
	}
}

// far is the dialog, nil while there is none.
func (l *Line) far() far {
	switch {
	case l.heir != nil:
		return l.heir
	case l.inbound.d != nil:
		return l.inbound.d
	case l.outbound != nil && l.outbound.leg != nil:
		return l.outbound.leg
	}
	return nil
}

// far is what both kinds of dialog are.
type far interface {
	Ended
	Hangup(reason string)
}

// gone is closed when the dialog is over; nil while there is none.
func (l *Line) gone() <-chan struct{} {
	if l.outbound != nil && !l.answered {
		return nil // what its callee says tells more
	}
	if f := l.far(); f != nil {
		return f.Done()
	}
	return nil
}

// Run walks the call to its end: answer, what it is for, clean up. It returns when everything is written. The door calls it in the dialog's goroutine. When
// ctx ends, the call is hung up, and Run returns within StopTimeout even if the store cannot write; Recover writes the end then. Otherwise it goes
// on trying.
func (l *Line) Run(ctx context.Context) error {
	ctx = l.bySIP(ctx)
	var stop func()
	l.life, stop = context.WithCancel(ctx)
	defer stop()
	e := l.live(ctx)
	close(l.over)
	l.tellFar(e)
	e.Hangup.At, e.Hangup.Quality = wall.Now(), l.leg.Quality()
	l.dismiss()
	l.closeBooth()
	l.close()
	stop()
	l.helpers.Wait()
	if !l.began {
		l.forget(ctx)
	}
	return l.end(cause.Put(ctx, e.By), e)
}

// live keeps the call until somebody ends it.
func (l *Line) live(ctx context.Context) finish.Ending {
	l.timer = time.NewTimer(l.x.o.ConnectAfter)
	defer l.timer.Stop()
	health := time.NewTicker(healthEvery)
	defer health.Stop()
	limit := wall.NewTimer(l.x.o.MaxDuration)
	defer limit.Stop()
	shown := make(chan finish.Ending, 1)
	l.start = func() {
		l.began = true
		l.helpers.Go(func() { shown <- l.perform(l.life) })
	}
	if e, ended := l.begin(ctx); ended {
		return e
	}
	for {
		select {
		case <-l.gone():
			return l.byDialog()
		case <-l.hang:
			return l.hungUp()
		case <-l.spent():
			return l.overspent()
		case <-l.released():
			return bySeat(l.seat())
		case <-ctx.Done():
			return finish.Stopped()
		case e := <-shown:
			return e
		case ask := <-l.asks:
			ask()
		case p := <-l.progress():
			l.progressed(ctx, p)
		case <-health.C:
			l.fate = l.checked()
		case <-limit.C:
			return finish.ByUs(call.TimedOut, conference.LeftMaxDuration, "the longest duration of a call was reached").Because(cause.ByTimer)
		case <-l.timer.C:
			l.catchUp(ctx)
		}
		if l.fate != nil {
			return *l.fate
		}
	}
}

// begin is the first step of the call: ring, or dial.
func (l *Line) begin(ctx context.Context) (finish.Ending, bool) {
	if l.outbound != nil {
		l.dialNext(ctx)
		if l.fate != nil {
			return *l.fate, true
		}
		if l.outbound.early && l.plan.show != nil {
			l.start()
		}
		return finish.Ending{}, false
	}
	if !show.Connects(l.plan.show) {
		if err := l.inbound.d.Ring(ctx, nil); err != nil {
			return l.gaveUp(err), true
		}
	}
	l.start()
	return finish.Ending{}, false
}

// perform does what the call is for.
func (l *Line) perform(ctx context.Context) finish.Ending {
	if l.plan.show != nil {
		return l.runFlow(ctx)
	}
	c, err := l.join(ctx, l.plan.conference)
	if err != nil {
		return finish.Refused(err)
	}
	if _, err = c.Enter(ctx); err != nil && !closed(c.ended().Done()) {
		return finish.Refused(err)
	}
	l.farewell(ctx, c.ended())
	return bySeat(c.ended())
}

// catchUp does what could not be done at once: the participant that counts as connected although no packet has come, and what could not be written.
func (l *Line) catchUp(ctx context.Context) {
	if c := l.chair.Load(); c != nil && c.entered && !l.connected {
		l.connected = !ledger.Retriable(c.seat.Connected(ctx))
		if !l.connected {
			l.timer.Reset(l.x.o.ConnectAfter)
		}
	}
	l.note(ctx)
	l.tell(ctx)
}

// later has catchUp called when there is something left to do.
func (l *Line) later() {
	if l.record.Pending() || l.chair.Load() != nil && l.leg.State() != l.told {
		l.timer.Reset(l.x.o.ConnectAfter)
	}
}

// answer accepts the call, once.
func (l *Line) answer(ctx context.Context, notes ...call.Command) error {
	if l.answered {
		l.note(ctx, notes...)
		return nil
	}
	if err := l.pressed(ctx); err != nil {
		return err
	}
	body := l.leg.Body()
	lateOffer := body == nil
	if lateOffer {
		body = l.leg.Offer()
	} else if err := l.leg.Apply(); err != nil {
		return err
	}
	confirmed, err := l.inbound.d.Answer(ctx, body)
	if err != nil {
		e := l.gaveUp(err)
		l.fate = &e
		return fault.New(fault.Conflict, "CALL_ENDED", "the caller gave up")
	}
	l.answered = true
	l.setBooth()
	l.note(ctx, append(notes, call.Answer{At: wall.Now()})...)
	if lateOffer {
		if err := l.accepted(ctx, confirmed); err != nil {
			e := finish.ByUs(call.Failed, conference.LeftRefused, fmt.Sprintf("no usable answer to the offer: %v", err))
			if closed(l.gone()) {
				e = l.byDialog()
			}
			l.fate = &e
			return err
		}
	}
	return nil
}

// pressed looks whether somebody has ended the call before it is answered, when it can still be refused.
func (l *Line) pressed(ctx context.Context) error {
	over := closed(l.hang) || closed(l.gone()) || ctx.Err() != nil
	if over {
		return fault.New(fault.Conflict, "CALL_ENDED", "the call has been ended before it was answered")
	}
	return nil
}

// seat is where the call sits, nil for nowhere.
func (l *Line) seat() *room.Seat {
	if c := l.chair.Load(); c != nil {
		return c.seat
	}
	return nil
}
