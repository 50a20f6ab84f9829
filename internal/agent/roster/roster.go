package roster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// The name spaces of the store that agents take names in.
const (
	loginSpace  = "agent"  // user name of an agent, unique on the server
	directSpace = "direct" // direct hashes
)

// triesMax bounds how often a change is decided anew because somebody else was faster; agentsMax how many agents a customer has.
const (
	triesMax  = 16
	agentsMax = 1000
)

// Roster works on the agents in a store. Its methods may be called from any goroutine.
type Roster struct{ store store.Store }

// New returns the agents in st.
func New(st store.Store) *Roster { return &Roster{st} }

// Add makes an agent of a.CustomerID's, which gets its id, hash and times here unless it has an id; password is hashed. keep may make an answer to be kept with
// it.
func (r *Roster) Add(ctx context.Context, a agent.Agent, password string, keep func(agent.Agent) (*store.Answer, error)) (agent.Agent, error) {
	at := now()
	rec := agent.Record{Agent: a, Password: password, Epoch: 1}
	rec.Created, rec.DirectHash = wire.Time(at), newHash()
	if rec.ID == "" {
		rec.ID = uuid.NewString()
	}
	if rec.Status == "" {
		rec.Status = agent.Offline
	}
	rec.Rest = rec.Status
	if err := rec.Check(); err != nil {
		return agent.Agent{}, err
	}
	if err := r.room(ctx, a.CustomerID); err != nil {
		return agent.Agent{}, err
	}
	names := append(hashName(&rec, true), loginName(&rec, true))
	c, err := change(&rec, "agent_created", at, names)
	if err != nil {
		return agent.Agent{}, err
	}
	if keep != nil {
		if c.Answer, err = keep(rec.Agent); err != nil {
			return agent.Agent{}, err
		}
	}
	err = r.store.Append(ctx, c)
	if errors.Is(err, store.ErrFenced) || fault.ReasonOf(err) == "ALREADY_EXISTS" {
		return agent.Agent{}, fault.New(fault.Conflict, "AGENT_ALREADY_EXISTS", "username %s exists on this server; choose another one", rec.Username)
	}
	return rec.Agent, err
}

// room refuses more agents than a customer may have.
func (r *Roster) room(ctx context.Context, customer string) error {
	known, err := r.store.List(ctx, store.Query{Kind: store.Agent, CustomerID: customer, Limit: agentsMax})
	if err != nil {
		return fmt.Errorf("count agents: %w", err)
	}
	if len(known) >= agentsMax {
		return fault.New(fault.Exhausted, "RESOURCE_LIMIT_EXCEEDED", "there are %d agents; delete one first", agentsMax)
	}
	return nil
}

// Get returns an agent of the customer's, deleted or not; one of somebody else is as unknown as one that does not exist.
func (r *Roster) Get(ctx context.Context, customer, id string) (agent.Agent, error) {
	rec, err := r.own(ctx, customer, id)
	return rec.Agent, err
}

// Reachable returns an agent of the customer's that can be called: one that is there and has addresses.
func (r *Roster) Reachable(ctx context.Context, customer, id string) (agent.Agent, error) {
	a, err := r.Get(ctx, customer, id)
	switch {
	case err != nil:
		return a, err
	case a.IsDeleted():
		return a, unknown()
	case len(a.Addresses) == 0:
		return a, fault.New(fault.Conflict, "AGENT_HAS_NO_ADDRESS", "agent %s has no address to be called at; give it one with PUT /agents/{id}/addresses", a.ID)
	}
	return a, nil
}

// ByUsername returns who logs in with a username, or a fault.NotFound.
func (r *Roster) ByUsername(ctx context.Context, username string) (agent.Record, error) {
	if username == "" || len(username) > 255 || strings.ContainsRune(username, 0) {
		return agent.Record{}, unknown()
	}
	rec, err := r.store.Resolve(ctx, loginSpace, agent.Login(username))
	if err != nil {
		return agent.Record{}, err
	}
	return Read(rec)
}

// Record returns an agent whoever's it is, deleted or not, or a fault.NotFound.
func (r *Roster) Record(ctx context.Context, id string) (agent.Record, error) {
	rec, err := r.store.Get(ctx, store.Agent, id)
	if err != nil {
		return agent.Record{}, err
	}
	return Read(rec)
}

// Update lets decide change an agent that is not deleted, and writes what has changed with one event.
func (r *Roster) Update(ctx context.Context, customer, id string, decide func(*agent.Record) error) (agent.Agent, error) {
	rec, err := r.edit(ctx, customer, id, "agent_updated", func(rec *agent.Record) ([]store.Name, error) {
		if err := decide(rec); err != nil {
			return nil, err
		}
		return nil, rec.Check()
	})
	return rec.Agent, err
}

