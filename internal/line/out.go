package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/callee"
	"parley/internal/line/early"
	"parley/internal/line/finish"
	"parley/internal/store/cause"
	"parley/internal/trunk"
	"parley/internal/wall"
)

// outbound is what belongs to a call that we place.
type outbound struct {
	from, to call.Address
	agent    string       // whose call it is, "" for nobody's
	count    int          // of the calls before it, each placed by a flow of the one before
	group    string       // id of its groupcall, "" for none
	master   string       // id of the call whose end ends it, "" for none
	hops     []callee.Hop // that have not been tried, the next one first
	last     callee.Hop
	leg      Departure // nil before the first INVITE
	replies  <-chan Progress
	began    time.Time // of the last INVITE
	rang     bool      // a phone has rung
	failure  error     // of the last hop that could not even be tried

	early    bool             // its flow begins before the answer
	picked   chan struct{}    // closed by the answer
	sounds   bool             // what it has to say before it answers is wanted
	told     func(early.Kind) // what happens before the answer, each once; nil for nobody
	made     func(*Line)      // told before anything else; nil for nobody
	answered func()           // told by the line's goroutine when the callee has answered; nil for nobody
	ended    func(call.Call)  // likewise when the call is over and that is written
}

// progress brings the responses to the INVITE of a call that we place.
func (l *Line) progress() <-chan Progress {
	if l.outbound == nil {
		return nil
	}
	return l.outbound.replies
}

// dialNext sends the next INVITE, or ends the line when there is no way left.
func (l *Line) dialNext(ctx context.Context) {
	o := l.outbound
	if closed(l.hang) {
		e := l.hungUp()
		l.fate = &e
		return
	}
	for len(o.hops) > 0 {
		h := o.hops[0]
		o.hops = o.hops[1:]
		if o.failure = l.try(ctx, h); o.failure == nil {
			return
		}
		if !trunk.NextHop(o.failure) && fault.KindOf(o.failure) != fault.Unavailable {
			o.hops = nil
		}
		l.x.o.Log.Warn("cannot dial", "call", l.id, "to", h.To, "reason", fault.ReasonOf(o.failure), "error", o.failure)
	}
	e := finish.ByUs(call.Failed, conference.LeftRefused, "there is no way to the callee")
	if o.failure != nil {
		e.Hangup.Detail = fmt.Sprintf("%s: %v", fault.ReasonOf(o.failure), o.failure)
	}
	l.fate = &e
}

func (l *Line) try(ctx context.Context, h callee.Hop) error {
	if err := h.Admit(l.x.o.Trunks); err != nil {
		return err
	}
	l.leg.Describe(h.Codecs, h.Secure) // each way is a dialog of its own
	h.Offer = l.leg.Offer()
	leg, err := l.invite(ctx, h.Outgoing)
	if err != nil {
		h.Release()
		return err
	}
	o := l.outbound
	o.last, o.leg, o.replies, o.began = h, leg, leg.Progress(), wall.Now()
	return nil
}

// progressed takes a response of the callee. answered is called when it is the answer.
func (l *Line) progressed(ctx context.Context, p Progress) {
	switch {
	case p.Status == 0: // the channel is closed
		l.outbound.replies = nil
		if !l.answered {
			l.declined(ctx, Progress{Status: 503, Phrase: "no answer to the INVITE"})
		}
	case p.Status < 200:
		if p.Status == 180 {
			l.rings(ctx)
		}
		if p.Body != nil {
			if err := l.adoptAnswer(p.Body); err != nil {
				l.x.o.Log.Warn("early media not taken", "call", l.id, "error", err)
				return
			}
			l.listen()
		}
	case p.Status < 300:
		l.pickedUp(ctx, p)
	default:
		l.outbound.replies = nil
		l.declined(ctx, p)
	}
}

// rings notes that a phone rings.
func (l *Line) rings(ctx context.Context) {
	o := l.outbound
	if !o.rang && o.told != nil {
		o.told(early.Rang)
	}
	o.rang = true
	l.note(ctx, call.Ring{At: wall.Now()})
}

// adoptAnswer takes an answer to the INVITE's offer, early or final.
func (l *Line) adoptAnswer(body []byte) error {
	if err := l.leg.AcceptFork(body); err != nil {
		return err
	}
	l.setBooth()
	return nil
}

func (l *Line) pickedUp(ctx context.Context, p Progress) {
	o := l.outbound
	o.replies, l.answered = nil, true
	o.last.Answered()
	if p.Body != nil || !l.leg.Applied() {
		if err := l.adoptAnswer(p.Body); err != nil {
			e := finish.ByUs(call.Failed, conference.LeftRefused, fmt.Sprintf("no usable answer to the offer: %v", err))
			l.fate = &e
			return
		}
	}
	if closed(l.hang) { // the answer crossed the wish to take the call back
		return
	}
	l.note(ctx, call.Answer{At: wall.Now()})
	l.tell(ctx)
	l.proceed()
}

