package vault_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/sqlite"
	"parley/internal/store/storetest"
	"parley/internal/store/vault"
)

var secret = []byte("AGE-SECRET-KEY-1 of somebody, as long as it may be")

// safe is a vault on SQLite.
type safe struct {
	*vault.Store
	db *sqlite.Store
}

func (s safe) Close() error { return s.db.Close() }

func open(t *testing.T, dir string, key []byte, kinds ...store.Kind) safe {
	t.Helper()
	db, err := sqlite.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.New(db, key, kinds...)
	if err != nil {
		t.Fatal(err)
	}
	return safe{v, db}
}

// TestSuite: nobody who uses a store notices that it encrypts.
func TestSuite(t *testing.T) {
	dirs := map[string]string{}
	storetest.Run(t, func(t *testing.T) store.Store {
		name := t.Name()
		if dirs[name] == "" {
			dir, err := os.MkdirTemp("", "vault")
			if err != nil {
				t.Fatal(err)
			}
			dirs[name] = dir
		}
		return open(t, dirs[name], secret, store.Conference, store.Conferencecall, store.Customer, store.Delivery, store.WebhookState, store.Call)
	})
	for _, dir := range dirs {
		_ = os.RemoveAll(dir)
	}
}

func extension(password string, version int64) *store.Change {
	doc, _ := json.Marshal(map[string]string{"password": password})
	return &store.Change{
		Key: "extension/1", Version: version,
		Records: []store.Record{{Kind: store.Extension, ID: "1", CustomerID: "c", Created: time.Now(), Doc: doc}},
		Events:  []store.Event{{ID: "e", Type: "extension_updated", At: time.Now(), Data: json.RawMessage(`{}`)}},
		Names:   []store.Name{{Space: "extension", Value: "ada", Kind: store.Extension, ID: "1"}},
	}
}

// TestAtRest: with a key the password is nowhere in the folder, and reads as it was; what was written open is encrypted with its next change.
func TestAtRest(t *testing.T) {
	dir := t.TempDir()
	open1 := open(t, dir, nil, vault.Kinds...)
	if err := open1.Append(t.Context(), extension("first-pass-word", 0)); err != nil {
		t.Fatal(err)
	}
	if err := open1.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, secret, vault.Kinds...)
	want := func(password string) {
		t.Helper()
		byName, err := s.Resolve(t.Context(), "extension", "ada")
		byID, err2 := s.Get(t.Context(), store.Extension, "1")
		list, err3 := s.List(t.Context(), store.Query{Kind: store.Extension, Limit: 10})
		if err != nil || err2 != nil || err3 != nil || len(list) != 1 {
			t.Fatal(err, err2, err3)
		}
		for _, r := range []store.Record{byName, byID, list[0]} {
			if !strings.Contains(string(r.Doc), password) {
				t.Errorf("the record is %s, want %s", r.Doc, password)
			}
		}
	}
	want("first-pass-word")
	c := extension("second-pass-word", 1)
	if err := s.Append(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if c.Records[0].Version != 2 || !bytes.Contains(c.Records[0].Doc, []byte("second-pass-word")) {
		t.Errorf("the caller's record is %+v", c.Records[0])
	}
	want("second-pass-word")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("second-pass-word")) {
			t.Errorf("%s holds the password", name)
		}
	}
	for reason, key := range map[string][]byte{"STORE_KEY_MISSING": nil, "STORE_KEY_WRONG": []byte("another key")} {
		other := open(t, dir, key, vault.Kinds...)
		if _, err := other.Get(t.Context(), store.Extension, "1"); fault.ReasonOf(err) != reason || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("got %v, want %s", err, reason)
		}
		if list, err := other.List(t.Context(), store.Query{Kind: store.Extension, Limit: 10}); fault.ReasonOf(err) != reason || list != nil {
			t.Errorf("list: got %v, want %s", err, reason)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMoved: an encrypted document that is put under another record is refused.
func TestMoved(t *testing.T) {
	s := open(t, t.TempDir(), secret, vault.Kinds...)
	if err := s.Append(t.Context(), extension("a-pass-word", 0)); err != nil {
		t.Fatal(err)
	}
	stolen, err := s.db.Get(t.Context(), store.Extension, "1")
	if err != nil {
		t.Fatal(err)
	}
	stolen.ID = "2"
	c := extension("", 0)
	c.Key, c.Records, c.Names = "extension/2", []store.Record{stolen}, nil
	if err := s.db.Append(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), store.Extension, "2"); fault.ReasonOf(err) != "STORE_KEY_WRONG" {
		t.Errorf("got %v", err)
	}
}
