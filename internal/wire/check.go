package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// OptionalUUID reads a UUID that may be left out: "" and the nil UUID are "".
func OptionalUUID(s string) (string, error) {
	if s == "" || s == NilUUID {
		return "", nil
	}
	id, ok := ParseUUID(s)
	if !ok {
		return "", fmt.Errorf("%q is not a UUID", s)
	}
	return id, nil
}

// RequiredUUID reads a UUID that has to be there and not nil.
func RequiredUUID(s string) (string, error) {
	id, err := OptionalUUID(s)
	if err == nil && id == "" {
		err = fmt.Errorf("%q is not a UUID, or the nil UUID", s)
	}
	return id, err
}

// Text checks that s is UTF-8 without NUL, which every store can keep, and of at most most characters.
func Text(s string, most int) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return errors.New("it is not text in UTF-8, or has a NUL in it")
	}
	if n := utf8.RuneCountInString(s); n > most {
		return fmt.Errorf("it has %d characters; at most %d are kept", n, most)
	}
	return nil
}

// OneOf returns the value if it is among the allowed ones, of which there is at least one; "" is the first of them.
func OneOf[S ~string](value S, allowed ...S) (S, error) {
	if value == "" {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, value) {
		named := slices.DeleteFunc(slices.Clone(allowed), func(s S) bool { return s == "" })
		return "", fmt.Errorf("%q is unknown; use one of %v", value, named)
	}
	return value, nil
}

// Object returns a JSON object of at most most bytes in the compact form, which is the same again after a way through the
// store. null and nothing are {}.
func Object(data []byte, most int) (json.RawMessage, error) {
	if len(data) > most {
		return nil, fmt.Errorf("it has %d bytes; at most %d are kept", len(data), most)
	}
	if len(data) == 0 {
		return json.RawMessage("{}"), nil
	}
	compact, err := json.Marshal(json.RawMessage(data))
	if err != nil || !utf8.Valid(data) {
		return nil, errors.New("it is not JSON in UTF-8")
	}
	if string(compact) == "null" {
		return json.RawMessage("{}"), nil
	}
	if compact[0] != '{' {
		return nil, errors.New("it must be a JSON object")
	}
	return compact, nil
}

// IDs returns the list so that JSON has [] for none.
func IDs(ids []string) []string {
	if ids == nil {
		return []string{}
	}
	return ids
}