// proceed begins what an answered call is for, unless that has begun before the answer.
func (l *Line) proceed() {
	close(l.outbound.picked)
	if told := l.outbound.answered; told != nil {
		if told(); closed(l.hang) {
			return
		}
	}
	if !l.began {
		l.start()
	}
}

// await returns when the phone that the call was placed to has answered; at once for a call that came in.
func (l *Line) await(ctx context.Context) error {
	if l.outbound == nil {
		return nil
	}
	select {
	case <-l.outbound.picked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// declined tries the next way, or ends the line with what the callee said.
func (l *Line) declined(ctx context.Context, p Progress) {
	o := l.outbound
	o.last.Release()
	o.leg = nil
	if len(o.hops) > 0 && o.last.Failover(p.Status, o.rang) && !closed(l.hang) {
		l.x.o.Log.Info("trying the next way", "call", l.id, "after", p.Status)
		l.dialNext(ctx)
		return
	}
	e := finish.Declined(p.Status, p.Phrase, p.Status == 408 && wall.Since(o.began) >= o.last.Timeout)
	l.fate = &e
}

// close is the end of the call for those who had it placed.
func (o *outbound) close(c call.Call) {
	o.last.Release()
	callee.Release(o.hops)
	if o.ended != nil {
		o.ended(c)
	}
}

// spent is closed when the guard wants the call to end.
func (l *Line) spent() <-chan struct{} {
	if l.outbound == nil {
		return nil
	}
	return l.outbound.last.Over()
}

// overspent is the end of a call that the guard wants to end.
func (l *Line) overspent() finish.Ending {
	return finish.ByUs(call.TimedOut, conference.LeftMaxDuration, l.outbound.last.Why()).Because(cause.ByTimer)
}

// dial makes a call to one callee, which runs in a goroutine of the exchange. The call's record is written when it returns.
func (x *Exchange) dial(ctx context.Context, customer string, p plan, o *outbound) (*Line, error) {
	if err := x.o.Media.Admit(); err != nil {
		return nil, err
	}
	var err error
	if o.hops, err = callee.Admit(o.hops, x.o.Trunks); err != nil {
		return nil, err
	}
	l := x.newLine(call.ID(uuid.NewString()), customer, p)
	l.outbound = o
	if o.made != nil {
		o.made(l)
	}
	if err := x.roll.Enlist(l.id, l); err != nil {
		callee.Release(o.hops)
		return nil, err
	}
	if err := l.openOut(ctx); err != nil {
		callee.Release(o.hops)
		l.close()
		x.roll.Strike(l.id)
		return nil, err
	}
	if err := errors.Join(x.chain(ctx, l), l.reserve(ctx)); err != nil {
		l.abort(ctx, err)
		return nil, err
	}
	if !x.run(l) {
		l.abort(ctx, errors.New("the server is stopping"))
		return nil, fault.New(fault.Unavailable, "STOPPING", "the server is stopping; try again when it is back")
	}
	x.o.Log.Info("call placed", "call", l.id, "to", o.to.Target, "conference", p.conference)
	return l, nil
}

// abort ends a call that has a record and does not come about.
func (l *Line) abort(ctx context.Context, err error) {
	e := finish.ByUs(call.Failed, conference.LeftRefused, err.Error())
	l.press(ctx, &e)
	_ = l.Run(ctx)
}

// openOut binds the media ports and writes the record of a call that we place.
func (l *Line) openOut(ctx context.Context) error {
	if err := l.bind(); err != nil {
		return err
	}
	o := l.outbound
	for i := range o.hops {
		o.hops[i].SIPCallID = uuid.NewString()
	}
	if err := l.prepare(ctx, call.Outbound, o.from, o.to); err != nil {
		return err
	}
	out := call.Outgoing{
		At: wall.Now(), ID: l.id, CustomerID: l.customer, Type: l.plan.kind(), Source: o.from, Destination: o.to,
		SIPCallID: o.hops[0].SIPCallID, GroupcallID: o.group, MasterCallID: o.master, AgentID: o.agent,
	}
	if l.plan.show != nil {
		out.FlowID, out.ActiveflowID = l.plan.show.Env.FlowID, l.plan.show.Env.ActiveflowID
	}
	if err := l.record.Write(ctx, out); err != nil {
		l.forget(ctx)
		return err
	}
	l.made = l.record.Call
	return nil
}

// Use gives the exchange its door for calls out. It is called once, before the first of them.
func (x *Exchange) Use(d Dialer) { x.door.Store(&d) }

func (x *Exchange) dialer() Dialer {
	if d := x.door.Load(); d != nil {
		return *d
	}
	return callee.Shut[*Line]{}
}

// run has a line run in a goroutine of the exchange, as long as that runs.
func (x *Exchange) run(l *Line) bool {
	return x.crew.Lend(func(life context.Context) {
		if err := l.Run(life); err != nil {
			x.o.Log.Error("line ended with an error", "call", l.id, "error", err)
		}
	})
}

// Run runs the calls that are placed until ctx ends, and returns when all of them have ended.
func (x *Exchange) Run(ctx context.Context) error {
	x.crew.Run(ctx)
	return nil
}
