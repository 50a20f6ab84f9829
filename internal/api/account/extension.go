package account

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // HTTP digest authentication (RFC 7616) has it for old phones
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// Extension is a name that a phone registers with, as the API writes it.
type Extension struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Name       string `json:"name"`
	Detail     string `json:"detail"`
	Extension  string `json:"extension"`
	DomainName string `json:"domain_name"` // the customer's id
	Username   string `json:"username"`    // the extension again
	Password   string `json:"password"`    // "" in events
	DirectHash string `json:"direct_hash"` // with the prefix direct.
	SRTP       string `json:"srtp"`        // one of srtpModes
	Times
}

// credentials is what the store keeps: with what digest authentication needs, which is read from there.
type credentials struct {
	Extension
	HA1MD5    string `json:"ha1_md5"` // hex of MD5(extension:realm:password)
	HA1SHA256 string `json:"ha1_sha256"`
}

// ExtensionPatch changes what is not nil; an extension's user name stays.
type ExtensionPatch struct {
	Name     *string `json:"name"`
	Detail   *string `json:"detail"`
	Password *string `json:"password"`
	SRTP     *string `json:"srtp"`
}

// NewExtension asks for an extension.
type NewExtension struct {
	Extension string `json:"extension"`
	Password  string `json:"password"`
	Name      string `json:"name"`
	Detail    string `json:"detail"`
	SRTP      string `json:"srtp"` // "": off
}

// srtpModes say how the media of an extension's calls are protected (RFC 3711, keys by RFC 4568). What comes in is answered in kind unless it is required.
var srtpModes = []string{
	"off",      // calls to it offer plain RTP
	"optional", // calls to it offer SRTP, and plain RTP when the phone refuses that
	"required", // nothing else, in either direction
}

const (
	extensionMax = 64
	passwordMin  = 6
	passwordMax  = 128
)

func (e *credentials) record() (store.Record, error) {
	doc, err := json.Marshal(e)
	if err != nil {
		return store.Record{}, fmt.Errorf("write extension: %w", err)
	}
	return store.Record{
		Kind: store.Extension, ID: e.ID, CustomerID: e.CustomerID, Status: "active", Created: e.created(),
		Deleted: e.deleted(), Doc: doc,
	}, nil
}

func (e *credentials) public() any {
	shown := e.Extension
	shown.Password = ""
	return shown
}

// protect checks the password and derives what authentication needs.
func (e *credentials) protect(realm string) error {
	if n := len(e.Password); n < passwordMin || n > passwordMax || strings.ContainsFunc(e.Password, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("password", "it must have %d to %d characters, none of them a control character", passwordMin, passwordMax)
	}
	secret := e.Username + ":" + realm + ":" + e.Password
	weak := md5.Sum([]byte(secret)) //nolint:gosec // as above
	strong := sha256.Sum256([]byte(secret))
	e.HA1MD5, e.HA1SHA256 = hex.EncodeToString(weak[:]), hex.EncodeToString(strong[:])
	return nil
}

func (e *credentials) check() error {
	if err := checkTexts(e.Name, e.Detail); err != nil {
		return err
	}
	if !slices.Contains(srtpModes, e.SRTP) {
		return invalid("srtp", "it must be one of %s", strings.Join(srtpModes, ", "))
	}
	name := e.Extension.Extension
	_, isID := wire.ParseUUID(name)
	if name == "" || len(name) > extensionMax || isID || strings.HasPrefix(strings.ToLower(name), "direct.") || strings.ContainsFunc(name, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("._+-", r))
	}) {
		return invalid("extension", "%q is not 1 to %d of the characters A-Z a-z 0-9 . _ + -, or looks like a conference id or a direct hash", name, extensionMax)
	}
	return nil
}

func (e *credentials) direct() string { return strings.TrimPrefix(e.DirectHash, "direct.") }

// Extension reads an extension of the customer.
func (a *Accounts) Extension(ctx context.Context, customer, id string) (Extension, error) {
	rec, err := a.own(ctx, store.Extension, customer, id)
	if err != nil {
		return Extension{}, err
	}
	return ReadExtension(rec)
}

// ReadExtension reads a record of a list.
func ReadExtension(rec store.Record) (Extension, error) {
	var c credentials
	err := decode(rec, &c)
	c.SRTP = cmp.Or(c.SRTP, "off")
	return c.Extension, err
}

