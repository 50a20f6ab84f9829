package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

const pageMax = 100

// Page is what a list's query asks for.
type Page struct {
	Size   int // 1..100
	Before store.Cursor
}

// ParsePage reads page_size and page_token. Sizes out of range are 100, as in the original.
func ParsePage(q url.Values) (p Page, err error) {
	size, err := Int(q, "page_size", pageMax)
	if err != nil {
		return p, err
	}
	if p.Size = int(size); size < 1 || size > pageMax {
		p.Size = pageMax
	}
	p.Before, err = parseToken(q.Get("page_token"))
	return p, err
}

// Token returns the page token of a place in a list: time of creation and id.
func Token(c store.Cursor) string { return wire.Time(c.Created).String() + "_" + c.ID }

// parseToken reads Token's text, or a time alone, which means everything older than it.
func parseToken(token string) (c store.Cursor, err error) {
	if token == "" {
		return c, nil
	}
	at, id, tied := strings.Cut(token, "_")
	if tied {
		if c.ID, tied = wire.ParseUUID(id); !tied {
			return c, badToken()
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999"} {
		if c.Created, err = time.Parse(layout, at); err == nil {
			break
		}
	}
	c.Created = c.Created.UTC()
	if err != nil || c.Created.IsZero() || c.Created.Year() > 9999 {
		return store.Cursor{}, badToken()
	}
	return c, nil
}

func badToken() error {
	return fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", `the parameter "page_token" is not a token of this list; leave it out to start from the newest`)
}

// Int reads a whole number, fallback when the parameter is absent or empty.
func Int(q url.Values, name string, fallback int64) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q has an invalid format: %q is not a whole number", name, clip(text))
	}
	return n, nil
}

// UUID reads an id, "" when the parameter is absent or empty.
func UUID(q url.Values, name string) (string, error) {
	text := q.Get(name)
	if text == "" {
		return "", nil
	}
	id, ok := wire.ParseUUID(text)
	if !ok {
		return "", fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q has an invalid format: %q is not a UUID", name, clip(text))
	}
	return id, nil
}

// Words reads a parameter that may be repeated and may hold several words with commas between them.
func Words(q url.Values, name string) []string {
	var words []string
	for _, text := range q[name] {
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				words = append(words, word)
			}
		}
	}
	return words
}

// Choices is Words where each has to be one of allowed.
func Choices(q url.Values, name string, allowed ...string) ([]string, error) {
	words := Words(q, name)
	for _, word := range words {
		if !slices.Contains(allowed, word) {
			return nil, fault.New(fault.Invalid, "INVALID_REQUEST_PARAMETER", "the parameter %q has an invalid value: %q; use %s",
				name, clip(word), strings.Join(allowed, ", "))
		}
	}
	return words, nil
}
