package registrar

import (
	"context"
	"encoding/json"
	"testing"

	"parley/internal/fault"
	"parley/internal/store"
)

// one is a store with one record.
type one struct {
	store.Store
	rec store.Record
}

func (o one) Resolve(_ context.Context, space, value string) (store.Record, error) {
	if space != "extension" || value != "1001" {
		return store.Record{}, fault.New(fault.NotFound, "X", "nothing")
	}
	return o.rec, nil
}

func TestStored(t *testing.T) {
	rec := store.Record{Kind: store.Extension, ID: "e", CustomerID: "c", Doc: json.RawMessage(`{"extension":"1001","ha1_md5":"m","ha1_sha256":"s"}`)}
	got, err := Stored(one{rec: rec})(t.Context(), "1001")
	if err != nil || got.CustomerID != "c" || got.Secret.MD5 != "m" || got.Secret.SHA256 != "s" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := Stored(one{rec: rec})(t.Context(), "1002"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("unknown: %v", err)
	}
	rec.Deleted = true
	if _, err := Stored(one{rec: rec})(t.Context(), "1001"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("deleted: %v", err)
	}
	rec.Deleted, rec.Doc = false, json.RawMessage(`[]`)
	if _, err := Stored(one{rec: rec})(t.Context(), "1001"); err == nil || fault.KindOf(err) != fault.Internal {
		t.Errorf("unreadable: %v", err)
	}
}
