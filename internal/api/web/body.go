package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"parley/internal/fault"
	"parley/internal/wire"
)

// BodyMax is the largest request body in bytes.
const BodyMax = 1 << 20

// Body reads the request's body, at most BodyMax bytes.
func Body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, BodyMax))
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, new(*http.MaxBytesError)):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(r.Context().Err(), context.DeadlineExceeded):
		return nil, fault.New(fault.Invalid, "REQUEST_BODY_TIMEOUT", "the request body did not come in time; send it again")
	case r.Context().Err() != nil:
		return nil, fmt.Errorf("read body: %w", r.Context().Err())
	}
	return nil, invalidBody("the request body ended early; send it again")
}

// SentAsJSON reports whether the request says that its body is JSON. A page of another site cannot say so without asking first.
func SentAsJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// Parse reads a JSON object into what into points to. Unknown fields are ignored; null leaves a field as it is.
func Parse(body []byte, into any) error {
	switch first := firstByte(body); {
	case first == 0:
		return invalidBody("the request body is empty; send a JSON object, {} for none of its fields")
	case !utf8.Valid(body):
		return invalidBody("the request body is not UTF-8")
	case first != '{':
		return invalidBody("the request body is not a JSON object")
	}
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return invalidBody("the field %q is a %s; it must be a %s", wrong.Field, wrong.Value, typeName(wrong.Type.Kind().String()))
	}
	return invalidBody("the request body is not valid JSON: %v", err)
}

func firstByte(body []byte) byte {
	for _, b := range body {
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b
		}
	}
	return 0
}

// typeName says a Go kind in JSON's words.
func typeName(kind string) string {
	switch {
	case kind == "slice" || kind == "array":
		return "list"
	case kind == "map" || kind == "struct":
		return "object"
	case kind == "bool":
		return "boolean"
	case strings.HasPrefix(kind, "int"), strings.HasPrefix(kind, "uint"):
		return "whole number"
	case strings.HasPrefix(kind, "float"):
		return "number"
	}
	return kind
}

func invalidBody(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_JSON_BODY", format, args...)
}

// PathID reads the path's id.
func PathID(r *http.Request) (string, error) {
	id, ok := wire.ParseUUID(r.PathValue("id"))
	if !ok {
		return "", fault.New(fault.Invalid, "INVALID_ID", "%q is not a UUID", clip(r.PathValue("id")))
	}
	return id, nil
}

// clip keeps foreign text that goes into a message short.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
