package agent

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/wire"
)

// Status says what an agent is doing.
type Status string

// The states. An agent chooses its own; ringing and busy also follow from its calls.
const (
	Available Status = "available"
	Away      Status = "away"
	Busy      Status = "busy"
	Offline   Status = "offline"
	Ringing   Status = "ringing"
)

// RingMethod says in which order the addresses of an agent are called.
type RingMethod string

// The ring methods.
const (
	RingAll RingMethod = "ringall"
	Linear  RingMethod = "linear" // one after the other, in their order
)

// Agent is one as the API writes it.
type Agent struct {
	ID         string         `json:"id"`
	CustomerID string         `json:"customer_id"`
	Username   string         `json:"username"`
	Name       string         `json:"name"`
	Detail     string         `json:"detail"`
	RingMethod RingMethod     `json:"ring_method"`
	Status     Status         `json:"status"`
	Permission Permission     `json:"permission"`
	TagIDs     []string       `json:"tag_ids"`   // never null
	Addresses  []call.Address `json:"addresses"` // likewise
	DirectHash string         `json:"direct_hash"`
	Times
}

// Times of an agent in UTC.
type Times struct {
	Created wire.Time `json:"tm_create"`
	Updated wire.Time `json:"tm_update"`
	Deleted wire.Time `json:"tm_delete"`
}

// Record is what the store keeps of an agent.
type Record struct {
	Agent
	Password string `json:"password"` // as package login hashes it
	Epoch    int    `json:"epoch"`    // grows with each password: tokens of an older one are void
	Rest     Status `json:"rest"`     // what it is when it is in no call
}

// IsDeleted reports whether the agent has been deleted.
func (a *Agent) IsDeleted() bool { return !time.Time(a.Deleted).IsZero() }

// Most of what an agent may have.
const (
	usernameMax  = 255
	addressesMax = 20
	tagsMax      = 100
)

// Check refuses an agent that cannot be, and brings what has several forms into one. Whether its addresses can be called is another question.
func (a *Agent) Check() (err error) {
	if err := a.checkTexts(); err != nil {
		return err
	}
	if a.RingMethod == "" {
		a.RingMethod = RingAll
	}
	if a.RingMethod, err = wire.OneOf(a.RingMethod, RingAll, Linear); err != nil {
		return invalid("ring_method", "%v", err)
	}
	if a.Status, err = wire.OneOf(a.Status, Available, Away, Busy, Offline, Ringing); err != nil {
		return invalid("status", "%v", err)
	}
	if rest := a.Permission &^ Grantable; rest != 0 {
		return invalid("permission", "%d has bits (%d) that cannot be given; add up 16 (agent), 32 (administrator), 64 (manager), or use 240 for all of these", a.Permission, rest)
	}
	return a.checkLists()
}

func (a *Agent) checkTexts() error {
	if a.Username == "" || len(a.Username) > usernameMax || strings.ContainsFunc(a.Username, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return invalid("username", "%q is not 1 to %d bytes of text without blanks; an e-mail address does", clip(a.Username), usernameMax)
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{{"username", a.Username, usernameMax}, {"name", a.Name, 255}, {"detail", a.Detail, 4096}} {
		if err := wire.Text(text.value, text.most); err != nil {
			return invalid(text.field, "%v", err)
		}
	}
	return nil
}

func (a *Agent) checkLists() error {
	if len(a.Addresses) > addressesMax || len(a.TagIDs) > tagsMax {
		return invalid("addresses", "an agent has at most %d addresses and %d tags", addressesMax, tagsMax)
	}
	if a.Addresses == nil {
		a.Addresses = []call.Address{}
	}
	tags := []string{}
	for i, text := range a.TagIDs {
		id, err := wire.RequiredUUID(text)
		if err != nil {
			return invalid(fmt.Sprintf("tag_ids[%d]", i), "%v", err)
		}
		tags = append(tags, id)
	}
	a.TagIDs = tags
	for i := range a.Addresses {
		field := fmt.Sprintf("addresses[%d]", i)
		if err := a.Addresses[i].Check(); err != nil {
			return invalid(field, "%v", err)
		}
		if kind := a.Addresses[i].Type; kind != "extension" && kind != "sip" && kind != "tel" {
			return invalid(field, "an agent is reached by addresses of type extension, sip or tel, not %q", kind)
		}
	}
	return nil
}

// Login is a username as it is looked for: whoever logs in need not remember how it was written.
func Login(username string) string { return strings.ToLower(username) }

// SetStatus is the status that somebody has chosen. It holds until a call rings or is answered, and again after the last one.
func (r *Record) SetStatus(s Status) { r.Status, r.Rest = s, s }

// Calls are those of one agent, and its groupcalls, by id; true: somebody has answered.
type Calls map[string]bool

// Ring notes that a call is on its way, unless it has been answered.
func (c Calls) Ring(id string) {
	if _, ok := c[id]; !ok {
		c[id] = false
	}
}

// Answer notes that a call has been answered; one that is not known is over.
func (c Calls) Answer(id string) {
	if _, ok := c[id]; ok {
		c[id] = true
	}
}

// End notes that a call is over.
func (c Calls) End(id string) { delete(c, id) }

// Follow sets the status that calls make of it: busy while one is answered, ringing while one rings an agent who is available, else what it was
// before them.
func (r *Record) Follow(c Calls) {
	r.Status = r.Rest
	if len(c) > 0 && r.Rest == Available {
		r.Status = Ringing
	}
	for _, answered := range c {
		if answered {
			r.Status = Busy
		}
	}
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...))
}

// clip keeps foreign text that goes into a message short.
func clip(s string) string {
	if len(s) <= 64 {
		return s
	}
	return strings.ToValidUTF8(s[:64], "") + "…"
}
