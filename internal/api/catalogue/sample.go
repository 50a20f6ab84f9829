package catalogue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
	"parley/internal/wire"
)

// now stands for the time of the sample.
const now = "now"

// sampleSpace is the name space of the ids in samples: a field has the same one in all of them.
var sampleSpace = uuid.MustParse("b2c0d2b3-3f0c-5d56-8d6b-7b6f6f2f1d11")

func sampleID(field string) string { return uuid.NewSHA1(sampleSpace, []byte(field)).String() }

// Sample returns an event of this type that never happened, as readers of the log get one.
func (e *Entry) Sample(at time.Time) (store.Entry, error) {
	all, err := schemas()
	if err != nil {
		return store.Entry{}, err
	}
	if _, ok := all[e.About]; !ok {
		return store.Entry{}, fmt.Errorf("sample of %s: openapi.yaml has no schema %q", e.Type, e.About)
	}
	text, _ := json.Marshal(wire.Time(at)) // a time always marshals
	m := maker{all, strings.Trim(string(text), `"`)}
	data, _ := m.value("", all[e.About]).(map[string]any)
	if data == nil {
		return store.Entry{}, fmt.Errorf("sample of %s: %s is no object", e.Type, e.About)
	}
	if _, ok := data["id"]; ok {
		data["id"] = sampleID(strings.ToLower(e.About))
	}
	if _, ok := data["conference_id"]; ok {
		data["conference_id"] = sampleID("conference")
	}
	for name, v := range e.With {
		if v == now {
			v = m.at
		}
		data[name] = v
	}
	doc, err := json.Marshal(data)
	if err != nil {
		return store.Entry{}, fmt.Errorf("sample of %s: %w", e.Type, err)
	}
	out := store.Entry{Seq: 1, ID: sampleID("event"), Type: e.Type, At: wire.Time(at), CustomerID: sampleID("customer_id"), ConferenceID: wire.NilUUID, Data: doc}
	if _, ok := data["conference_id"]; ok || e.About == "Conference" {
		out.ConferenceID = sampleID("conference")
	}
	return out, nil
}

// maker makes values that satisfy schemas.
type maker struct {
	all map[string]schema
	at  string
}

// happened are the times that every resource has; what else may be null is null.
var happened = []string{"tm_create", "tm_update"}

// value returns one for the field: what is required, the first of what is allowed.
func (m maker) value(field string, s schema) any {
	if ref, ok := s["$ref"].(string); ok {
		if ref == refPrefix+"Time" {
			if slices.Contains(happened, field) {
				return m.at
			}
			return nil
		}
		return m.value(field, m.all[strings.TrimPrefix(ref, refPrefix)])
	}
	if v, ok := s["const"]; ok {
		return v
	}
	if list, ok := s["enum"].([]any); ok {
		return firstOf(list)
	}
	for _, word := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := s[word].([]any); ok && len(list) > 0 {
			inner, _ := list[0].(map[string]any)
			return m.value(field, inner)
		}
	}
	if s["format"] == "uuid" {
		return sampleID(field)
	}
	return m.typed(field, s)
}

// typed returns a value of the schema's type: null where that is allowed.
func (m maker) typed(field string, s schema) any {
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]any); ok {
		if slices.Contains(kinds, any("null")) {
			return nil
		}
		kind, _ = kinds[0].(string)
	}
	switch kind {
	case "object":
		return m.object(s)
	case "array":
		return []any{}
	case "boolean":
		return false
	case "integer", "number":
		if least, ok := s["minimum"]; ok && s["maximum"] == nil {
			return least
		}
		return 0
	case "string":
		if list, ok := s["examples"].([]any); ok && len(list) > 0 {
			return list[0]
		}
		return ""
	}
	return nil
}

func (m maker) object(s schema) any {
	out := map[string]any{}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) {
			inner, _ := properties[name].(map[string]any)
			out[name] = m.value(name, inner)
		}
	}
	return out
}

// firstOf returns the first that is not empty.
func firstOf(list []any) any {
	for _, v := range list {
		if v != nil && v != "" {
			return v
		}
	}
	return list[0]
}
