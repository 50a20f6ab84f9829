package digest

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/icholy/digest"
)

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	source = netip.MustParseAddr("127.0.0.1")
)

// users is a lookup with one user, alice.
func users(realm string) func(string) (Secret, bool) {
	return func(user string) (Secret, bool) {
		return NewSecret(user, realm, "wonderland"), user == "alice"
	}
}

// answer makes the Authorization header of a client.
func answer(t testing.TB, challenge, user, password string, count int) string {
	t.Helper()
	c, err := digest.ParseChallenge(challenge)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := digest.Digest(c, digest.Options{Method: "REGISTER", URI: "sip:parley", Username: user, Password: password, Count: count})
	if err != nil {
		t.Fatal(err)
	}
	return cred.String()
}

func TestAnswers(t *testing.T) {
	a := New(Options{Realm: "parley", Failures: -1})
	other := New(Options{Realm: "parley"})
	for i, algorithm := range []string{"SHA-256", "MD5"} {
		good := answer(t, a.Challenges(noon, false)[i], "alice", "wonderland", 1)
		for name, c := range map[string]struct {
			header, method string
			at             time.Time
			want           error
		}{
			"good":           {good, "REGISTER", noon, nil},
			"late":           {answer(t, a.Challenges(noon, false)[i], "alice", "wonderland", 1), "REGISTER", noon.Add(6 * time.Minute), ErrStale},
			"other method":   {answer(t, a.Challenges(noon, false)[i], "alice", "wonderland", 1), "INVITE", noon, ErrRefused},
			"wrong password": {answer(t, a.Challenges(noon, false)[i], "alice", "looking-glass", 1), "REGISTER", noon, ErrRefused},
			"unknown user":   {answer(t, a.Challenges(noon, false)[i], "bob", "wonderland", 1), "REGISTER", noon, ErrRefused},
			"unknown, empty": {answer(t, a.Challenges(noon, false)[i], "bob", "", 1), "REGISTER", noon, ErrRefused},
			"foreign nonce":  {answer(t, other.Challenges(noon, false)[i], "alice", "wonderland", 1), "REGISTER", noon, ErrStale},
			"not digest":     {"Basic YWxpY2U6", "REGISTER", noon, ErrMalformed},
			"empty":          {"", "REGISTER", noon, ErrMalformed},
		} {
			if _, err := a.Verify(c.at, Claim{c.method, "sip:parley", c.header, source}, users("parley")); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v, want %v", algorithm, name, err, c.want)
			}
		}
		if _, err := a.Verify(noon, Claim{"REGISTER", "sip:parley", good, source}, users("parley")); !errors.Is(err, ErrReplayed) {
			t.Errorf("%s, again: %v, want %v", algorithm, err, ErrReplayed)
		}
	}
}

