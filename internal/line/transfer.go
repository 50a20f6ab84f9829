package line

import (
	"cmp"
	"context"
	"sync/atomic"

	"parley/internal/call"
	calls "parley/internal/call/transfer"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line/callee"
	"parley/internal/line/finish"
	"parley/internal/line/ledger"
	"parley/internal/line/transfer"
	"parley/internal/store/cause"
)

// Refer has somebody called for the peer (REFER, RFC 3515), or puts the other sides of two of its calls together (RFC 5589): see transfer.Host. It
// returns when that has come about, or why it has not.
func (l *Line) Refer(ctx context.Context, to, replaces string) error {
	if l.inbound.d != nil && l.inbound.in.CustomerID == "" {
		return fault.New(fault.Denied, "REFER_DENIED", "only extensions and trunks may have somebody called")
	}
	ctx = cause.With(ctx, ledger.Phone(l.id, l.made.SIPCallID, l.inbound.in.Peer.Addr()))
	if f, ok := l.x.dialer().(finder); ok && replaces != "" {
		switch other, early := f.Replaced(replaces); {
		case other == nil || other.customer != l.customer:
		case early: // whom it calls there is called for its partner instead
			party{other}.Hangup(ctx, "transferred before an answer")
			replaces = ""
		default:
			return l.x.transfers.Join(ctx, party{l}, party{other})
		}
	}
	return l.x.transfers.Refer(ctx, party{l}, transfer.Order{
		CustomerID: l.customer, Source: l.sourceOr(call.Address{}), To: []call.Address{callee.AddressOf(to, l.x.o.Local)}, Replaces: replaces,
	})
}

// finder is a door that knows which call a Replaces header names.
type finder interface {
	Replaced(header string) (l *Line, early bool)
}

// Transfer begins to transfer a live call of the customer's; see transfer.Host.Start. Calls that are not live or not answered are refused as by Control.
func (x *Exchange) Transfer(ctx context.Context, callID string, q transfer.Request) (calls.Transfer, error) {
	l := x.roll.Line(call.ID(callID))
	if l == nil || l.customer != q.CustomerID {
		_, err := ledger.Over(ctx, x.o.Store, q.CustomerID, call.ID(callID))
		return calls.Transfer{}, err
	}
	var early error
	if err := l.ask(ctx, func() { early = l.talkable() }); err != nil || early != nil {
		return calls.Transfer{}, cmp.Or(err, early)
	}
	q.Source = l.sourceOr(q.Source)
	return x.transfers.Start(ctx, party{l}, q)
}

// CancelTransfer ends a transfer of the customer's; see transfer.Host.Cancel.
func (x *Exchange) CancelTransfer(ctx context.Context, customerID, id string) (calls.Transfer, error) {
	return x.transfers.Cancel(ctx, customerID, id)
}

// party is a call as a transfer sees it.
type party struct{ *Line }

func (p party) ID() string            { return string(p.id) }
func (p party) Over() <-chan struct{} { return p.over }

// Seat implements transfer.Phone.
func (p party) Seat() (at transfer.Seat, ok bool) {
	c := p.chair.Load()
	if c == nil || closed(c.seat.Done()) {
		return at, false
	}
	return transfer.Seat{Conference: c.place.Conference, Participant: c.place.Participant}, true
}

// HandOver implements transfer.Phone.
func (p party) HandOver(on bool) {
	if p.handing.Store(on); on {
		p.x.roll.Unchain(p.id)
	}
}

// Vacate implements transfer.Phone.
func (p party) Vacate(ctx context.Context) error {
	return p.leave(ctx, p.chair.Load(), conference.LeftTransferred)
}

// Hangup implements transfer.Phone.
func (p party) Hangup(ctx context.Context, why string) {
	e := finish.ByUs(call.Normal, conference.LeftHangup, why)
	p.press(ctx, &e)
}

// switchboard is the exchange as transfers see it.
type switchboard struct{ x *Exchange }

func (b switchboard) Lend(f func(life context.Context)) bool { return b.x.crew.Lend(f) }

// Phone implements transfer.Lines.
func (b switchboard) Phone(id string) transfer.Phone {
	if l := b.x.roll.Line(call.ID(id)); l != nil {
		return party{l}
	}
	return nil
}

// Ring implements transfer.Lines.
func (b switchboard) Ring(ctx context.Context, o transfer.Order) (n int, cancel func(), err error) {
	order := Order{CustomerID: o.CustomerID, Source: o.Source, Join: &Joining{ConferenceID: o.Conference, Straight: !o.Welcome}}
	var winner atomic.Pointer[Line]
	lines, err := b.x.dialAll(ctx, order, o.To, func(out *outbound) {
		for i := range out.hops {
			out.hops[i].Replace(o.Replaces)
		}
		var l *Line
		out.made = func(made *Line) { l = made }
		out.answered = func() {
			if winner.CompareAndSwap(nil, l) {
				o.Answered(string(l.id))
			} else {
				l.press(ctx, nil)
			}
		}
		out.ended = func(c call.Call) { o.Ended(string(c.ID), c.HangupReason) }
	})
	if len(lines) == 0 {
		return 0, nil, cmp.Or[error](err, fault.New(fault.Conflict, "CALLEE_UNAVAILABLE", "there is nobody to be called"))
	}
	return len(lines), func() { hangUpAll(ctx, lines, winner.Load()) }, nil
}
