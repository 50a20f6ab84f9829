package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"parley/internal/api/account"
	"parley/internal/api/web"
	"parley/internal/fault"
)

// route is one operation below the version prefix.
type route struct {
	method, path string
	do           func(*request) (reply, error)
	secret       bool // the answer holds a secret: it is not kept in plain text
}

// request is an authenticated request on its way through a route.
type request struct {
	*http.Request
	who    account.Identity
	secret string // the credential that it came with
	body   []byte
	claim  *claim // nil without Idempotency-Key
}

// reply is what a route answers: body as JSON, with the ETag unless it is "".
type reply struct {
	body any
	etag string
}

// Routes lists the operations below the version prefix as "METHOD /path", for comparison with the description.
func (d *Door) Routes() []string {
	var list []string
	for _, r := range d.routes() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

func (d *Door) routes() []route {
	return slices.Concat(d.conferenceRoutes(), d.participantRoutes(), d.callRoutes(), d.accountRoutes(), d.extensionRoutes(),
		[]route{{method: "GET", path: "/events", do: d.listEvents}})
}

// guarded is what happens around each route: who is it, may they, is it a repetition.
func (d *Door) guarded(rt route) http.HandlerFunc {
	pattern := rt.method + " /v1.0" + rt.path
	return func(w http.ResponseWriter, r *http.Request) {
		web.Label(r, pattern)
		ctx, cancel := context.WithTimeout(r.Context(), d.o.Timeout)
		defer cancel()
		req, err := d.admit(w, r.WithContext(ctx))
		if err != nil {
			refuse(w, r, err)
			return
		}
		if err := d.customers.Take(req.who.CustomerID); err != nil {
			web.Limited(w, r, err, "customer")
			return
		}
		if rt.method == http.MethodPost && r.Header.Get("Idempotency-Key") != "" {
			d.once(w, rt, req)
			return
		}
		answer, err := rt.run(req)
		if err != nil {
			refuse(w, r, err)
			return
		}
		answer.write(w)
	}
}

// admit finds out who asks and reads the body.
func (d *Door) admit(w http.ResponseWriter, r *http.Request) (*request, error) {
	secret, byCookie := credential(r)
	if secret == "" {
		return nil, fault.New(fault.Unauthenticated, "AUTHENTICATION_REQUIRED",
			"authentication is required: send an access key as Authorization: Bearer or as query accesskey")
	}
	who, err := d.accounts.Authenticate(r.Context(), secret)
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
	return &request{Request: r, who: who, secret: secret, body: body}, nil
}

// credential returns the first credential in the original's order. There are no sessions: whatever form it has, it is an access key.
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
	body []byte
	etag string
}

func (rt *route) run(r *request) (a answer, err error) {
	out, err := rt.do(r)
	if err != nil {
		return a, err
	}
	a.etag = out.etag
	a.body, err = encode(out.body)
	return a, err
}

func (a answer) write(w http.ResponseWriter) {
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

// etagOf returns the entity tag of a resource: it changes when its JSON does.
func etagOf(resource any) (string, error) {
	b, err := json.Marshal(resource)
	if err != nil {
		return "", fmt.Errorf("write etag: %w", err)
	}
	sum := sha256.Sum256(b)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, nil
}

// tagged is a reply with one resource and its ETag.
func tagged(resource any) (reply, error) {
	tag, err := etagOf(resource)
	return reply{resource, tag}, err
}

// conditional reports whether the request is to be done only if the resource is as the client knows it.
func (r *request) conditional() bool { return len(r.Header.Values("If-Match")) > 0 }

// match refuses unless If-Match is absent or names the resource as it is.
func (r *request) match(resource any) error {
	if !r.conditional() {
		return nil
	}
	tag, err := etagOf(resource)
	if err != nil {
		return err
	}
	for _, list := range r.Header.Values("If-Match") {
		for want := range strings.SplitSeq(list, ",") {
			if want = strings.TrimSpace(want); want == "*" || want == tag {
				return nil
			}
		}
	}
	return mismatch(tag)
}

// mismatch is the refusal of a change that was made for another state.
func mismatch(tag string) error {
	return web.Detail(fault.New(fault.Conflict, "VERSION_MISMATCH", "the resource is not as If-Match says; read it again and decide anew"),
		map[string]any{"etag": tag})
}

// refuse writes the answer for err; that of a mismatch carries the present ETag.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := web.NewProblem(err, "", "")
	if p.Error.Reason == "VERSION_MISMATCH" && len(p.Error.Details) > 0 {
		if tag, ok := p.Error.Details[0]["etag"].(string); ok {
			w.Header().Set("ETag", tag)
		}
	}
	web.Refuse(w, r, err)
}
