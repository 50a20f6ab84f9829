package calls

import (
	"fmt"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/call"
	"parley/internal/call/transfer"
	"parley/internal/fault"
	start "parley/internal/line/transfer"
	"parley/internal/store"
	"parley/internal/wire"
)

// transfers returns the routes of transfers.
func (c *calls) transfers() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/transfers", Do: c.listTransfers},
		{Method: "POST", Path: "/transfers", Do: c.transfer},
		{Method: "GET", Path: "/transfers/{id}", Do: c.getTransfer},
		{Method: "POST", Path: "/transfers/{id}/cancel", Do: c.cancelTransfer},
	}
}

func (c *calls) transfer(r *rest.Request) (rest.Reply, error) {
	var in struct {
		Type       transfer.Type  `json:"transfer_type"`
		Transferer string         `json:"transferer_call_id"`
		Addresses  []call.Address `json:"transferee_addresses"`
	}
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	if in.Type != transfer.Attended && in.Type != transfer.Blind {
		return rest.Reply{}, invalid("transfer_type", "%.32q is unknown; use attended or blind", in.Type)
	}
	id, err := wire.RequiredUUID(in.Transferer)
	if err != nil {
		return rest.Reply{}, invalid("transferer_call_id", "%v", err)
	}
	if n := len(in.Addresses); n == 0 || n > transfer.AddressesMost {
		return rest.Reply{}, invalid("transferee_addresses", "there are %d; give 1 to %d", n, transfer.AddressesMost)
	}
	for i := range in.Addresses {
		if err := checkDestination(fmt.Sprintf("transferee_addresses[%d]", i), &in.Addresses[i]); err != nil {
			return rest.Reply{}, err
		}
	}
	rec, err := r.OwnedByID(store.Call, id)
	if err != nil {
		return rest.Reply{}, err
	}
	if err := c.ready(); err != nil {
		return rest.Reply{}, err
	}
	if !rec.Live {
		return rest.Reply{}, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", rec.ID)
	}
	q := start.Request{CustomerID: r.CustomerID, Type: in.Type, Addresses: in.Addresses}
	return transferReply(c.o.Exchange.Transfer(r.Context(), rec.ID, q))
}

func transferReply(t transfer.Transfer, err error) (rest.Reply, error) {
	if err != nil {
		return rest.Reply{}, named(err)
	}
	return rest.Tagged(t.Resource())
}

func (c *calls) listTransfers(r *rest.Request) (rest.Reply, error) {
	status, err := web.Choices(r.URL.Query(), "status", string(transfer.Dialing), string(transfer.Consulting), string(transfer.Completed), string(transfer.Failed))
	if err != nil {
		return rest.Reply{}, err
	}
	return r.List(store.Query{Kind: store.Transfer, Status: status}, func(rec store.Record) (any, error) {
		t, err := rest.Read[transfer.Transfer](rec)
		return t.Resource(), err
	})
}

func (c *calls) getTransfer(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Transfer)
	if err != nil {
		return rest.Reply{}, err
	}
	return transferReply(rest.Read[transfer.Transfer](rec))
}

// cancelTransfer takes a transfer back that is under way.
func (c *calls) cancelTransfer(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Transfer)
	if err != nil {
		return rest.Reply{}, err
	}
	if err := c.ready(); err != nil {
		return rest.Reply{}, err
	}
	return transferReply(c.o.Exchange.CancelTransfer(r.Context(), r.CustomerID, rec.ID))
}
