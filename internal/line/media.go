package line

import (
	"context"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/line/ledger"
	"parley/internal/line/leg"
	"parley/internal/wall"
)

// open binds the media ports, answers the offer as far as that goes without the caller, and writes the call's record.
func (l *Line) open(ctx context.Context) error {
	if err := l.bind(); err != nil {
		return err
	}
	in := l.inbound.in
	if in.Secure {
		l.leg.Describe(nil, true)
	}
	if err := l.leg.Invited(in.Peer.Addr(), in.Offer); err != nil {
		return err
	}
	if err := l.prepare(ctx, call.Inbound, in.Source, in.Destination); err != nil {
		return err
	}
	incoming := call.Incoming{
		At: wall.Now(), ID: l.id, CustomerID: l.customer, Type: l.plan.kind(), Source: in.Source, Destination: in.Destination, SIPCallID: in.SIPCallID,
	}
	if l.plan.show != nil {
		incoming.FlowID, incoming.ActiveflowID = l.plan.show.Env.FlowID, l.plan.show.Env.ActiveflowID
	}
	if err := l.record.Write(ctx, incoming); err != nil {
		l.forget(ctx)
		return err
	}
	l.made = l.record.Call
	return nil
}

// kind is the type of a call with the plan.
func (p plan) kind() call.Type {
	if p.conference == "" {
		return call.ForFlow
	}
	return call.ForConference
}

// bind takes media ports.
func (l *Line) bind() (err error) {
	l.leg, err = leg.New(l.x.o.Media, l.x.o.Codecs)
	return err
}

// close gives the media ports back.
func (l *Line) close() {
	l.tie.Stand()
	if l.leg != nil {
		l.leg.Close()
	}
}

// tell makes the seat follow what signalling says. What cannot be written is told again later.
func (l *Line) tell(ctx context.Context) {
	seat := l.seat()
	want := l.leg.State()
	if seat == nil || want == l.told {
		return
	}
	seat.ExpectMedia(!want.Silent)
	var p conference.ParticipantPatch
	if want.Held != l.told.Held {
		p.RemoteHeld = &want.Held
	}
	if want.Media != l.told.Media {
		p.Media = &want.Media
	}
	if p != (conference.ParticipantPatch{}) {
		if err := seat.Set(ctx, p); ledger.Retriable(err) {
			l.x.o.Log.Warn("cannot write hold or codec; trying again", "call", l.id, "error", err)
			l.later()
			return
		}
	}
	l.told = want
}
