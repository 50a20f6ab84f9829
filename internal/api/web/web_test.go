package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/store"
)

func TestTokens(t *testing.T) {
	at := time.Date(2026, 1, 15, 9, 30, 0, 123456000, time.UTC)
	const id = "6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11"
	for _, c := range []struct {
		text string
		want store.Cursor
		ok   bool
	}{
		{"", store.Cursor{}, true},
		{Token(store.Cursor{Created: at, ID: id}), store.Cursor{Created: at, ID: id}, true},
		{"2026-01-15T09:30:00.123456Z", store.Cursor{Created: at}, true},
		{"2026-01-15T10:30:00.123456+01:00", store.Cursor{Created: at}, true},
		{"2026-01-15 09:30:00.123456", store.Cursor{Created: at}, true},
		{"2026-01-15T09:30:00.123456Z_", store.Cursor{}, false},
		{"2026-01-15T09:30:00.123456Z_x", store.Cursor{}, false},
		{"_" + id, store.Cursor{}, false},
		{"0001-01-01T00:00:00Z", store.Cursor{}, false},
		{"now", store.Cursor{}, false},
	} {
		got, err := parseToken(c.text)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("%q is %v, %v", c.text, got, err)
		}
	}
}

func FuzzToken(f *testing.F) {
	for _, s := range []string{"2026-01-15T09:30:00.123456Z_6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11", "2026-01-15 09:30:00", "9999-12-31T23:59:59-23:59", "_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseToken(text)
		if err != nil || c.ID == "" {
			return
		}
		c.Created = c.Created.Truncate(time.Microsecond)
		if again, err := parseToken(Token(c)); err != nil || again != c {
			t.Errorf("%q is %v, its token %q is %v, %v", text, c, Token(c), again, err)
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{}`, ` {"name":null}`, `{"name":"a","n":1,"list":["x"]}`, `{"n":1e9}`, "null", "\x00", `{"a":{"a":{}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into struct {
			Name *string  `json:"name"`
			N    int64    `json:"n"`
			List []string `json:"list"`
		}
		if err := Parse(body, &into); err != nil && NewProblem(err, "/", "r").Status != http.StatusBadRequest {
			t.Errorf("%q: %v", body, err)
		}
	})
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"/a?accesskey=k&x=1": "/a?accesskey=redacted&x=1", "/a?Token=k": "/a?Token=redacted", "/a": "/a", "/a?accesskey=k;%zz": "/a?(unreadable)",
		"/a?token=k&token=l": "/a?token=redacted",
	} {
		u, err := url.ParseRequestURI(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := Redact(u); got != want {
			t.Errorf("%s is logged as %s", in, got)
		}
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(2)
		for i := range 4 {
			if err := l.Take("a"); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
		}
		var late tooOften
		if err := l.Take("a"); !errors.As(err, &late) || late.wait <= 0 || late.wait > time.Second {
			t.Errorf("fifth: %v", err)
		}
		if err := l.Take("b"); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		time.Sleep(time.Second)
		for i := range 2 {
			if err := l.Take("a"); err != nil {
				t.Errorf("a second later, request %d: %v", i, err)
			}
		}
		if err := l.Take("a"); err == nil {
			t.Error("a refusal was counted as time gained")
		}
	})
	if NewLimiter(0) != nil || NewLimiter(-1) != nil || (*Limiter)(nil).Take("a") != nil {
		t.Error("no limit is a limit")
	}
}

// TestLimiterForgets says that many addresses do not take much memory.
func TestLimiterForgets(t *testing.T) {
	l := NewLimiter(1)
	for i := range 2 * keysMax {
		_ = l.Take(strconv.Itoa(i))
	}
	if len(l.keys) > keysMax {
		t.Errorf("%d keys", len(l.keys))
	}
}

func TestAddressKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:5": "192.0.2.1", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[::ffff:192.0.2.1]:5": "::ffff:192.0.2.1", "x": "x", "[fe80::1%eth0]:5": "fe80::/64",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = in
		if got := AddressKey(r); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}
