// Package cause says who or what has brought about a change that the log tells of. A cause is made where a wish or a fact comes in, travels with
// the context, and is stored with each event that follows. It starts no goroutine.
package cause

import (
	"context"
	"encoding/json"
	"net/netip"
)

// Kind is where a change comes from.
type Kind string

// The kinds of causes.
const (
	API      Kind = "api"      // a request to the API, or a message on /ws
	SIP      Kind = "sip"      // what the phone or the trunk of a call did
	Keypad   Kind = "keypad"   // keys that a participant pressed
	Flow     Kind = "flow"     // an action of a flow
	Timer    Kind = "timer"    // a time that has passed
	Health   Kind = "health"   // a check that somebody is still there
	Recovery Kind = "recovery" // the server stops, or has started again
	Media    Kind = "media"    // what was heard: first packet, speech, a key in the audio, a recording that is done
)

// Cause is what is known of who or what has brought a change about. What does not apply is empty. It holds no secret: an address without its
// last part, an access key by its id.
type Cause struct {
	Kind         Kind   `json:"kind"`
	RequestID    string `json:"request_id,omitempty"`        // X-Request-Id of the request to the API
	AccesskeyID  string `json:"accesskey_id,omitempty"`      // that it came with
	AgentID      string `json:"agent_id,omitempty"`          // who was logged in
	Address      string `json:"address,omitempty"`           // where it came from, as of Mask
	CallID       string `json:"call_id,omitempty"`           // of sip
	SIPCallID    string `json:"sip_call_id,omitempty"`       // likewise
	Participant  string `json:"conferencecall_id,omitempty"` // of keypad: who pressed
	Digits       string `json:"digits,omitempty"`            // the keys
	ActiveflowID string `json:"activeflow_id,omitempty"`     // the run of the flow
	ActionID     string `json:"action_id,omitempty"`         // its action, "" for its end
}

// JSON returns the cause as it is stored and shown. Its bytes are never written to again.
func (c Cause) JSON() json.RawMessage {
	text, _ := json.Marshal(c) // strings always marshal
	return text
}

// The causes that have nothing but a kind, as they are stored. Nobody writes to them.
var (
	ByTimer    = Cause{Kind: Timer}.JSON()
	ByHealth   = Cause{Kind: Health}.JSON()
	ByRecovery = Cause{Kind: Recovery}.JSON()
	ByMedia    = Cause{Kind: Media}.JSON()
)

type key struct{}

// With returns a context whose changes are stored with the cause.
func With(ctx context.Context, c Cause) context.Context { return Put(ctx, c.JSON()) }

// Put does so with a cause as In returned it; nil leaves the context as it is.
func Put(ctx context.Context, c json.RawMessage) context.Context {
	if c == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// In returns the cause that the context carries, nil for none.
func In(ctx context.Context) json.RawMessage {
	c, _ := ctx.Value(key{}).(json.RawMessage)
	return c
}

// Mask returns an address without what tells one host from its neighbours: of IPv4 the first three numbers, of IPv6 the first 48 bits, each with
// the length of what is left; "" for what is no address.
func Mask(a netip.Addr) string {
	bits := 48
	if a = a.Unmap(); a.Is4() {
		bits = 24
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil || !p.IsValid() {
		return ""
	}
	return p.String()
}
