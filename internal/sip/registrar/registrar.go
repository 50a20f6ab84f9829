// Package registrar knows where the phones of extensions are: it authenticates requests with digest and keeps the bindings of REGISTER (RFC
// 3261 section 10) in memory until they expire. It owns the bindings, starts no goroutine (what has expired is thrown away when
// somebody looks), and leaves extensions and their secrets to whoever looks them up. A Registrar may be used from any goroutine.
package registrar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	door "parley/internal/sip"
	"parley/internal/sip/digest"
	"parley/internal/store"
	"parley/internal/wall"
)

// Extension is what is kept of the extension that a phone registers with.
type Extension struct {
	CustomerID string
	Secret     digest.Secret
	SRTP       string // off (also ""), optional, required
}

// Options of a Registrar. Zero values mean the defaults, but Authority and Lookup are required.
type Options struct {
	Authority *digest.Authority
	// Lookup returns the extension with the user name, a fault.NotFound when there is none.
	Lookup func(ctx context.Context, user string) (Extension, error)

	UserAgent string        // Server header; default "parley"
	Least     time.Duration // shortest binding, below it 423; default 60 s
	Most      time.Duration // longest binding, also the default of who asks for none; default 3600 s
	Bindings  int           // of one extension; default 10; a new one takes the place of the one that was refreshed longest ago
	Timeout   time.Duration // how long a lookup may take; default 5 s
}

// Registrar authenticates requests and keeps bindings.
type Registrar struct {
	o     Options
	mu    sync.Mutex // guards what follows
	users map[string][]Binding
	swept time.Time
}

// New makes a registrar without bindings.
func New(o Options) *Registrar {
	if o.UserAgent == "" {
		o.UserAgent = "parley"
	}
	if o.Bindings <= 0 {
		o.Bindings = 10
	}
	for v, d := range map[*time.Duration]time.Duration{&o.Least: time.Minute, &o.Most: time.Hour, &o.Timeout: 5 * time.Second} {
		if *v <= 0 {
			*v = d
		}
	}
	return &Registrar{o: o, users: map[string][]Binding{}}
}

// Stored is a Lookup in the store, by the documents that the API writes.
func Stored(st store.Store) func(context.Context, string) (Extension, error) {
	return func(ctx context.Context, user string) (Extension, error) {
		rec, err := st.Resolve(ctx, "extension", user)
		if err != nil {
			return Extension{}, fmt.Errorf("look up extension: %w", err)
		}
		var doc struct {
			MD5    string `json:"ha1_md5"`
			SHA256 string `json:"ha1_sha256"`
			SRTP   string `json:"srtp"`
		}
		if rec.Kind != store.Extension || rec.Deleted {
			return Extension{}, fault.New(fault.NotFound, "EXTENSION_NOT_FOUND", "there is no extension %q", user)
		}
		if err := json.Unmarshal(rec.Doc, &doc); err != nil {
			return Extension{}, fmt.Errorf("read extension %s: %w", rec.ID, err)
		}
		return Extension{rec.CustomerID, digest.Secret{MD5: doc.MD5, SHA256: doc.SHA256}, doc.SRTP}, nil
	}
}

// Authenticate is for sip.Options: without digest credentials it returns the zero Identity and a challenge; with credentials that do not
// hold, the response that says so.
func (r *Registrar) Authenticate(req *sip.Request, source netip.AddrPort) (door.Identity, *sip.Response) {
	header, ok := credentials(req)
	if !ok {
		return door.Identity{}, r.challenge(req, false)
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.o.Timeout)
	defer cancel()
	var ext Extension
	var failed error
	claim := digest.Claim{Method: string(req.Method), URI: req.Recipient.String(), Authorization: header, Source: source.Addr()}
	user, err := r.o.Authority.Verify(wall.Now(), claim, func(user string) (digest.Secret, bool) {
		var err error
		if ext, err = r.o.Lookup(ctx, user); err != nil && fault.KindOf(err) != fault.NotFound {
			failed = err
		}
		return ext.Secret, err == nil
	})
	switch {
	case failed != nil: // says nothing about the credentials
		return door.Identity{}, r.respond(req, 503, "Service Unavailable", sip.NewHeader("Retry-After", "5"))
	case err == nil:
		return door.Identity{CustomerID: ext.CustomerID, Extension: user, Secure: ext.SRTP == "required"}, nil
	case errors.Is(err, digest.ErrGuessing):
		return door.Identity{}, r.respond(req, 403, "Too Many Wrong Credentials")
	}
	// A count that was used before comes from phones that never count: with a fresh nonce they are right again.
	return door.Identity{}, r.challenge(req, errors.Is(err, digest.ErrStale) || errors.Is(err, digest.ErrReplayed))
}

// credentials returns the first digest credentials of a request; other schemes count as none (RFC 3261 section 22.1).
func credentials(req *sip.Request) (value string, ok bool) {
	for _, h := range req.GetHeaders("authorization") {
		if scheme, _, _ := strings.Cut(h.Value(), " "); strings.EqualFold(scheme, "Digest") {
			return h.Value(), true
		}
	}
	return "", false
}

// md5Only are the beginnings of User-Agents that fail at a challenge they do not understand instead of taking the next one: libre before
// its version 3 does. Whoever could change the header on its way could as well take the better challenge out of the response.
var md5Only = []string{"baresip v0.", "baresip v1.", "baresip v2."}

func (r *Registrar) challenge(req *sip.Request, stale bool) *sip.Response {
	res := r.respond(req, 401, "Unauthorized")
	offers := r.o.Authority.Challenges(wall.Now(), stale)
	if ua := req.GetHeader("user-agent"); ua != nil && slices.ContainsFunc(md5Only, func(p string) bool { return strings.HasPrefix(ua.Value(), p) }) {
		offers = offers[len(offers)-1:]
	}
	for _, c := range offers {
		res.AppendHeader(sip.NewHeader("WWW-Authenticate", c))
	}
	return res
}

func (r *Registrar) respond(req *sip.Request, code int, reason string, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, nil)
	res.AppendHeader(sip.NewHeader("Server", r.o.UserAgent))
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// Lookup returns the live bindings of an extension, the preferred one first: by q, then by which is newest.
func (r *Registrar) Lookup(extension string) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(live(r.users[extension], wall.Now()))
	slices.SortStableFunc(out, func(a, b Binding) int {
		if a.Q != b.Q {
			return b.Q - a.Q
		}
		return b.updated.Compare(a.updated)
	})
	return out
}

// Forget throws all bindings of an extension away, as when it is deleted.
func (r *Registrar) Forget(extension string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.users, extension)
}
