// Package show says what calls are for, as the flow that is run on each: one that somebody has written, the way into a conference, or the one to somebody
// else. It is rules alone; package script performs it.
package show

import (
	"encoding/json"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script"
)

// Of is a run of the actions on a call.
func Of(customer, flowID string, actions []flow.Action) *script.Plan {
	return &script.Plan{CustomerID: customer, Actions: actions, Env: run.Env{FlowID: flowID, ReferenceType: active.OnCall}}
}

// Into is the way into a conference.
func Into(customer, conference string) *script.Plan {
	return one(customer, action.ConferenceJoin, []byte(`{"conference_id":"`+conference+`"}`))
}

// To is the way to somebody else, whose ringing, early sound and refusal are those of the call.
func To(customer string, from, to call.Address) (*script.Plan, error) {
	option, err := json.Marshal(action.Connecting{Source: from, Destinations: []call.Address{to}, EarlyMedia: true, RelayReason: true})
	if err != nil {
		return nil, err
	}
	return one(customer, action.Connect, option), nil
}

func one(customer string, kind action.Type, option []byte) *script.Plan {
	return Of(customer, "", []flow.Action{{ID: uuid.NewString(), Type: kind, Option: option}})
}

// Connects tells that somebody else is called before anything else happens; p may be nil.
func Connects(p *script.Plan) bool {
	return p != nil && len(p.Actions) > 0 && p.Actions[0].Type == action.Connect
}
