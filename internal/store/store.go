// Package store says how state and the event log are kept: every change appends its events and writes its records in one
// transaction. The implementations live below it (sqlite); storetest is the suite that each of them passes. The package
// itself starts no goroutine.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrFenced says that a change was decided on a version of its key that is no longer the newest: somebody else owns the key.
var ErrFenced = errors.New("store: key has moved on")

// Kind names a table of records, by the word of the resource in the API, for example "conference" or "conferencecall".
type Kind string

// The kinds of records.
const (
	Conference     Kind = "conference"
	Conferencecall Kind = "conferencecall"
	Call           Kind = "call"
	Customer       Kind = "customer"
	Accesskey      Kind = "accesskey"
	Extension      Kind = "extension"
	Recording      Kind = "recording"
	Flow           Kind = "flow"
	Activeflow     Kind = "activeflow"
	Groupcall      Kind = "groupcall"
	Trunk          Kind = "trunk"
	Webhook        Kind = "webhook"
	Message        Kind = "message"
)

// Record is the state of one resource. Everything but Doc exists so that it can be found; Doc is the state itself.
type Record struct {
	Kind       Kind
	ID         string // UUID
	CustomerID string
	Conference string    // id of the conference it belongs to, or ""
	Reference  string    // id of what it refers to (the call of a conferencecall), or ""
	Status     string    // as in the API
	Type       string    // as in the API, or ""
	Live       bool      // not in a final state: what a restart has to look at
	Created    time.Time // orders lists; UTC, microseconds
	Deleted    bool      // hidden from lists, still readable by id
	Deadline   time.Time // when the reaper has to act; zero for never
	Version    int64     // version of its key after the change that wrote it; filled in by Append
	Doc        json.RawMessage
}

// Name is a unique handle of a record inside a space: an access key's hash, a direct hash, a dial-in alias, an extension.
type Name struct {
	Space, Value string
	Kind         Kind
	ID           string // empty frees the name
}

// Event is one row of the log. Data is the public resource as it was right after the change.
type Event struct {
	Seq        int64 // position in the log; assigned by Append, ascending in commit order, without reuse
	ID         string
	Type       string
	Key        string // owner key, for example "conference/<uuid>"
	Version    int64  // version of the key after this event; assigned by Append
	At         time.Time
	CustomerID string
	Conference string // conference id, or ""
	Resource   string // id of the resource in Data
	Data       json.RawMessage
}

// Change is what one Append writes, all or nothing.
type Change struct {
	Key     string  // what has exactly one owner
	Version int64   // version of Key that the change was decided on; each event counts it up by one
	Events  []Event // at least one
	Records []Record
	Names   []Name // taken (ID set) or freed (ID empty); a taken name that somebody else has fails the change
	// Answer, when not nil, is kept under its idempotency key in the same transaction.
	Answer *Answer
}

// Answer is the stored answer to a request with an Idempotency-Key.
type Answer struct {
	CustomerID, Key string
	Request         [32]byte // SHA-256 of method, path and body
	Status          int      // HTTP status; 0 while the first request still runs
	Body            []byte
	At              time.Time
}

// Query selects records of one kind, newest first (ties broken by id, descending).
type Query struct {
	Kind       Kind
	CustomerID string // empty: any
	Conference string
	Reference  string
	Status     []string // any of them; empty: all
	Type       []string // any of them; empty: all
	Live       bool     // only live ones
	Deleted    bool     // include deleted ones
	Before     Cursor   // only what comes after it in list order; zero: from the newest
	Limit      int      // 1..1000
}

// Cursor is a place in a list.
type Cursor struct {
	Created time.Time
	ID      string
}

// LogQuery selects events in ascending order of Seq.
type LogQuery struct {
	After      int64
	CustomerID string   // empty: any
	Conference string   // empty: any
	Resource   string   // empty: any
	Types      []string // exact types, or a prefix ending in "*"; empty: all
	Limit      int      // 1..1000
}

// Store keeps records and the log. All methods may be called from any goroutine; all honour the context. Errors are of package fault
// where a client is at fault (NotFound, Conflict), otherwise plain, which means Internal; a store that cannot write just now answers fault.Unavailable.
type Store interface {
	// Append commits c and fills in Seq and Version of its events. When Append has returned nil, the change survives kill -9 and
	// power loss. A stale Version is ErrFenced; a taken name is a fault.Conflict with reason ALREADY_EXISTS.
	Append(ctx context.Context, c *Change) error
	// Get returns the record, deleted or not, or a fault.NotFound.
	Get(ctx context.Context, kind Kind, id string) (Record, error)
	// Resolve returns the record that has the name, or a fault.NotFound.
	Resolve(ctx context.Context, space, value string) (Record, error)
	// List returns at most q.Limit records.
	List(ctx context.Context, q Query) ([]Record, error)
	// Due returns live records of the kind whose deadline is not after at, earliest first.
	Due(ctx context.Context, kind Kind, at time.Time, limit int) ([]Record, error)
	Log
	Answers
}

// Log is the reading side of the event log, with what goes with reading.
type Log interface {
	// Events returns the matching events and the Seq up to which the log has been looked through: where to go on.
	Events(ctx context.Context, q LogQuery) (events []Event, next int64, err error)
	// Last returns the highest Seq of the log and the version of key ("" for none): last change of a conference is its version's Seq.
	Last(ctx context.Context, key string) (seq int64, version int64, err error)
	// Hints returns a channel of capacity one that gets a value after commits, and a function that ends it. Hints merge; read from the cursor.
	Hints() (<-chan struct{}, func())
	// Cursor returns a reader's place in the log, 0 for a new reader.
	Cursor(ctx context.Context, reader string) (int64, error)
	// SetCursor moves a reader's place.
	SetCursor(ctx context.Context, reader string, seq int64) error
}

// Answers keeps the answers of requests with an Idempotency-Key for 24 hours, across restarts.
type Answers interface {
	// Claim records a running request under a new key and returns nil; when the key is known it returns what is stored.
	Claim(ctx context.Context, a Answer) (*Answer, error)
	// Finish stores status and body of a claimed request; Status 0 forgets the claim.
	Finish(ctx context.Context, a Answer) error
}