// Rehash gives an agent a new direct hash; the old one stops working.
func (r *Roster) Rehash(ctx context.Context, customer, id string) (agent.Agent, error) {
	rec, err := r.edit(ctx, customer, id, "agent_updated", func(rec *agent.Record) ([]store.Name, error) {
		names := hashName(rec, false)
		rec.DirectHash = newHash()
		return append(names, hashName(rec, true)...), nil
	})
	return rec.Agent, err
}

// Delete ends an agent: its tokens are void, its username is free. Repeated, it changes nothing.
func (r *Roster) Delete(ctx context.Context, customer, id string) (agent.Agent, error) {
	rec, err := r.edit(ctx, customer, id, "agent_deleted", func(rec *agent.Record) ([]store.Name, error) {
		names := append(hashName(rec, false), loginName(rec, false))
		rec.SetStatus(agent.Offline)
		rec.DirectHash, rec.Password, rec.Deleted = "", "", wire.Time(now())
		return names, nil
	})
	if fault.ReasonOf(err) == "STATE_INVALID" {
		return r.Get(ctx, customer, id)
	}
	return rec.Agent, err
}

// edit reads an agent, lets decide change it, and writes it; all again when it has changed meanwhile. What nobody outside can see is written with the
// event all the same: the log says that something has changed.
func (r *Roster) edit(ctx context.Context, customer, id, event string, decide func(*agent.Record) ([]store.Name, error)) (agent.Record, error) {
	for range triesMax {
		_, version, err := r.store.Last(ctx, keyOf(id))
		if err != nil {
			return agent.Record{}, fmt.Errorf("read version of agent: %w", err)
		}
		rec, err := r.own(ctx, customer, id)
		if err != nil {
			return agent.Record{}, err
		}
		if rec.IsDeleted() {
			return agent.Record{}, fault.New(fault.Conflict, "STATE_INVALID", "this agent has been deleted and cannot be changed any more")
		}
		old := rec
		names, err := decide(&rec)
		if err != nil || reflect.DeepEqual(old, rec) {
			return rec, err
		}
		at := now()
		rec.Updated = wire.Time(at)
		c, err := change(&rec, event, at, names)
		if err != nil {
			return agent.Record{}, err
		}
		c.Version = version
		if err = r.store.Append(ctx, c); !errors.Is(err, store.ErrFenced) {
			return rec, err
		}
	}
	return agent.Record{}, fault.New(fault.Unavailable, "STORE_BUSY", "this agent is being changed by many at once; try again")
}

func (r *Roster) own(ctx context.Context, customer, id string) (agent.Record, error) {
	rec, err := r.store.Get(ctx, store.Agent, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return agent.Record{}, fmt.Errorf("read agent: %w", err)
	}
	if err != nil || rec.CustomerID != customer {
		return agent.Record{}, unknown()
	}
	return Read(rec)
}

// Read returns the agent of a record.
func Read(rec store.Record) (a agent.Record, err error) {
	if err := json.Unmarshal(rec.Doc, &a); err != nil {
		return a, fmt.Errorf("read agent %s: %w", rec.ID, err)
	}
	return a, nil
}

func unknown() error {
	return fault.New(fault.NotFound, "AGENT_NOT_FOUND", "there is no such agent; check the id")
}

func keyOf(id string) string { return "agent/" + id }

func now() time.Time { return wall.Now().UTC().Truncate(time.Microsecond) }

func newHash() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return "direct." + hex.EncodeToString(b)
}

// hashName takes or frees the direct hash.
func hashName(rec *agent.Record, take bool) []store.Name {
	n := store.Name{Space: directSpace, Value: strings.TrimPrefix(rec.DirectHash, "direct.")}
	if n.Value == "" {
		return nil
	}
	if take {
		n.Kind, n.ID = store.Agent, rec.ID
	}
	return []store.Name{n}
}

// loginName takes or frees the username.
func loginName(rec *agent.Record, take bool) store.Name {
	n := store.Name{Space: loginSpace, Value: agent.Login(rec.Username)}
	if take {
		n.Kind, n.ID = store.Agent, rec.ID
	}
	return n
}

// change writes the agent with one event, which shows neither password nor what is kept for the server alone.
func change(rec *agent.Record, event string, at time.Time, names []store.Name) (*store.Change, error) {
	doc, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("write agent: %w", err)
	}
	data, err := json.Marshal(rec.Agent)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", event, err)
	}
	return &store.Change{
		Key: keyOf(rec.ID),
		Records: []store.Record{{
			Kind: store.Agent, ID: rec.ID, CustomerID: rec.CustomerID, Status: string(rec.Status), Created: time.Time(rec.Created),
			Deleted: rec.IsDeleted(), Doc: doc,
		}},
		Names:  names,
		Events: []store.Event{{ID: uuid.NewString(), Type: event, At: at, CustomerID: rec.CustomerID, Resource: rec.ID, Data: data}},
	}, nil
}
