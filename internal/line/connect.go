package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/line/early"
	"parley/internal/room"
	"parley/internal/wall"
)

// Call implements script.Dials.
func (l *stage) Call(ctx context.Context, o *action.Calling) error {
	order := Order{
		CustomerID: l.customer, Source: l.sourceOr(o.Source), Destinations: o.Destinations, FlowID: o.FlowID, Actions: o.Actions, Anonymous: o.Anonymous,
		CallCount: l.plan.show.Env.CallCount + 1, Early: o.EarlyExecution,
	}
	if o.Chained {
		order.MasterCallID = string(l.id)
	}
	_, err := l.x.Place(ctx, order)
	return err
}

// sourceOr is who calls: as said, else whoever this call is from.
func (l *Line) sourceOr(said call.Address) call.Address {
	switch {
	case said != (call.Address{}):
		return said
	case l.outbound != nil:
		return l.outbound.from
	}
	return l.inbound.in.Source
}

// Connect implements script.Dials: it rings all destinations, and meets whoever answers first in a conference of type connect.
func (l *stage) Connect(ctx context.Context, o *action.Connecting) (call.HangupReason, error) {
	v, err := l.x.o.Rooms.Create(ctx, conference.Create{CustomerID: l.customer, Type: conference.Connect, Settings: conference.Settings{Name: "connect"}})
	if err != nil {
		return "", err
	}
	id := v.Conference.ID
	defer func() {
		if l.handing.Load() {
			return // it goes on without this call
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.x.o.WriteTimeout)
		defer cancel()
		_, _ = l.x.o.Rooms.Do(end, id, conference.Terminate{At: wall.Now()}, room.DoOptions{})
	}()
	team, err := l.x.finder().Team(ctx, l.customer, o.Destinations, "")
	if err != nil {
		return "", err
	}
	var reason call.HangupReason
	for _, turn := range team.Turns() {
		if reason, err = l.ring(ctx, o, id, turn, team.Agent); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		if o.RelayReason && reason != "" {
			return reason, nil
		}
		return "", err
	}
	c, err := l.join(ctx, id)
	if err != nil {
		return "", err
	}
	_, err = c.Enter(ctx)
	return "", err
}

// ring calls all of to and returns when one has answered; the others are hung up. An error says that none has, with the last one's reason.
func (l *stage) ring(ctx context.Context, o *action.Connecting, id conference.ID, to []call.Address, agentID string) (call.HangupReason, error) {
	order := Order{
		CustomerID: l.customer, Source: l.sourceOr(o.Source), Anonymous: o.Anonymous, MasterCallID: string(l.id), AgentID: agentID, CallCount: l.plan.show.Env.CallCount + 1,
		Join: &Joining{ConferenceID: string(id), Straight: true},
	}
	news := make(chan early.News[*Line], early.MostNews*calleesMax)
	lines, err := l.x.dialAll(ctx, order, to, func(out *outbound) {
		var callee *Line
		out.made = func(line *Line) { callee = line }
		out.told = func(k early.Kind) { news <- early.News[*Line]{Callee: callee, Kind: k} }
		out.answered = func() { out.told(early.Answered) }
		out.ended = func(c call.Call) {
			news <- early.News[*Line]{Callee: callee, Kind: early.Ended, Reason: c.HangupReason}
		}
		out.sounds = o.EarlyMedia
	})
	if len(lines) == 0 {
		return call.Failed, err
	}
	waiting, quiet := context.WithCancel(ctx)
	defer quiet()
	l.ringback(waiting)
	winner, reason, err := early.Wait(ctx, len(lines), news, &caller{l, quiet})
	if winner != nil || err != nil {
		hangUpAll(ctx, lines, winner)
		return "", err
	}
	return reason, fault.New(fault.Conflict, "NOBODY_ANSWERED", "nobody has answered (%s)", reason)
}

// calleesMax is how many phones one connect rings at most.
const calleesMax = 50

// dialAll calls all phones of the destinations. set is told of each call before it is made.
func (x *Exchange) dialAll(ctx context.Context, order Order, to []call.Address, set func(*outbound)) (lines []*Line, failure error) {
	p, err := x.planOf(ctx, order)
	if err != nil {
		return nil, err
	}
	for _, d := range to {
		callees, err := x.callees(ctx, order, d)
		if err != nil {
			failure = err
			x.o.Log.Warn("callee not dialled", "reason", fault.ReasonOf(err), "error", err)
		}
		if order.Join != nil && !order.Join.Straight { // one place for one who is expected
			callees = callees[:min(1, len(callees))]
		}
		for _, c := range callees {
			if len(lines) == calleesMax {
				return lines, nil
			}
			out := x.outboundTo(order, c)
			set(out)
			made, err := x.dial(ctx, order.CustomerID, p(), out)
			if err != nil {
				failure = err
				continue
			}
			lines = append(lines, made)
		}
	}
	return lines, failure
}

func hangUpAll(ctx context.Context, lines []*Line, but *Line) {
	for _, other := range lines {
		if other != but {
			other.press(ctx, nil)
		}
	}
}

// ringback has an answered caller hear that somebody is being called, until ctx ends.
func (l *stage) ringback(ctx context.Context) {
	if l.x.o.Prompts == nil {
		return
	}
	answered := false
	if err := l.ask(ctx, func() { answered = l.answered }); err != nil || !answered {
		return // an unanswered one hears its own network's
	}
	tone, err := l.x.o.Prompts.Tone("ringback")
	if err != nil {
		return
	}
	l.helpers.Go(func() { _ = l.play(ctx, tone, true) })
}
