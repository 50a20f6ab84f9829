package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// The name spaces of the store that this package takes names in.
const (
	keySpace       = "accesskey" // hex SHA-256 of an access key
	extensionSpace = "extension" // user name of an extension, unique on the server
	directSpace    = "direct"    // direct hashes
)

// triesMax bounds how often a change is decided anew because somebody else was faster.
const triesMax = 16

// Accounts works on the records of a store. Its methods may be called from any goroutine.
type Accounts struct {
	store store.Store
	realm string
}

// New returns the accounts in st. Realm is that of the digest authentication which extensions are for.
func New(st store.Store, realm string) *Accounts { return &Accounts{st, realm} }

// Times of a record as the API writes them.
type Times struct {
	Created wire.Time `json:"tm_create"`
	Updated wire.Time `json:"tm_update"`
	Deleted wire.Time `json:"tm_delete"`
}

// entity is a record of this package.
type entity interface {
	// record returns the columns and the complete document.
	record() (store.Record, error)
	// public returns what events show: the resource without secrets.
	public() any
}

// now is the time of a change in the precision of the store.
func now() time.Time { return wall.Now().UTC().Truncate(time.Microsecond) }

func keyOf(kind store.Kind, id string) string { return string(kind) + "/" + id }

// change returns the change that writes e with one event.
func change(e entity, event string, at time.Time, names ...store.Name) (*store.Change, error) {
	rec, err := e.record()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(e.public())
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", event, err)
	}
	return &store.Change{
		Key:     keyOf(rec.Kind, rec.ID),
		Records: []store.Record{rec},
		Names:   names,
		Events: []store.Event{{
			ID: uuid.NewString(), Type: event, Key: keyOf(rec.Kind, rec.ID), At: at, CustomerID: rec.CustomerID, Resource: rec.ID, Data: data,
		}},
	}, nil
}

// own returns the record if it is the customer's; one of somebody else is as unknown as one that does not exist.
func (a *Accounts) own(ctx context.Context, kind store.Kind, customer, id string) (store.Record, error) {
	rec, err := a.store.Get(ctx, kind, id)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return rec, fmt.Errorf("read %s: %w", kind, err)
	}
	if err != nil || rec.CustomerID != customer {
		return store.Record{}, rest.Unknown(kind)
	}
	return rec, nil
}

// edit reads a record, lets decide make the change, and writes it; all again when the record has changed meanwhile. No change, no write.
func (a *Accounts) edit(ctx context.Context, kind store.Kind, customer, id string, decide func(store.Record) (*store.Change, error)) error {
	for range triesMax {
		_, version, err := a.store.Last(ctx, keyOf(kind, id))
		if err != nil {
			return fmt.Errorf("read version of %s: %w", kind, err)
		}
		rec, err := a.own(ctx, kind, customer, id)
		if err != nil {
			return err
		}
		c, err := decide(rec)
		if err != nil || c == nil {
			return err
		}
		c.Version = version
		if err = a.store.Append(ctx, c); !errors.Is(err, store.ErrFenced) {
			return err
		}
	}
	return fault.New(fault.Unavailable, "STORE_BUSY", "this %s is being changed by many at once; try again", kind)
}

func decode(rec store.Record, into any) error {
	if err := json.Unmarshal(rec.Doc, into); err != nil {
		return fmt.Errorf("read %s %s: %w", rec.Kind, rec.ID, err)
	}
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkText(field, s string, most int) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return invalid(field, "it is not text in UTF-8, or has a NUL in it")
	}
	if n := utf8.RuneCountInString(s); n > most {
		return invalid(field, "it has %d characters; at most %d are kept", n, most)
	}
	return nil
}

// checkTexts is checkText for names and details, which all resources have.
func checkTexts(name, detail string) error {
	if err := checkText("name", name, 255); err != nil {
		return err
	}
	return checkText("detail", detail, 4096)
}

func checkURI(field, uri string) error {
	if uri == "" {
		return nil
	}
	u, err := url.Parse(uri)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || len(uri) > 2048 {
		return fault.New(fault.Invalid, "INVALID_WEBHOOK_URI", "%s: it must be an http or https URL with a host, of at most 2048 characters", field)
	}
	return nil
}

func invalid(field, format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_ARGUMENT", "%s: %s", field, fmt.Sprintf(format, args...))
}

func stateInvalid(kind store.Kind) error {
	return fault.New(fault.Conflict, "STATE_INVALID", "this %s has been deleted and cannot be changed any more", kind)
}

func (t *Times) created() time.Time { return time.Time(t.Created) }
func (t *Times) deleted() bool      { return !time.Time(t.Deleted).IsZero() }
