package feed

import (
	"bytes"
	"encoding/json"
	"strings"

	"parley/internal/agent"
	"parley/internal/api/rest"
	"parley/internal/wire"
)

// topics are what a WebSocket has subscribed to: prefixes, as in the original.
type topics map[string]bool

// wanted reports whether an entry matches. It is sent once, however many match.
func (t topics) wanted(e *entry) bool {
	for topic := range t {
		if strings.HasPrefix(e.short, topic) || strings.HasPrefix(e.long, topic) {
			return true
		}
		if rest, ok := strings.CutPrefix(topic, agentScope); ok && e.owner != "" {
			owner, rest, _ := strings.Cut(rest, ":")
			scope := "customer_id:" + e.CustomerID + ":" + rest
			if owner == e.owner && (strings.HasPrefix(e.short, scope) || strings.HasPrefix(e.long, scope)) {
				return true
			}
		}
	}
	return false
}

const agentScope = "agent_id:"

// owned is in the text of what an agent owns.
var owned = []byte(`"owner_type":"agent"`)

// ownerOf returns the agent whose the resource of an entry is, "" for none. An agent is its own.
func ownerOf(e *entry) string {
	if strings.HasPrefix(e.Type, "agent_") {
		return e.resource
	}
	if !bytes.Contains(e.Data, owned) {
		return ""
	}
	var what struct {
		Type  string `json:"owner_type"`
		Owner string `json:"owner_id"`
	}
	if json.Unmarshal(e.Data, &what) != nil || what.Type != "agent" {
		return ""
	}
	return what.Owner
}

// topicsOf returns the two topics of an entry: customer_id:C:<resource>:<id> and customer_id:C:<service>:<type>:<id>.
func topicsOf(e *entry) (short, long string) {
	resource, _, _ := strings.Cut(e.Type, "_")
	id := wire.UUID(e.resource)
	scope := "customer_id:" + e.CustomerID + ":"
	return scope + resource + ":" + id, scope + service(resource) + ":" + e.Type + ":" + id
}

// service is the part of the original that has a resource.
func service(resource string) string {
	switch resource {
	case "conferencecall", "announcement":
		return "conference"
	case "groupcall", "recording":
		return "call"
	case "activeflow":
		return "flow"
	case "transcript":
		return "transcribe"
	}
	return resource
}

// mayRead reports whether a topic is well formed and the caller's: customer_id:<own id>[:…] for who may read everything of the customer's, or
// agent_id:<own id>[:…].
func mayRead(topic string, who rest.Caller) bool {
	parts := strings.Split(topic, ":")
	if len(topic) > 256 || len(parts) < 2 || len(parts) > 5 {
		return false
	}
	switch parts[0] {
	case "customer_id":
		return parts[1] == who.CustomerID && who.May(agent.Manages)
	case "agent_id":
		return parts[1] == who.Credential()
	}
	return false
}
