// Package digest authenticates SIP requests (RFC 8760, RFC 7616): challenges with SHA-256 and MD5, nonces that need no memory because they are signed
// and timed, a small memory against replays, and a limit on guesses. It owns that memory, starts no goroutine, and leaves the
// secrets to whoever looks them up. An Authority may be used from any goroutine.
package digest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/icholy/digest"
)

// Secret is what is kept of a user's password: H(user:realm:password) in hexadecimal, for both algorithms.
type Secret struct{ MD5, SHA256 string }

// NewSecret derives what is kept from a password.
func NewSecret(user, realm, password string) Secret {
	a1 := []byte(user + ":" + realm + ":" + password)
	m, s := md5.Sum(a1), sha256.Sum256(a1)
	return Secret{MD5: hex.EncodeToString(m[:]), SHA256: hex.EncodeToString(s[:])}
}

// Errors of Verify. Unknown user and wrong password are the same error after the same work.
var (
	ErrMalformed = errors.New("digest: the Authorization header cannot be read")
	ErrStale     = errors.New("digest: the nonce has expired")
	ErrRefused   = errors.New("digest: the credentials do not hold")
	ErrReplayed  = errors.New("digest: the nonce count was used before")
	ErrGuessing  = errors.New("digest: too many failures from this address")
)

// Options of an Authority.
type Options struct {
	Realm    string
	Life     time.Duration // of a nonce; default 5 min
	Failures int           // per source address and Life, above which everything is refused; default 20; negative: no limit
}

// Authority issues challenges and judges answers to them.
type Authority struct {
	o        Options
	key      [32]byte
	counts   table[string, replay]
	failures table[netip.Addr, int]
}

// New makes an Authority with a fresh key: nonces of an earlier run are stale, which clients answer by themselves.
func New(o Options) *Authority {
	if o.Life <= 0 {
		o.Life = 5 * time.Minute
	}
	if o.Failures == 0 {
		o.Failures = 20
	}
	a := &Authority{o: o}
	_, _ = rand.Read(a.key[:]) // never fails (crypto/rand)
	a.counts.life, a.failures.life = o.Life, o.Life
	return a
}

// Challenges returns the values of two WWW-Authenticate headers with one nonce, the stronger algorithm first (RFC 8760 section 2.4).
func (a *Authority) Challenges(now time.Time, stale bool) []string {
	out := make([]string, 0, 2)
	nonce := a.nonce(now)
	for _, algorithm := range []string{"SHA-256", "MD5"} {
		c := digest.Challenge{Realm: a.o.Realm, Nonce: nonce, Algorithm: algorithm, QOP: []string{"auth"}, Stale: stale}
		out = append(out, c.String())
	}
	return out
}

// Claim is what a request brings to prove who sent it.
type Claim struct {
	Method, URI   string // of the request line
	Authorization string // header
	Source        netip.Addr
}

// Verify judges a claim and returns the user. lookup returns what is kept of a user; it is called once, also for what will be refused.
func (a *Authority) Verify(now time.Time, claim Claim, lookup func(user string) (Secret, bool)) (string, error) {
	if n, _ := a.failures.get(now, claim.Source); a.o.Failures > 0 && n >= a.o.Failures {
		return "", ErrGuessing
	}
	c, err := digest.ParseCredentials(claim.Authorization)
	if err != nil || c.Username == "" || len(claim.Authorization) > 4096 {
		return "", ErrMalformed
	}
	err = a.judge(now, claim.Method, c, lookup)
	if err == nil && !alike(c.URI, claim.URI) {
		err = ErrRefused
	}
	if err != nil {
		if errors.Is(err, ErrRefused) { // a replay repeats what once held: nobody guesses that way
			a.failures.update(now, claim.Source, func(n int) int { return n + 1 })
		}
		return "", err
	}
	return c.Username, nil
}

// alike tells that credentials were made for the request's target (RFC 3261 section 22.4): scheme, user and host are the same. Port and
// parameters may differ, since phones leave them out.
func alike(made, target string) bool {
	return strings.EqualFold(part(made), part(target))
}

// part is a URI without port, parameters and headers.
func part(uri string) string {
	scheme, rest, _ := strings.Cut(uri, ":")
	user := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		user, rest = rest[:i+1], rest[i+1:]
	}
	if i := strings.IndexAny(rest, ";?>"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		rest = rest[:i]
	}
	if plain, err := url.PathUnescape(user); err == nil {
		user = plain
	}
	return scheme + ":" + user + rest
}

func (a *Authority) judge(now time.Time, method string, c *digest.Credentials, lookup func(string) (Secret, bool)) error {
	secret, known := lookup(c.Username)
	if !known {
		secret = NewSecret(c.Username, a.o.Realm, "") // the same work as for a known one
	}
	a1 := secret.MD5
	if strings.EqualFold(c.Algorithm, "SHA-256") {
		a1 = secret.SHA256
	} else if c.Algorithm != "" && !strings.EqualFold(c.Algorithm, "MD5") {
		return ErrRefused
	}
	want, err := digest.Digest(
		&digest.Challenge{Realm: a.o.Realm, Nonce: c.Nonce, Algorithm: c.Algorithm, QOP: []string{"auth"}},
		digest.Options{Method: method, URI: c.URI, Count: c.Nc, Username: c.Username, A1: a1, Cnonce: c.Cnonce},
	)
	same := err == nil && subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response))) == 1
	if !same || !known || c.QOP != "auth" || c.Nc < 1 || c.Cnonce == "" || c.Realm != a.o.Realm {
		return ErrRefused
	}
	switch made, ours := a.made(c.Nonce); {
	case !ours || now.Sub(made) > a.o.Life || made.After(now.Add(time.Minute)):
		return ErrStale
	case !a.first(now, c.Nonce, c.Nc):
		return ErrReplayed
	}
	return nil
}

// nonce is the time, 8 random bytes, and their signature.
func (a *Authority) nonce(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli()))
	_, _ = rand.Read(b[8:])
	return base64.RawURLEncoding.EncodeToString(append(b[:], a.sign(b[:])...))
}

func (a *Authority) sign(b []byte) []byte {
	m := hmac.New(sha256.New, a.key[:])
	m.Write(b)
	return m.Sum(nil)[:16]
}

// made returns when a nonce was made, and whether by us.
func (a *Authority) made(nonce string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(b) != 32 || !hmac.Equal(b[16:], a.sign(b[:16])) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))), true
}

// replay is the highest count seen of a nonce and which of the 64 below it were seen: counts may overtake each other on UDP.
type replay struct {
	highest int
	seen    uint64
}

// first reports whether this is the first use of the count.
func (a *Authority) first(now time.Time, nonce string, count int) (fresh bool) {
	a.counts.update(now, nonce, func(r replay) replay {
		switch ahead := count - r.highest; {
		case ahead > 0:
			fresh = true
			r.seen = r.seen<<min(ahead, 64) | 1
			r.highest = count
		case ahead > -64 && r.seen&(1<<-ahead) == 0:
			fresh = true
			r.seen |= 1 << -ahead
		}
		return r
	})
	return fresh
}