// TestVector is the example of RFC 7616 section 3.9.1, whose nonce is not ours: the secret and the hash must be right.
func TestVector(t *testing.T) {
	s := NewSecret("Mufasa", "http-auth@example.org", "Circle of Life")
	for algorithm, c := range map[string]struct{ a1, response string }{
		"MD5":     {s.MD5, "8ca523f5e9506fed4657c9700eebdbec"},
		"SHA-256": {s.SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		got, err := digest.Digest(
			&digest.Challenge{Realm: "http-auth@example.org", Nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", Algorithm: algorithm, QOP: []string{"auth"}},
			digest.Options{Method: "GET", URI: "/dir/index.html", Count: 1, Username: "Mufasa", A1: c.a1, Cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"},
		)
		if err != nil || got.Response != c.response {
			t.Errorf("%s: %v, %v", algorithm, got, err)
		}
	}
}

func TestCountsMayOvertake(t *testing.T) {
	a := New(Options{Realm: "parley"})
	challenge := a.Challenges(noon, false)[0]
	for i, c := range []struct {
		count int
		want  error
	}{{1, nil}, {5, nil}, {3, nil}, {3, ErrReplayed}, {5, ErrReplayed}, {100, nil}, {4, ErrReplayed}, {99, nil}} {
		if _, err := a.Verify(noon, Claim{"REGISTER", "sip:PARLEY:5060;lr", answer(t, challenge, "alice", "wonderland", c.count), source}, users("parley")); !errors.Is(err, c.want) {
			t.Errorf("step %d, count %d: %v, want %v", i, c.count, err, c.want)
		}
	}
}

func TestGuessing(t *testing.T) {
	a := New(Options{Realm: "parley", Failures: 3})
	try := func(at time.Time, password string, from netip.Addr) error {
		_, err := a.Verify(at, Claim{"REGISTER", "sip:parley", answer(t, a.Challenges(at, false)[0], "alice", password, 1), from}, users("parley"))
		return err
	}
	for i := range 3 {
		if err := try(noon, fmt.Sprint("guess", i), source); !errors.Is(err, ErrRefused) {
			t.Fatal(err)
		}
	}
	if err := try(noon, "wonderland", source); !errors.Is(err, ErrGuessing) {
		t.Errorf("after three failures: %v", err)
	}
	if err := try(noon, "wonderland", netip.MustParseAddr("127.0.0.2")); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := try(noon.Add(11*time.Minute), "wonderland", source); err != nil {
		t.Errorf("later: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	a := New(Options{Realm: "parley", Failures: -1})
	f.Add(answer(f, a.Challenges(noon, true)[0], "alice", "wonderland", 1))
	f.Add(`Digest username="alice", nc=ffffffffffffffff, qop=auth`)
	f.Add(`Digest username="alice`)
	f.Fuzz(func(t *testing.T, header string) {
		if user, err := a.Verify(noon, Claim{"INVITE", "sip:parley", header, source}, users("parley")); err == nil {
			t.Errorf("%q was taken for %q", header, user)
		}
	})
}

func TestCredentialsOfAnotherTarget(t *testing.T) {
	a := New(Options{Realm: "parley"})
	for uri, want := range map[string]error{
		"sip:parley": nil, "sip:Parley:5070;transport=tcp": nil, "sips:parley": ErrRefused, "sip:parley.example.com": ErrRefused, "sip:alice@parley": ErrRefused, "": ErrRefused,
	} {
		header := answer(t, a.Challenges(noon, false)[0], "alice", "wonderland", 1)
		if _, err := a.Verify(noon, Claim{"REGISTER", uri, header, source}, users("parley")); !errors.Is(err, want) {
			t.Errorf("for %q: %v, want %v", uri, err, want)
		}
	}
}

// TestKeys lets our own client answer our own challenges.
func TestKeys(t *testing.T) {
	a := New(Options{Realm: "parley"})
	k := NewKeys("alice", "wonderland")
	if len(k.Sign("REGISTER", "sip:parley")) != 0 {
		t.Error("credentials without a challenge")
	}
	verify := func(want error) {
		t.Helper()
		got := k.Sign("REGISTER", "sip:parley")
		if len(got) != 1 {
			t.Fatalf("headers %v", got)
		}
		for _, header := range got {
			if _, err := a.Verify(noon, Claim{"REGISTER", "sip:parley", header, source}, users("parley")); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
	}
	if !k.Learn(false, a.Challenges(noon, false), false) {
		t.Fatal("a first challenge is not taken")
	}
	verify(nil)
	verify(nil) // counts
	if k.Learn(false, a.Challenges(noon, false), true) {
		t.Error("a refused password is tried again")
	}
	if !k.Learn(false, a.Challenges(noon.Add(-time.Hour), true), true) {
		t.Error("a stale nonce is not replaced")
	}
	verify(ErrStale)
	for _, offer := range []string{"Basic realm=x", `Digest realm="r", nonce="n", algorithm=UNKNOWN`, `Digest realm="r", nonce="n", qop="auth-int"`, "Digest"} {
		if NewKeys("a", "b").Learn(true, []string{offer}, false) && offer != "Digest" {
			t.Errorf("%q is taken", offer)
		}
	}
}

func FuzzLearn(f *testing.F) {
	f.Add(`Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256`)
	f.Add(`Digest realm="\\`)
	f.Fuzz(func(_ *testing.T, offer string) {
		k := NewKeys("alice", "x")
		k.Learn(true, []string{offer}, false)
		k.Sign("INVITE", "sip:parley")
	})
}