// AddExtension makes an extension, and with it keeps the answer that seal makes of it; seal may return nil.
func (a *Accounts) AddExtension(ctx context.Context, customer string, n NewExtension, seal func(Extension) (*store.Answer, error)) (Extension, error) {
	at := now()
	e := credentials{Extension: Extension{
		ID: uuid.NewString(), CustomerID: customer, Name: n.Name, Detail: n.Detail, Extension: n.Extension, DomainName: customer,
		Username: n.Extension, Password: n.Password, SRTP: cmp.Or(n.SRTP, "off"), DirectHash: "direct." + randomHex(6), Times: Times{Created: wire.Time(at)},
	}}
	if err := e.check(); err != nil {
		return Extension{}, err
	}
	if err := e.protect(a.realm); err != nil {
		return Extension{}, err
	}
	c, err := change(&e, "extension_created", at,
		store.Name{Space: extensionSpace, Value: n.Extension, Kind: store.Extension, ID: e.ID},
		store.Name{Space: directSpace, Value: e.direct(), Kind: store.Extension, ID: e.ID})
	if err != nil {
		return Extension{}, err
	}
	if c.Answer, err = seal(e.Extension); err != nil {
		return Extension{}, err
	}
	err = a.store.Append(ctx, c)
	if fault.ReasonOf(err) == "ALREADY_EXISTS" {
		return Extension{}, fault.New(fault.Conflict, "EXTENSION_ALREADY_EXISTS", "extension %s exists on this server; choose another name", n.Extension)
	}
	return e.Extension, err
}

// UpdateExtension changes an extension if it still is as expect says; expect may be nil.
func (a *Accounts) UpdateExtension(ctx context.Context, customer, id string, p ExtensionPatch, expect func(Extension) error) (Extension, error) {
	return a.editExtension(ctx, customer, id, "extension_updated", func(e *credentials) ([]store.Name, error) {
		if expect != nil {
			if err := expect(e.Extension); err != nil {
				return nil, err
			}
		}
		set(&e.Name, p.Name)
		set(&e.Detail, p.Detail)
		set(&e.SRTP, p.SRTP)
		if p.Password != nil {
			e.Password = *p.Password
			if err := e.protect(a.realm); err != nil {
				return nil, err
			}
		}
		return nil, e.check()
	})
}

// RegenerateHash gives an extension a new direct hash; the old one stops working.
func (a *Accounts) RegenerateHash(ctx context.Context, customer, id string) (Extension, error) {
	return a.editExtension(ctx, customer, id, "extension_updated", func(e *credentials) ([]store.Name, error) {
		old := e.direct()
		e.DirectHash = "direct." + randomHex(6)
		return []store.Name{
			{Space: directSpace, Value: old},
			{Space: directSpace, Value: e.direct(), Kind: store.Extension, ID: e.ID},
		}, nil
	})
}

// DeleteExtension ends an extension; phones cannot register with it any more. Repeated, it changes nothing.
func (a *Accounts) DeleteExtension(ctx context.Context, customer, id string) (Extension, error) {
	e, err := a.editExtension(ctx, customer, id, "extension_deleted", func(e *credentials) ([]store.Name, error) {
		names := []store.Name{{Space: extensionSpace, Value: e.Username}, {Space: directSpace, Value: e.direct()}}
		e.DirectHash, e.Deleted = "", wire.Time(now())
		return names, nil
	})
	if fault.ReasonOf(err) == "STATE_INVALID" {
		return a.Extension(ctx, customer, id)
	}
	return e, err
}

// editExtension lets decide change an extension that is not deleted; decide returns the names that it takes and frees.
func (a *Accounts) editExtension(ctx context.Context, customer, id, event string, decide func(*credentials) ([]store.Name, error)) (Extension, error) {
	var e credentials
	err := a.edit(ctx, store.Extension, customer, id, func(rec store.Record) (*store.Change, error) {
		e = credentials{}
		if err := decode(rec, &e); err != nil {
			return nil, err
		}
		if rec.Deleted {
			return nil, stateInvalid(store.Extension)
		}
		e.SRTP = cmp.Or(e.SRTP, "off") // of records that are older than it
		old := e
		names, err := decide(&e)
		if err != nil || same(old, e) {
			return nil, err
		}
		at := now()
		e.Updated = wire.Time(at)
		return change(&e, event, at, names...)
	})
	return e.Extension, err
}
