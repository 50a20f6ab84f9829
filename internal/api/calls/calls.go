package calls

import (
	"bytes"
	"context"
	"errors"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/call/transfer"
	"parley/internal/fault"
	"parley/internal/line"
	start "parley/internal/line/transfer"
	"parley/internal/store"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
)

// Lines ends live calls; *line.Exchange does.
type Lines interface {
	// Hangup ends the call, unless it has ended: fault.Conflict CALL_ALREADY_HANGUP.
	Hangup(ctx context.Context, callID string) (call.Call, error)
}

// Exchange places calls and controls live ones; *line.Exchange is one.
type Exchange interface {
	Place(ctx context.Context, o line.Order) (line.Placed, error)
	Control(ctx context.Context, customerID, callID string, c line.Control) (call.Call, error)
	HangupGroup(ctx context.Context, customerID, groupID string) (group.Groupcall, error)
	Transfer(ctx context.Context, callID string, q start.Request) (transfer.Transfer, error)
	CancelTransfer(ctx context.Context, customerID, id string) (transfer.Transfer, error)
}

// Ways finds out whether and how a destination is called; *trunk.Trunks does.
type Ways interface {
	Plan(ctx context.Context, customerID string, to, from call.Address) ([]route.Hop, error)
}

// Options of the routes. Store and Lines are needed.
type Options struct {
	Store    store.Store
	Lines    Lines
	Exchange Exchange // nil: no calls are placed or controlled
	Ways     Ways     // nil: no phone is asked to call somebody else
}

// Routes returns them.
func Routes(o Options) []rest.Route {
	c := &calls{o}
	routes := []rest.Route{
		{Method: "GET", Path: "/calls", Do: c.list},
		{Method: "POST", Path: "/calls", Do: c.place},
		{Method: "GET", Path: "/calls/{id}", Do: c.get},
		{Method: "DELETE", Path: "/calls/{id}", Do: c.remove},
		{Method: "POST", Path: "/calls/{id}/hangup", Do: c.hangup},
		{Method: "GET", Path: "/groupcalls", Do: c.listGroups},
		{Method: "POST", Path: "/groupcalls", Do: c.placeGroup},
		{Method: "GET", Path: "/groupcalls/{id}", Do: c.getGroup},
		{Method: "DELETE", Path: "/groupcalls/{id}", Do: c.removeGroup},
		{Method: "POST", Path: "/groupcalls/{id}/hangup", Do: c.hangupGroup},
		{Method: "POST", Path: "/conferences/{id}/conferencecalls", Do: c.bring},
	}
	return append(append(routes, c.controls()...), c.transfers()...)
}

type calls struct{ o Options }

// ready refuses while nothing can be placed or controlled.
func (c *calls) ready() error {
	if c.o.Exchange == nil {
		return fault.New(fault.Unavailable, "CALLS_OUT_UNAVAILABLE", "this server places no calls")
	}
	return nil
}

// parse reads a body that may be left out.
func parse(r *rest.Request, into any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil
	}
	return r.Parse(into)
}

// named adds the rule that refuses to the details of a refusal.
func named(err error) error {
	var r *trunk.Refusal
	if !errors.As(err, &r) {
		return err
	}
	detail := map[string]any{"rule": r.Rule}
	if r.Limit > 0 {
		detail["limit"] = r.Limit
	}
	if r.TrunkID != "" {
		detail["trunk_id"] = r.TrunkID
	}
	return web.Detail(err, detail)
}

func (c *calls) list(r *rest.Request) (rest.Reply, error) {
	conferenceID, err := web.UUID(r.URL.Query(), "conference_id")
	if err != nil {
		return rest.Reply{}, err
	}
	status, err := web.Choices(r.URL.Query(), "status", "dialing", "ringing", "progressing", "terminating", "canceling", "hangup")
	if err != nil {
		return rest.Reply{}, err
	}
	return r.List(store.Query{Kind: store.Call, Conference: conferenceID, Status: status}, func(rec store.Record) (any, error) {
		v, err := rest.Read[call.Call](rec)
		return v.Resource(), err
	})
}

func (c *calls) get(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	return callReply(rec)
}

func callReply(rec store.Record) (rest.Reply, error) {
	v, err := rest.Read[call.Call](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(v.Resource())
}

func (c *calls) hangup(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	v, err := c.o.Lines.Hangup(r.Context(), rec.ID)
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(v.Resource())
}

// remove hangs up first if needed.
func (c *calls) remove(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	if rec.Live {
		if _, err := c.o.Lines.Hangup(r.Context(), rec.ID); err != nil && fault.ReasonOf(err) != "CALL_ALREADY_HANGUP" {
			return rest.Reply{}, err
		}
	}
	rec, err = c.hide(r.Context(), rec, hideCall)
	if err != nil {
		return rest.Reply{}, err
	}
	return callReply(rec)
}

func (c *calls) listGroups(r *rest.Request) (rest.Reply, error) {
	status, err := web.Choices(r.URL.Query(), "status", string(group.Progressing), string(group.HangingUp), string(group.Ended))
	if err != nil {
		return rest.Reply{}, err
	}
	return r.List(store.Query{Kind: store.Groupcall, Status: status}, func(rec store.Record) (any, error) {
		g, err := rest.Read[group.Groupcall](rec)
		return g.Resource(), err
	})
}

func (c *calls) getGroup(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Groupcall)
	if err != nil {
		return rest.Reply{}, err
	}
	return groupReply(rest.Read[group.Groupcall](rec))
}

func groupReply(g group.Groupcall, err error) (rest.Reply, error) {
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(g.Resource())
}

func (c *calls) hangupGroup(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Groupcall)
	if err != nil {
		return rest.Reply{}, err
	}
	if !rec.Live {
		return rest.Reply{}, fault.New(fault.Conflict, "GROUPCALL_ALREADY_HANGUP", "groupcall %s has been hung up", rec.ID)
	}
	if err := c.ready(); err != nil {
		return rest.Reply{}, err
	}
	return groupReply(c.o.Exchange.HangupGroup(r.Context(), r.CustomerID, rec.ID))
}

// removeGroup hangs up first if needed.
func (c *calls) removeGroup(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Groupcall)
	if err != nil {
		return rest.Reply{}, err
	}
	if rec.Live {
		if err := c.ready(); err != nil {
			return rest.Reply{}, err
		}
		if _, err := c.o.Exchange.HangupGroup(r.Context(), r.CustomerID, rec.ID); err != nil {
			return rest.Reply{}, err
		}
	}
	rec, err = c.hide(r.Context(), rec, hideGroup)
	if err != nil {
		return rest.Reply{}, err
	}
	return groupReply(rest.Read[group.Groupcall](rec))
}
