package rest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
)

// finishTimeout bounds the writing of an answer that is already decided, whether or not the client still waits.
const finishTimeout = 5 * time.Second

// claim is the right to carry out the request of an idempotency key.
type claim struct {
	answer store.Answer
	seal   func([]byte) ([]byte, error)
	kept   bool // the answer was written together with the change
}

// once carries out a request with an Idempotency-Key at most once. Only successes are kept: a refusal has changed nothing, so that its repetition is a
// request like any other.
func (g *Guard) once(w http.ResponseWriter, rt Route, r *Request) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 255 || strings.ContainsFunc(key, func(c rune) bool { return c < '!' || c > '~' }) {
		refuse(w, r.Request, fault.New(fault.Invalid, "INVALID_ARGUMENT", "Idempotency-Key: it must have 1 to 255 visible ASCII characters"))
		return
	}
	c := &claim{answer: store.Answer{CustomerID: r.CustomerID, Key: key, Request: fingerprint(r)}, seal: plain}
	if rt.Secret {
		c.seal = sealer(r.secret)
	}
	known, err := g.Store.Claim(r.Context(), c.answer)
	if err != nil {
		refuse(w, r.Request, fmt.Errorf("claim idempotency key: %w", err))
		return
	}
	if known != nil {
		replay(w, rt, r, known)
		return
	}
	r.claim = c
	done := false
	defer func() {
		if !done { // refused or broken: the key is free again
			_ = g.finish(r.Context(), c.answer)
		}
	}()
	a, err := rt.run(r)
	if err != nil {
		refuse(w, r.Request, err)
		return
	}
	// From here on nothing may be repeated. An answer that cannot be kept leaves the claim: repetitions are refused, not carried out.
	done = true
	if !c.kept {
		if err := g.keep(r.Context(), c, a.body); err != nil {
			g.Log.Error("answer of an idempotency key not kept", "request_id", web.RequestID(r.Request), "error", err)
		}
	}
	a.write(w)
}

// keep stores the answer of a request that has been carried out.
func (g *Guard) keep(ctx context.Context, c *claim, body []byte) error {
	var err error
	kept := c.answer
	kept.Status = http.StatusOK
	if kept.Body, err = c.seal(body); err != nil {
		return err
	}
	return g.finish(ctx, kept)
}

func (g *Guard) finish(ctx context.Context, a store.Answer) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	return g.Store.Finish(ctx, a)
}

// replay answers a request whose key is known.
func replay(w http.ResponseWriter, rt Route, r *Request, known *store.Answer) {
	body := known.Body
	var err error
	switch {
	case known.Request != fingerprint(r):
		err = keyReused("this Idempotency-Key was used with another path or body; use a new key")
	case known.Status == 0:
		err = fault.New(fault.Conflict, "IDEMPOTENCY_KEY_IN_USE", "the first request with this Idempotency-Key is still under way; try again")
	case rt.Secret:
		if body, err = unseal(r.secret, body); err != nil {
			err = keyReused("this Idempotency-Key was used with another access key; use a new key")
		}
	}
	if err != nil {
		refuse(w, r.Request, err)
		return
	}
	w.Header().Set("Idempotent-Replayed", "true")
	web.Write(w, known.Status, web.JSON, body)
}

func keyReused(text string) error {
	return fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "%s", text)
}

// fingerprint tells requests apart: method, path without its prefix, body.
func fingerprint(r *Request) [32]byte {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v1.0"), "/v1")
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", r.Method, path)
	h.Write(r.Body)
	return [32]byte(h.Sum(nil))
}

// idSpace is the name space of ids that are made from idempotency keys.
var idSpace = uuid.MustParse("6c8dd8f6-9f0a-5c0b-9d0e-6b8f3b0f7a51")

// NewID returns an id for what the request makes. With an idempotency key it is always the same one, so that a repetition finds what was made when
// the process died before its answer was kept.
func (r *Request) NewID() string {
	if r.claim == nil {
		return uuid.NewString()
	}
	name := append([]byte(r.CustomerID+"\n"+r.claim.answer.Key+"\n"), r.claim.answer.Request[:]...)
	return uuid.NewSHA1(idSpace, name).String()
}

// Repeatable reports whether the request has an idempotency key.
func (r *Request) Repeatable() bool { return r.claim != nil }

// KeepWith returns the answer that a change is to keep, nil without an idempotency key.
func (r *Request) KeepWith(body any) (*store.Answer, error) {
	if r.claim == nil {
		return nil, nil
	}
	text, err := encode(body)
	if err != nil {
		return nil, err
	}
	a := r.claim.answer
	a.Status = http.StatusOK
	if a.Body, err = r.claim.seal(text); err != nil {
		return nil, err
	}
	r.claim.kept = true
	return &a, nil
}

// plain keeps a body as it is.
func plain(body []byte) ([]byte, error) { return body, nil }

// sealer encrypts for whoever has the credential: an answer with a secret must not lie around.
func sealer(credential string) func([]byte) ([]byte, error) {
	return func(body []byte) ([]byte, error) {
		box, err := boxOf(credential)
		if err != nil {
			return nil, err
		}
		nonce := make([]byte, box.NonceSize())
		_, _ = rand.Read(nonce) // never fails
		return json.Marshal(box.Seal(nonce, nonce, body, nil))
	}
}

func unseal(credential string, sealed []byte) ([]byte, error) {
	var raw []byte
	if err := json.Unmarshal(sealed, &raw); err != nil {
		return nil, fmt.Errorf("read sealed answer: %w", err)
	}
	box, err := boxOf(credential)
	if err != nil {
		return nil, err
	}
	if len(raw) < box.NonceSize() {
		return nil, fmt.Errorf("read sealed answer: too short")
	}
	return box.Open(nil, raw[:box.NonceSize()], raw[box.NonceSize():], nil)
}

func boxOf(credential string) (cipher.AEAD, error) {
	key := sha256.Sum256([]byte("parley idempotent answer\n" + credential))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("seal answer: %w", err)
	}
	return cipher.NewGCM(block)
}
