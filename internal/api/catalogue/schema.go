package catalogue

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"parley"
)

// schema is a JSON Schema as it is read: maps, lists and values.
type schema = map[string]any

const refPrefix = "#/components/schemas/"

// schemas are those of openapi.yaml by name, references as they are written there.
var schemas = sync.OnceValues(func() (map[string]schema, error) {
	var doc struct {
		Components struct {
			Schemas map[string]schema `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(parley.OpenAPI, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return doc.Components.Schemas, nil
})

// Schema returns the JSON Schema (draft 2020-12) of the data of an event of this type. It needs no other document.
func (e *Entry) Schema() (json.RawMessage, error) {
	all, err := schemas()
	if err != nil {
		return nil, err
	}
	needed := map[string]bool{}
	if err := need(e.About, all, needed); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", e.Type, err)
	}
	defs := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		defs[name] = local(all[name])
	}
	return json.Marshal(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": "#/$defs/" + e.About, "$defs": defs,
	})
}

// need collects the schemas that one refers to, itself included.
func need(name string, all map[string]schema, found map[string]bool) error {
	if found[name] {
		return nil
	}
	s, ok := all[name]
	if !ok {
		return fmt.Errorf("openapi.yaml has no schema %q", name)
	}
	found[name] = true
	var err error
	walk(s, func(ref string) { // the first error is enough
		if e := need(strings.TrimPrefix(ref, refPrefix), all, found); err == nil {
			err = e
		}
	})
	return err
}

// walk calls do for each reference in a schema.
func walk(v any, do func(ref string)) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			do(ref)
		}
		for _, inner := range v {
			walk(inner, do)
		}
	case []any:
		for _, inner := range v {
			walk(inner, do)
		}
	}
}

// local returns a copy whose references point into $defs.
func local(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, inner := range v {
			if ref, ok := inner.(string); ok && name == "$ref" {
				out[name] = "#/$defs/" + strings.TrimPrefix(ref, refPrefix)
				continue
			}
			out[name] = local(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = local(v[i])
		}
		return out
	}
	return v
}
