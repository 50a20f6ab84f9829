// Package line runs live calls: one goroutine per call joins a signalling dialog, a media session, and (by route) a seat in a room; whichever
// ends first ends the others. It owns the call's record and its events. Doors bring dialogs and lend the goroutine; line never calls a door
// but through Dialog, and starts no goroutine that lives on.
package line

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/codec"
	"parley/internal/line/crew"
	"parley/internal/line/groups"
	"parley/internal/line/inside"
	"parley/internal/line/ledger"
	"parley/internal/line/leg"
	"parley/internal/line/roll"
	"parley/internal/line/transfer"
	"parley/internal/line/way"
	"parley/internal/prompt"
	"parley/internal/room"
	"parley/internal/sdp"
	"parley/internal/store"
	"parley/internal/store/cause"
	"parley/internal/webhook/target"
)

// Options of an Exchange. Zero durations mean the defaults named here.
type Options struct {
	Store          store.Store
	Rooms          *room.Host
	Media          leg.Media              // leg.Engine(loop) in a server
	Flows          Flows                  // nil: no flows are run
	Prompts        prompt.Library         // nil: nothing is spoken or played
	Tapes          Tapes                  // nil: no call is recorded by itself
	Chat           Chat                   // nil: no messages
	Local          func(host string) bool // whether a SIP host is this server; nil: none is
	Outside        *target.Guard          // which hosts outside calls may be linked to; nil: none
	Trunks         Trunks                 // ways to callees other than extensions; nil: there are none
	Log            *slog.Logger
	Codecs         []sdp.Codec // what is offered and accepted, in our order; nil: everything that we have
	AllowAnonymous bool        // calls without authentication enter any conference by its id or alias, not just by a direct hash
	MaxCalls       int         // at once; 0: as many as the media loops carry

	MaxDuration  time.Duration // of a call; 24 h
	MediaTimeout time.Duration // silence of the peer after which a call that is in no conference ends; 0: never
	ConnectAfter time.Duration // when a confirmed call counts as connected although no packet has come; 1 s
	WriteTimeout time.Duration // longest wait for one write; 5 s
	StopTimeout  time.Duration // longest time to write down the end of a call at a stop; 5 s
}

// Exchange owns the lines of this node. Its methods may be called from any goroutine.
type Exchange struct {
	o      Options
	routes *way.Router
	groups *groups.Host
	ties   inside.Ties

	transfers *transfer.Host

	door atomic.Pointer[Dialer]
	crew crew.Crew // lends goroutines to lines and whoever works for them
	roll *roll.Roll[*Line]
}

// New makes an Exchange.
func New(o Options) *Exchange {
	o.Log = cmp.Or(o.Log, slog.Default())
	o.MaxDuration = cmp.Or(o.MaxDuration, 24*time.Hour)
	o.ConnectAfter = cmp.Or(o.ConnectAfter, time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 5*time.Second)
	o.StopTimeout = cmp.Or(o.StopTimeout, 5*time.Second)
	if o.Codecs == nil {
		for _, f := range codec.Formats {
			o.Codecs = append(o.Codecs, sdp.Codec{
				Name: f.Name, PayloadType: f.PayloadType, ClockRate: f.ClockRate, Channels: f.Channels, Fmtp: f.Fmtp,
			})
		}
	}
	x := &Exchange{o: o, routes: way.New(o.Store, o.AllowAnonymous, o.Rooms.Seen), roll: roll.New[*Line](o.MaxCalls)}
	x.groups = groups.New(groups.Options{Store: o.Store, Log: o.Log, WriteTimeout: o.WriteTimeout, StopTimeout: o.StopTimeout, Go: x.crew.Lend})
	x.transfers = transfer.New(transfer.Options{Store: o.Store, Rooms: o.Rooms, Lines: switchboard{x}, Prompts: o.Prompts, Log: o.Log, WriteTimeout: o.WriteTimeout})
	return x
}

// Live returns how many calls there are.
func (x *Exchange) Live() int { return x.roll.Live() }

// Accept routes the invite (conference UUID, conference:<uuid>, direct.<hash>, dial-in alias; for extensions also other extensions and numbers) and makes the call's record. A refusal is a fault: NotFound, Unauthenticated (the
// door should challenge), Denied, Conflict, Exhausted, Unavailable; nothing has been written then. What it returns holds media ports
// until its Run has returned: every Line needs its Run.
func (x *Exchange) Accept(ctx context.Context, in Invite, d Dialog) (*Line, error) {
	if err := x.o.Media.Admit(); err != nil {
		return nil, err
	}
	p, customer, err := x.route(ctx, &in)
	if err != nil {
		return nil, err
	}
	l := x.newLine(call.ID(uuid.NewString()), customer, p)
	l.inbound = inbound{d, in}
	if err := x.roll.Enlist(l.id, l); err != nil {
		return nil, err
	}
	if err := l.open(cause.With(ctx, ledger.Phone(l.id, in.SIPCallID, in.Peer.Addr()))); err != nil {
		l.close()
		x.roll.Strike(l.id)
		return nil, err
	}
	x.o.Log.Info("call accepted", "call", l.id, "conference", p.conference, "peer", in.Peer)
	return l, nil
}
