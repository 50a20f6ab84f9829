package feed

import (
	"strings"

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
	}
	return false
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

// mayRead reports whether a topic is well formed and the caller's: customer_id:<own id>[:…] or agent_id:<own key>[:…].
func mayRead(topic, customer, key string) bool {
	parts := strings.Split(topic, ":")
	if len(topic) > 256 || len(parts) < 2 || len(parts) > 5 {
		return false
	}
	return parts[0] == "customer_id" && parts[1] == customer || parts[0] == "agent_id" && parts[1] == key
}
