package login

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"parley/internal/agent"
	"parley/internal/agent/roster"
	"parley/internal/fault"
	"parley/internal/store/memory"
)

const key = "a key of thirty-two bytes or more"

func desk(t testing.TB) (d *Desk, who agent.Record) {
	t.Helper()
	r := roster.New(memory.New())
	d = New(Options{Roster: r, Key: []byte(key), Cost: bcrypt.MinCost})
	hash, err := d.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.Add(t.Context(), agent.Agent{
		CustomerID: "11111111-0000-4000-8000-000000000001", Username: "ann", Name: strings.Repeat("ü", 255), Detail: strings.Repeat("x", 4096),
	}, hash, nil)
	if err == nil {
		who, err = r.Record(t.Context(), a.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d, who
}

func TestTokens(t *testing.T) {
	d, who := desk(t)
	token, err := d.token(&who, time.Now())
	if err != nil || !IsToken(token) || len(token) > 3800 { // browsers keep 4096 bytes of a cookie
		t.Fatalf("%d bytes, %v", len(token), err)
	}
	if got, err := d.Authenticate(t.Context(), token); err != nil || got.AgentID != who.ID || got.KeyID != "" || time.Until(got.Expires) < 167*time.Hour {
		t.Errorf("%+v %v", got, err)
	}
	old, err := d.token(&who, time.Now().Add(-7*24*time.Hour-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Authenticate(t.Context(), old); fault.KindOf(err) != fault.Unauthenticated {
		t.Errorf("an expired one: %v", err)
	}
}

func TestHash(t *testing.T) {
	d, _ := desk(t)
	for password, good := range map[string]bool{
		"correct horse": true, strings.Repeat("x", 72): true, strings.Repeat("ü", 36): true,
		"": false, "1234567": false, strings.Repeat("x", 73): false, strings.Repeat("ü", 37): false, "nul\x00 in it": false, "no text \xff": false,
	} {
		if _, err := d.Hash(t.Context(), password); (err == nil) != good {
			t.Errorf("%q: %v", password, err)
		}
	}
}

func TestCheck(t *testing.T) {
	d, who := desk(t)
	for _, tt := range []struct {
		username, password string
		want               bool
	}{
		{"ann", "correct horse", true},
		{"ANN", "correct horse", true},
		{"ann", "correct horse ", false},
		{"ben", "correct horse", false},
		{"ben", "nobody's", false},
		{"", "", false},
		{"an\x00n", "correct horse", false},
		{"ann", strings.Repeat("x", 1000), false},
	} {
		got, ok, err := d.check(t.Context(), tt.username, tt.password)
		if err != nil || ok != tt.want || ok && got.ID != who.ID {
			t.Errorf("%q %q: %t %v", tt.username, tt.password, ok, err)
		}
	}
}

// FuzzAuthenticate says that nothing but what was made here is let in, and that a token is let in in its own form only.
func FuzzAuthenticate(f *testing.F) {
	d, who := desk(f)
	good, err := d.token(&who, time.Now())
	if err != nil {
		f.Fatal(err)
	}
	last := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	same := good[:len(good)-1] + string(last[strings.IndexByte(last, good[len(good)-1])^1]) // differs in bits that say nothing
	for _, seed := range []string{same, good, good + ".", good[:len(good)-1], "", "..", "eyJhbGciOiJub25lIn0.e30.", strings.ToUpper(good), strings.Replace(good, ".", "..", 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := d.Authenticate(t.Context(), token)
		if (err == nil) != (token == good) || err == nil && got.AgentID != who.ID {
			t.Errorf("%q: %+v %v", token, got, err)
		}
		if err != nil && fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("%q: %v", token, err)
		}
	})
}
