package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"parley/internal/agent"
	"parley/internal/api/web"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/cause"
)

// Route is one operation below the version prefix.
type Route struct {
	Method, Path string
	Do           func(*Request) (Reply, error)
	Secret       bool             // the answer holds a secret: it is not kept in plain text
	May          agent.Permission // bits of which an agent needs one; 0: agent.Manages
	Agents       bool             // only for an agent who is logged in
}

// Caller is who a request comes from: an access key, which may do everything, or an agent who is logged in.
type Caller struct {
	CustomerID, KeyID string
	AgentID           string // "" for an access key
	Permission        agent.Permission
	Expires           time.Time // of the agent's token
}

// Credential is the id of what the request came with: of the access key or the agent.
func (c Caller) Credential() string { return cmp.Or(c.KeyID, c.AgentID) }

// May reports whether the caller has one of the rights.
func (c Caller) May(p agent.Permission) bool { return c.AgentID == "" || c.Permission&p != 0 }

// Request is an authenticated request on its way through a route.
type Request struct {
	*http.Request
	Caller
	Body []byte

	store  store.Store
	secret string // the credential that it came with
	claim  *claim // nil without Idempotency-Key
	again  func(ctx context.Context) error
}

// Still refuses when the request's credential would not be let in any more. It may be called from any goroutine, long after the request.
func (r *Request) Still(ctx context.Context) error {
	if r.again == nil {
		return nil
	}
	return r.again(ctx)
}

// Reply is what a route answers: Body as JSON, with the ETag unless it is "". A GET may have a Stream instead, which writes headers and body
// without a limit of time; when it fails, the answer is broken off.
type Reply struct {
	Body   any
	ETag   string
	Stream func(w http.ResponseWriter) error
}

// Guard is what happens around each route: who is it, may they, is it a repetition.
type Guard struct {
	Store        store.Store
	Authenticate func(ctx context.Context, secret string) (Caller, error)
	Customers    *web.Limiter // per customer; nil for none
	Log          *slog.Logger
	Timeout      time.Duration // longest time of one request
}

// Wrap returns the route inside the guard.
func (g *Guard) Wrap(rt Route) http.HandlerFunc {
	pattern := rt.Method + " /v1.0" + rt.Path
	return func(w http.ResponseWriter, r *http.Request) {
		web.Label(r, pattern)
		ctx, cancel := context.WithTimeout(r.Context(), g.Timeout)
		defer cancel()
		req, err := g.admit(w, r.WithContext(ctx))
		if err != nil {
			refuse(w, r, err)
			return
		}
		if err := g.Customers.Take(req.CustomerID); err != nil {
			web.Limited(w, r, err, "customer")
			return
		}
		if err := rt.permit(req.Caller); err != nil {
			refuse(w, r, err)
			return
		}
		req.again = func(ctx context.Context) error {
			who, err := g.Authenticate(ctx, req.secret)
			return cmp.Or(err, rt.permit(who))
		}
		if rt.Method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" {
			g.once(w, rt, req)
			return
		}
		out, err := rt.run(req)
		if err != nil {
			refuse(w, r, err)
			return
		}
		out.write(w)
	}
}

// permit refuses callers who may not use the route.
func (rt *Route) permit(who Caller) error {
	switch need := cmp.Or(rt.May, agent.Manages); {
	case rt.Agents && who.AgentID == "":
		return fault.New(fault.Denied, "AGENT_AUTH_REQUIRED", "this is for agents; log in with POST /auth/login and use the token")
	case !who.May(need):
		return fault.New(fault.Denied, "PERMISSION_DENIED", "an agent needs one of the permissions in %d for this and has %d; ask an administrator", need, who.Permission)
	}
	return nil
}

// admit finds out who asks and reads the body.
func (g *Guard) admit(w http.ResponseWriter, r *http.Request) (*Request, error) {
	secret, byCookie := credential(r)
	if secret == "" {
		return nil, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED",
			"authentication is required: send an access key, or an agent's token, as Authorization: Bearer or as query accesskey")
	}
	who, err := g.Authenticate(r.Context(), secret)
	if err != nil {
		return nil, err
	}
	web.LabelCustomer(r, who.CustomerID)
	body, err := web.Body(w, r)
	if err != nil {
		return nil, err
	}
	// A cookie travels with what other sites send; a body that says it is JSON does not without asking first.
	if byCookie && r.Method != http.MethodGet && !web.SentAsJSON(r) {
		return nil, fault.New(fault.Invalid, "UNSUPPORTED_MEDIA_TYPE", "a change with a cookie as credential needs Content-Type: application/json")
	}
	req := &Request{Request: r, Caller: who, Body: body, store: g.Store, secret: secret}
	if r.Method != http.MethodGet { // which changes nothing
		req.Request = r.WithContext(cause.With(r.Context(), req.Cause()))
	}
	return req, nil
}

// Cause is the request as the log names it with what it brings about.
func (r *Request) Cause() cause.Cause {
	at, _ := netip.ParseAddrPort(r.RemoteAddr) // behind no address there is none to name
	return cause.Cause{Kind: cause.API, RequestID: web.RequestID(r.Request), AccesskeyID: r.KeyID, AgentID: r.AgentID, Address: cause.Mask(at.Addr())}
}

// credential returns the first credential in the original's order: whatever form it has, it may be a token or an access key.
func credential(r *http.Request) (secret string, byCookie bool) {
	q := r.URL.Query()
	if c, err := r.Cookie("token"); err == nil && c.Value != "" {
		return c.Value, true
	}
	if token := q.Get("token"); token != "" {
		return token, false
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		if token = strings.TrimSpace(token); token != "" {
			return token, false
		}
	}
	if c, err := r.Cookie("accesskey"); err == nil && c.Value != "" {
		return c.Value, true
	}
	return q.Get("accesskey"), false
}

// answer is a reply as bytes.
type answer struct {
	body   []byte
	etag   string
	stream func(w http.ResponseWriter) error
}

func (rt *Route) run(r *Request) (a answer, err error) {
	out, err := rt.Do(r)
	if err != nil {
		return a, err
	}
	if a.etag, a.stream = out.ETag, out.Stream; a.stream != nil {
		return a, nil
	}
	a.body, err = encode(out.Body)
	return a, err
}

func (a answer) write(w http.ResponseWriter) {
	if a.stream != nil {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a long download is no slow client
		if err := a.stream(w); err != nil {
			panic(http.ErrAbortHandler) // the client must not take it for complete
		}
		return
	}
	if a.etag != "" {
		w.Header().Set("ETag", a.etag)
	}
	web.Write(w, http.StatusOK, web.JSON, a.body)
}

// encode writes JSON without HTML escapes and ends it with a line end.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return b.Bytes(), nil
}

// ID returns the id in the path.
func (r *Request) ID() (string, error) { return web.PathID(r.Request) }

// Parse reads the body into what into points to.
func (r *Request) Parse(into any) error { return web.Parse(r.Body, into) }
