package digest

import (
	"strings"
	"sync"

	"github.com/icholy/digest"
)

// Keys answer challenges with one user's password, as a client does. They remember the last challenge, so that requests after the first
// are not refused first. Any goroutine may use them.
type Keys struct {
	user, password string
	mu             sync.Mutex // guards asked
	asked          map[bool]*asked
}

// asked is a challenge that was met before: of a proxy (true) or of the other end.
type asked struct {
	digest.Challenge
	count int
}

// NewKeys returns nil without a user: whoever has no keys meets no challenge.
func NewKeys(user, password string) *Keys {
	if user == "" {
		return nil
	}
	return &Keys{user: user, password: password, asked: map[bool]*asked{}}
}

// Learn takes the best of the challenges of a 401 or 407 (proxy): SHA-256 before others, then in their order (RFC 8760 section 2.4). It
// returns whether trying again makes sense: after a failure only when the nonce was too old, since the password does not change.
func (k *Keys) Learn(proxy bool, offers []string, failed bool) bool {
	var best *digest.Challenge
	for _, offer := range offers {
		c, err := digest.ParseChallenge(offer)
		if err != nil {
			continue
		}
		for i := range c.QOP {
			c.QOP[i] = strings.TrimSpace(c.QOP[i])
		}
		if !digest.CanDigest(c) || len(c.QOP) > 0 && !c.SupportsQOP("auth") {
			continue
		}
		if best == nil || strings.EqualFold(c.Algorithm, "SHA-256") && !strings.EqualFold(best.Algorithm, "SHA-256") {
			best = c
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.asked[proxy]
	if best == nil || failed && !best.Stale && before != nil {
		return false
	}
	if len(best.QOP) > 0 {
		best.QOP = []string{"auth"}
	}
	k.asked[proxy] = &asked{Challenge: *best}
	return true
}

// Sign returns the headers, by name, for a request with the method and request URI; none before the first challenge.
func (k *Keys) Sign(method, uri string) map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]string{}
	for proxy, a := range k.asked {
		a.count++
		c, err := digest.Digest(&a.Challenge, digest.Options{Method: method, URI: uri, Count: a.count, Username: k.user, Password: k.password})
		if err != nil {
			continue
		}
		name := "Authorization"
		if proxy {
			name = "Proxy-Authorization"
		}
		out[name] = c.String()
	}
	return out
}
