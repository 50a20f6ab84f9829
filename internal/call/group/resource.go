package group

import (
	"encoding/json"

	"parley/internal/call"
	"parley/internal/wire"
)

// Resource is a groupcall as the API writes it, in the original's order. Nothing is left out: unset ids are nil UUIDs, unset times null,
// lists []. Groupcalls have no groupcalls of their own: a destination with several places is several calls.
type Resource struct {
	head
	members
	times
}

type head struct {
	ID                string         `json:"id"`
	CustomerID        string         `json:"customer_id"`
	OwnerType         string         `json:"owner_type"`
	OwnerID           string         `json:"owner_id"`
	Status            Status         `json:"status"`
	FlowID            string         `json:"flow_id"`
	Source            call.Address   `json:"source"`
	Destinations      []call.Address `json:"destinations"`
	MasterCallID      string         `json:"master_call_id"`
	MasterGroupcallID string         `json:"master_groupcall_id"`
	RingMethod        RingMethod     `json:"ring_method"`
	AnswerMethod      AnswerMethod   `json:"answer_method"`
}

type members struct {
	AnswerCallID      string   `json:"answer_call_id"`
	CallIDs           []string `json:"call_ids"`
	AnswerGroupcallID string   `json:"answer_groupcall_id"`
	GroupcallIDs      []string `json:"groupcall_ids"`
	CallCount         int      `json:"call_count"` // live ones
	GroupcallCount    int      `json:"groupcall_count"`
	DialIndex         int      `json:"dial_index"`
}

type times struct {
	Create wire.Time `json:"tm_create"`
	Update wire.Time `json:"tm_update"`
	Delete wire.Time `json:"tm_delete"`
}

// Resource returns the groupcall as the API writes it.
func (g *Groupcall) Resource() Resource {
	calls := make([]string, len(g.Legs))
	for i, l := range g.Legs {
		calls[i] = l.CallID
	}
	destinations := g.Destinations
	if destinations == nil {
		destinations = []call.Address{}
	}
	return Resource{
		head: head{
			ID: wire.UUID(string(g.ID)), CustomerID: wire.UUID(g.CustomerID), OwnerType: g.OwnerType, OwnerID: wire.UUID(g.OwnerID),
			Status: g.Status, FlowID: wire.UUID(g.FlowID), Source: g.Source, Destinations: destinations,
			MasterCallID: wire.UUID(g.MasterCallID), MasterGroupcallID: wire.UUID(g.MasterGroupcallID),
			RingMethod: g.Ring, AnswerMethod: g.Answer,
		},
		members: members{
			AnswerCallID: wire.UUID(g.AnswerCallID), CallIDs: calls, AnswerGroupcallID: wire.NilUUID, GroupcallIDs: []string{},
			CallCount: g.live(), DialIndex: g.DialIndex,
		},
		times: times{Create: wire.Time(g.Created), Update: wire.Time(g.Updated), Delete: wire.Time(g.Deleted)},
	}
}

// Data returns the JSON that the log and its readers carry: the resource as it was right after the change.
func (e Event) Data() ([]byte, error) { return json.Marshal(e.Groupcall.Resource()) }
