package history

import (
	"encoding/json"
	"fmt"

	"parley/internal/api/rest"
	"parley/internal/store"
	"parley/internal/wire"
)

// call explains a call: whether it was answered, where it went, why it was refused or ended.
func (h *History) call(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Call)
	if err != nil {
		return rest.Reply{}, err
	}
	events, err := h.all(r.Context(), store.LogQuery{CustomerID: r.CustomerID, Resource: rec.ID})
	if err != nil {
		return rest.Reply{}, err
	}
	out := explanation{ID: rec.ID, Type: "call", Status: rec.Status, Summary: "the call is " + rec.Status, Why: []change{}}
	answered := false
	var before called
	for i := range events {
		var now called
		if err := json.Unmarshal(events[i].Data, &now); err != nil {
			return rest.Reply{}, fmt.Errorf("read event %d: %w", events[i].Seq, err)
		}
		about := now.about(&before, events[i].Type, answered)
		answered = answered || now.Status == "progressing"
		before = now
		if about == "" {
			continue
		}
		c := change{About: about, Value: now.value(about), fact: factOf(&events[i], now.words(events[i].Type)), Causes: []fact{}}
		if about == "replaced" {
			c.Text = "another phone took the call over: it is from " + now.Source.Target + " to " + now.Destination.Target + " now"
		}
		if about == "joined" {
			c.Text = "it was let into the conference " + now.ConferenceID
		}
		if about == "refused" || about == "ended" {
			out.Summary = c.Text + with(" (by ", c.By, ")")
			if c.Causes, err = h.leaves(r, rec.ID); err != nil {
				return rest.Reply{}, err
			}
		}
		out.Why = append(out.Why, c)
	}
	return rest.Reply{Body: out}, nil
}

// about names what an event of a call made otherwise, "" for nothing that explains anything.
func (c *called) about(before *called, kind string, answered bool) string {
	switch {
	case kind == "call_created":
		return "came"
	case kind == "call_hangup" && !answered:
		return "refused"
	case kind == "call_hangup":
		return "ended"
	case c.Status == "progressing" && !answered:
		return "answered"
	case c.SIPCallID != before.SIPCallID && before.SIPCallID != "":
		return "replaced"
	case c.ConferenceID != before.ConferenceID && c.ConferenceID != wire.NilUUID && c.ConferenceID != "":
		return "joined"
	}
	return ""
}

func (c *called) value(about string) string {
	switch about {
	case "refused", "ended":
		return c.HangupReason
	case "joined":
		return c.ConferenceID
	}
	return c.Status
}

// words says an event of a call as a sentence.
func (c *called) words(kind string) string {
	by := map[string]string{"local": "this server", "remote": "the other side", "": "nobody in particular"}[c.HangupBy]
	detail := ""
	if c.HangupDetail != "" {
		detail = ": " + c.HangupDetail
	}
	switch kind {
	case "call_created":
		return fmt.Sprintf("an %s call from %s to %s", c.Direction, c.Source.Target, c.Destination.Target)
	case "call_terminating":
		return "this server began to end the call" + detail
	case "call_canceling":
		return "this server took the call back before it was answered" + detail
	case "call_hangup":
		return fmt.Sprintf("the call was ended by %s (%s)%s", by, c.HangupReason, detail)
	}
	return "the call is " + c.Status
}

// leaves are the leaves of the participants that the call was.
func (h *History) leaves(r *rest.Request, call string) ([]fact, error) {
	out := []fact{}
	recs, err := h.store.List(r.Context(), store.Query{Kind: store.Conferencecall, CustomerID: r.CustomerID, Reference: call, Deleted: true, Limit: 10})
	if err != nil {
		return nil, fmt.Errorf("list what belongs to a call: %w", err)
	}
	for _, rec := range recs {
		rows, err := h.all(r.Context(), store.LogQuery{CustomerID: r.CustomerID, Resource: rec.ID, Types: []string{"conferencecall_leaving"}})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			var s seat
			if err := json.Unmarshal(rows[i].Data, &s); err != nil {
				return nil, fmt.Errorf("read event %d: %w", rows[i].Seq, err)
			}
			out = append(out, factOf(&rows[i], "as a participant: "+leaveWords(s.LeaveReason)))
		}
	}
	return out, nil
}
