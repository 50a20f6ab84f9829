package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/rest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/wire"
)

// expireMin is the shortest life of an access key.
const expireMin = 24 * time.Hour

// Accesskey is a key of a customer as the API writes it.
type Accesskey struct {
	ID          string    `json:"id"`
	CustomerID  string    `json:"customer_id"`
	Name        string    `json:"name"`
	Detail      string    `json:"detail"`
	Token       string    `json:"token,omitempty"` // only in the answer that made it; never stored
	TokenPrefix string    `json:"token_prefix"`
	Expire      wire.Time `json:"tm_expire"`
	Times
}

// keyDoc is what the store keeps: of the secret only its hash.
type keyDoc struct {
	Accesskey
	Hash string `json:"hash"` // hex SHA-256
}

// NewAccesskey asks for a key. Expire is in seconds, 0 for never.
type NewAccesskey struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
	Expire int64  `json:"expire"`
}

// AccesskeyPatch changes what is not nil.
type AccesskeyPatch struct {
	Name   *string `json:"name"`
	Detail *string `json:"detail"`
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newToken returns vb_ and 192 random bits.
func newToken() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // never fails
	return "vb_" + base64.RawURLEncoding.EncodeToString(b)
}

func newAccesskey(customer, id, secret string, at time.Time) keyDoc {
	return keyDoc{Accesskey{
		ID: id, CustomerID: customer, TokenPrefix: secret[:min(len(secret), 7)], Times: Times{Created: wire.Time(at)},
	}, hashOf(secret)}
}

func (k *keyDoc) record() (store.Record, error) {
	kept := *k
	kept.Token = ""
	doc, err := json.Marshal(kept)
	if err != nil {
		return store.Record{}, fmt.Errorf("write access key: %w", err)
	}
	return store.Record{
		Kind: store.Accesskey, ID: k.ID, CustomerID: k.CustomerID, Status: "active", Created: k.created(),
		Deleted: k.deleted(), Doc: doc,
	}, nil
}

func (k *keyDoc) public() any {
	shown := k.Accesskey
	shown.Token = ""
	return shown
}

// name takes or frees the hash.
func (k *keyDoc) name(take bool) store.Name {
	n := store.Name{Space: keySpace, Value: k.Hash}
	if take {
		n.Kind, n.ID = store.Accesskey, k.ID
	}
	return n
}

// Authenticate returns whose key the secret is; a fault.Unauthenticated for one that is unknown, deleted or expired.
func (a *Accounts) Authenticate(ctx context.Context, secret string) (who rest.Caller, err error) {
	rec, err := a.store.Resolve(ctx, keySpace, hashOf(secret))
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return who, invalidCredentials()
	case err != nil:
		return who, fmt.Errorf("look up access key: %w", err)
	}
	var k keyDoc
	if err := decode(rec, &k); err != nil {
		return who, err
	}
	if expires := time.Time(k.Expire); rec.Kind != store.Accesskey || rec.Deleted || !expires.IsZero() && !wall.Now().Before(expires) {
		return who, invalidCredentials()
	}
	return rest.Caller{CustomerID: k.CustomerID, KeyID: k.ID}, nil
}

func invalidCredentials() error {
	return fault.New(fault.Unauthenticated, "INVALID_CREDENTIALS", "the access key is unknown, deleted or expired; use another one")
}

// Accesskey reads a key of the customer.
func (a *Accounts) Accesskey(ctx context.Context, customer, id string) (Accesskey, error) {
	rec, err := a.own(ctx, store.Accesskey, customer, id)
	if err != nil {
		return Accesskey{}, err
	}
	return ReadAccesskey(rec)
}

// ReadAccesskey reads a record of a list.
func ReadAccesskey(rec store.Record) (Accesskey, error) {
	var k keyDoc
	err := decode(rec, &k)
	return k.Accesskey, err
}

// AddAccesskey makes a key, and with it keeps the answer that seal makes of it; seal may return nil.
func (a *Accounts) AddAccesskey(ctx context.Context, customer string, n NewAccesskey, seal func(Accesskey) (*store.Answer, error)) (Accesskey, error) {
	if err := checkTexts(n.Name, n.Detail); err != nil {
		return Accesskey{}, err
	}
	life := time.Duration(n.Expire) * time.Second
	if n.Expire != 0 && (n.Expire < int64(expireMin/time.Second) || n.Expire > 100*365*86400) {
		return Accesskey{}, invalid("expire", "%d seconds is not 0 (never) or 86400 to 3153600000", n.Expire)
	}
	at, secret := now(), newToken()
	k := newAccesskey(customer, uuid.NewString(), secret, at)
	k.Name, k.Detail = n.Name, n.Detail
	if life > 0 {
		k.Expire = wire.Time(at.Add(life))
	}
	c, err := change(&k, "accesskey_created", at, k.name(true))
	if err != nil {
		return Accesskey{}, err
	}
	k.Token = secret
	if c.Answer, err = seal(k.Accesskey); err != nil {
		return Accesskey{}, err
	}
	return k.Accesskey, a.store.Append(ctx, c)
}

// UpdateAccesskey changes a key if it still is as expect says; expect may be nil.
func (a *Accounts) UpdateAccesskey(ctx context.Context, customer, id string, p AccesskeyPatch, expect func(Accesskey) error) (Accesskey, error) {
	var k keyDoc
	err := a.edit(ctx, store.Accesskey, customer, id, func(rec store.Record) (*store.Change, error) {
		k = keyDoc{}
		if err := decode(rec, &k); err != nil {
			return nil, err
		}
		if rec.Deleted {
			return nil, stateInvalid(store.Accesskey)
		}
		if expect != nil {
			if err := expect(k.Accesskey); err != nil {
				return nil, err
			}
		}
		old := k
		set(&k.Name, p.Name)
		set(&k.Detail, p.Detail)
		if err := checkTexts(k.Name, k.Detail); err != nil || same(old, k) {
			return nil, err
		}
		at := now()
		k.Updated = wire.Time(at)
		return change(&k, "accesskey_updated", at)
	})
	return k.Accesskey, err
}

// DeleteAccesskey ends a key at once. Repeated, it changes nothing.
func (a *Accounts) DeleteAccesskey(ctx context.Context, customer, id string) (Accesskey, error) {
	var k keyDoc
	err := a.edit(ctx, store.Accesskey, customer, id, func(rec store.Record) (*store.Change, error) {
		k = keyDoc{}
		if err := decode(rec, &k); err != nil || rec.Deleted {
			return nil, err
		}
		at := now()
		k.Updated, k.Deleted = wire.Time(at), wire.Time(at)
		return change(&k, "accesskey_deleted", at, k.name(false))
	})
	return k.Accesskey, err
}
