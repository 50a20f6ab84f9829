package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/internal/store"
)

// TestCheckTexts says which documents and data can be written: all that are JSON, and of those that an encoder has made what can be told at a glance.
func TestCheckTexts(t *testing.T) {
	for _, tt := range []struct {
		text        string
		plain, made bool
	}{
		{`{}`, true, true},
		{`{"a":[1,"}"]}`, true, true},
		{`[1]`, true, false}, // no resource
		{``, false, false},
		{`{`, false, false},
		{`}`, false, false},
		{`null {}`, false, false},
		{`{"a":1} x`, false, false},
		{`{"a":}`, false, true}, // whoever says Made answers for it
	} {
		for _, made := range []bool{false, true} {
			want := tt.plain
			if made {
				want = tt.made
			}
			for where, c := range map[string]*store.Change{"document": changeOf(tt.text, `{}`, made), "data": changeOf(`{}`, tt.text, made)} {
				if err := c.Check(); (err == nil) != want || err != nil && !strings.Contains(err.Error(), "is not JSON") {
					t.Errorf("%s %q, made %t: %v", where, tt.text, made, err)
				}
			}
		}
	}
}

func changeOf(doc, data string, made bool) *store.Change {
	at := time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)
	return &store.Change{
		Key: "k", Made: made,
		Records: []store.Record{{Kind: store.Flow, ID: "a", Created: at, Doc: json.RawMessage(doc)}},
		Events:  []store.Event{{ID: "e", Type: "flow_created", At: at, Data: json.RawMessage(data)}},
	}
}
