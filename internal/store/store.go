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

// ErrFenced says that a change was decided on a version of its key that is no longer the newest: somebody else owns the key. It comes
// wrapped (errors.Is finds it), and nothing of the change was written.
var ErrFenced = errors.New("store: key has moved on")

// AnswersKept is how long the answer to a request with an Idempotency-Key is kept, counted from the At of its claim.
const AnswersKept = 24 * time.Hour

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
	Agent          Kind = "agent"
	Recording      Kind = "recording"
	Flow           Kind = "flow"
	Activeflow     Kind = "activeflow"
	Groupcall      Kind = "groupcall"
	Transfer       Kind = "transfer"
	Trunk          Kind = "trunk"
	Webhook        Kind = "webhook"
	Message        Kind = "message"
	Delivery       Kind = "delivery"      // of an event to a webhook; kept by Note
	WebhookState   Kind = "webhook_state" // how a webhook does; kept by Note
	CallUsage      Kind = "call_usage"    // talk of a day in calls out; kept by Note
)

// Record is the state of one resource. Everything but Doc exists so that it can be found; Doc is the state itself, any valid JSON.
// Writing a record replaces what was stored under its Kind and ID, all columns of it. Times are kept in microseconds and come
// back in UTC; what is finer is cut off.
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

// Name is a unique handle of a record inside a space: an access key's hash, a direct hash, a dial-in alias, an extension. A record may
// have any number of names. Taking a name that the same record already has changes nothing; freeing a name that nobody has, too.
// Only the owner of a record frees its names: the store does not look who had them.
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
	// Cause is who or what brought the change about, as of package store/cause; nil: what the context of the Append carries. Entries of earlier
	// versions have none.
	Cause json.RawMessage
}

// Change is what one Append writes, all or nothing. Its names are taken and freed in the order given, so that one change can free a
// name and take it for another record.
type Change struct {
	Key     string  // what has exactly one owner
	Version int64   // version of Key that the change was decided on; each event counts it up by one
	Events  []Event // at least one
	Records []Record
	Names   []Name // taken (ID set) or freed (ID empty); a taken name that somebody else has fails the change
	// Answer, when not nil, is kept under its idempotency key in the same transaction, whether the key was claimed before or not. A key
	// with another request's claim, or with a finished answer, fails the change with a fault.Conflict, reason IDEMPOTENCY_KEY_REUSED.
	Answer *Answer
	// Made says that all texts here were made by an encoder from values, by parts that were looked through if strangers brought them. What is not
	// Made is read once more, and refused when it is not JSON.
	Made bool
}

// Answer is the stored answer to a request with an Idempotency-Key.
type Answer struct {
	CustomerID, Key string
	Request         [32]byte // SHA-256 of method, path and body
	Status          int      // HTTP status; 0 while the first request still runs
	Body            []byte
	At              time.Time // when it was claimed; zero means now
}

// Query selects records of one kind, newest first (ties broken by id, descending). All fields that are set must hold.
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

// Cursor is a place in a list: Created and ID of the last record that was seen. Paging with it neither loses nor repeats a record that
// exists from the first page to the last, whatever is added meanwhile.
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
	Types      []string // any of them: exact types, or a prefix ending in "*"; empty: all
	Limit      int      // 1..1000
}

// Store keeps records and the log. All methods may be called from any goroutine. All honour the context: a write whose context ends
// while it waits is withdrawn and never happens; one that is already being written waits for its outcome, so that an error
// means "not written" (short of a disk that fails in the middle of a sync, just before a crash). Errors are of package fault where a client is at fault (NotFound, Conflict, Invalid), otherwise plain, which means
// Internal; a store that cannot write just now answers fault.Unavailable with one of these reasons: STORE_FULL (disk), STORE_BUSY (another
// program holds the lock), STORE_UNWRITABLE (disk errors, read-only), STORE_CLOSED. Nothing of such a change was written; it may be tried again.
type Store interface {
	// Append commits c and fills in Seq and Version of its events and Version of its records; on an error c is as it was, but for the causes of its events. When Append has
	// returned nil, the change survives kill -9 and power loss. The version of a key that nobody has used is 0. A Version that is not
	// the key's is ErrFenced; a taken name is a fault.Conflict with reason ALREADY_EXISTS. c must not be touched until Append returns.
	Append(ctx context.Context, c *Change) error
	// Get returns the record, deleted or not, or a fault.NotFound.
	Get(ctx context.Context, kind Kind, id string) (Record, error)
	// Resolve returns the record that has the name, or a fault.NotFound.
	Resolve(ctx context.Context, space, value string) (Record, error)
	// List returns at most q.Limit records.
	List(ctx context.Context, q Query) ([]Record, error)
	// Due returns live records of the kind, deleted ones too, whose deadline is not after at, earliest first (ties broken by id); limit is 1..1000.
	Due(ctx context.Context, kind Kind, at time.Time, limit int) ([]Record, error)
	Log
	Answers
	Notes
}

// Log is the reading side of the event log, with what goes with reading.
type Log interface {
	// Events returns the matching events and the Seq up to which the log has been looked through: where to go on. A reader that goes on
	// from next sees each matching event exactly once. next is never below q.After.
	Events(ctx context.Context, q LogQuery) (events []Event, next int64, err error)
	// Last returns the highest Seq of the log and the version of key ("" for none): last change of a conference is its version's Seq.
	Last(ctx context.Context, key string) (seq int64, version int64, err error)
	// Hints returns a channel of capacity one that gets a value after commits, and a function that ends it (the channel is not closed; it may
	// be called more than once). Hints merge, none is sent for what was committed before, and one is there when Append returns: read from the
	// cursor first, then wait.
	Hints() (<-chan struct{}, func())
	// Cursor returns a reader's place in the log, 0 for a new reader.
	Cursor(ctx context.Context, reader string) (int64, error)
	// SetCursor moves a reader's place, forth or back.
	SetCursor(ctx context.Context, reader string, seq int64) error
}

// Answers keeps the answers of requests with an Idempotency-Key for AnswersKept, across restarts. Claims of a process that has died without
// an answer are forgotten: nothing they promised was written, or their answer would have been written with it.
type Answers interface {
	// Claim records a running request under a new key and returns nil; when the key is known it returns what is stored.
	Claim(ctx context.Context, a Answer) (*Answer, error)
	// Finish stores status and body of a claimed request; Status 0 forgets the claim. CustomerID, Key and Request say which. A claim that
	// does not exist is a fault.NotFound, reason IDEMPOTENCY_KEY_UNKNOWN, when there is an answer to store.
	Finish(ctx context.Context, a Answer) error
}

// Notes keeps what a reader of the log writes down about its own work: records that no event tells of. A kind of record is either noted or
// appended, never both, and the kinds that are noted have one writer each.
type Notes interface {
	// Note writes the records, each replacing what was stored under its kind and id, and moves the reader's cursor to seq unless reader is
	// "", all in one transaction. When it has returned nil, both survive kill -9 and power loss. Nothing is told to the readers of the log.
	Note(ctx context.Context, reader string, seq int64, records []Record) error
	// Forget deletes at most limit (1..1000) records of the kind that are not live and were created before the time, and returns how many. It
	// is for kinds that are noted.
	Forget(ctx context.Context, kind Kind, before time.Time, limit int) (int, error)
}
