// Package vault keeps the records that hold secrets encrypted in another store (AES-256 in Galois/Counter Mode, NIST SP 800-38D), so that a copy of the
// database gives away no password. What they are found by stays readable, and so does the log, which holds no secrets. It starts no goroutine.
package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

// Kinds are those whose records hold secrets that have to be read again: passwords of extensions and trunks with what is derived from them, and the
// keys that webhooks are signed with.
var Kinds = []store.Kind{store.Extension, store.Trunk, store.Webhook}

// Store is a store.Store on top of another. Its methods promise what those of the other promise; in addition all that read a record refuse one whose key
// they have not with STORE_KEY_MISSING or STORE_KEY_WRONG. Records that were written open are read as they are, and encrypted when they are written again.
type Store struct {
	store.Store
	kinds []store.Kind
	box   cipher.AEAD // nil: records are written open
}

// New returns a store that encrypts records of the kinds with a key of its own that is derived from secret; nil writes them open.
func New(inner store.Store, secret []byte, kinds ...store.Kind) (*Store, error) {
	s := &Store{Store: inner, kinds: kinds}
	if len(secret) == 0 {
		return s, nil
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "parley store records", 32)
	if err != nil {
		return nil, fmt.Errorf("key of the store: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err == nil {
		s.box, err = cipher.NewGCM(block)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the store: %w", err)
	}
	return s, nil
}

// closed is what is stored instead of a document.
type closed struct {
	Sealed []byte `json:"sealed"` // nonce and encrypted document
}

var mark = []byte(`{"sealed":`)

// claim ties a document to its record.
func claim(r *store.Record) []byte { return []byte(string(r.Kind) + "/" + r.ID) }

// secret reports whether one of the records has to be encrypted.
func (s *Store) secret(records []store.Record) bool {
	for i := range records {
		if s.box != nil && slices.Contains(s.kinds, records[i].Kind) {
			return true
		}
	}
	return false
}

// seal returns the records as they are to be stored; the caller's stay as they are.
func (s *Store) seal(records []store.Record) ([]store.Record, error) {
	if !s.secret(records) {
		return records, nil
	}
	out := slices.Clone(records)
	for i := range out {
		r := &out[i]
		if !slices.Contains(s.kinds, r.Kind) || !json.Valid(r.Doc) { // the store refuses what is not JSON
			continue
		}
		nonce := make([]byte, s.box.NonceSize(), s.box.NonceSize()+len(r.Doc)+s.box.Overhead())
		_, _ = rand.Read(nonce) // never fails, it ends the process instead
		doc, err := json.Marshal(closed{s.box.Seal(nonce, nonce, r.Doc, claim(r))})
		if err != nil {
			return nil, fmt.Errorf("encrypt %s %s: %w", r.Kind, r.ID, err)
		}
		r.Doc = doc
	}
	return out, nil
}

// open makes a record that was read readable.
func (s *Store) open(r *store.Record) error {
	if !bytes.HasPrefix(r.Doc, mark) || !slices.Contains(s.kinds, r.Kind) {
		return nil
	}
	if s.box == nil {
		return fault.New(fault.Unavailable, "STORE_KEY_MISSING", "%s %s is encrypted: start with the recording.key_file of then", r.Kind, r.ID)
	}
	var c closed
	err := json.Unmarshal(r.Doc, &c)
	var doc []byte
	if n := s.box.NonceSize(); err == nil && len(c.Sealed) >= n {
		doc, err = s.box.Open(nil, c.Sealed[:n], c.Sealed[n:], claim(r))
	}
	if err != nil || doc == nil {
		return fault.New(fault.Unavailable, "STORE_KEY_WRONG", "%s %s was encrypted with another key: start with the recording.key_file of then", r.Kind, r.ID)
	}
	r.Doc = doc
	return nil
}

func (s *Store) openAll(list []store.Record, err error) ([]store.Record, error) {
	for i := range list {
		if err == nil {
			err = s.open(&list[i])
		}
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

func (s *Store) openOne(r store.Record, err error) (store.Record, error) {
	if err == nil {
		err = s.open(&r)
	}
	if err != nil {
		return store.Record{}, err
	}
	return r, nil
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, c *store.Change) error {
	if !s.secret(c.Records) {
		return s.Store.Append(ctx, c)
	}
	sealed, err := s.seal(c.Records)
	if err != nil {
		return err
	}
	inner := *c
	inner.Records = sealed
	if err := s.Store.Append(ctx, &inner); err != nil {
		return err
	}
	for i := range c.Records {
		c.Records[i].Version = sealed[i].Version
	}
	return nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, kind store.Kind, id string) (store.Record, error) {
	return s.openOne(s.Store.Get(ctx, kind, id))
}

// Resolve implements store.Store.
func (s *Store) Resolve(ctx context.Context, space, value string) (store.Record, error) {
	return s.openOne(s.Store.Resolve(ctx, space, value))
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	return s.openAll(s.Store.List(ctx, q))
}

// Due implements store.Store.
func (s *Store) Due(ctx context.Context, kind store.Kind, at time.Time, limit int) ([]store.Record, error) {
	return s.openAll(s.Store.Due(ctx, kind, at, limit))
}

// Note implements store.Notes.
func (s *Store) Note(ctx context.Context, reader string, seq int64, records []store.Record) error {
	sealed, err := s.seal(records)
	if err != nil {
		return err
	}
	return s.Store.Note(ctx, reader, seq, sealed)
}
