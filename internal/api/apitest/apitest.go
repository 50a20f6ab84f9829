// Package apitest compares what goes over the wire with the description of the API. It is for tests: a Checker is the transport of their HTTP client.
// It starts no goroutine.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"parley"
)

// Checker is an http.RoundTripper that reports every exchange which the description does not have: an answer of another form, a success for a
// request that the description forbids, a path that is neither described nor 404 ROUTE_NOT_FOUND. It may be used from any goroutine if fail may.
type Checker struct {
	doc  *openapi3.T
	base http.RoundTripper
	fail func(format string, args ...any)
}

// New returns a Checker that sends through base, http.DefaultTransport when nil, and reports to fail, for example t.Errorf.
func New(base http.RoundTripper, fail func(format string, args ...any)) (*Checker, error) {
	doc, err := description()
	if err != nil {
		return nil, err
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &Checker{doc, base, fail}, nil
}

// description is read once per process: checking it takes longer than most tests.
var description = sync.OnceValues(func() (*openapi3.T, error) {
	for _, media := range []string{"audio/wav", "audio/ogg", "application/zip"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
	doc, err := openapi3.NewLoader().LoadFromData(parley.OpenAPI)
	if err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	if err := doc.Validate(context.Background(), openapi3.IsOpenAPI31OrLater()); err != nil {
		return nil, fmt.Errorf("check openapi.yaml: %w", err)
	}
	return doc, nil
})

// Operations lists what is described as "METHOD /path"; paths outside the version prefix are marked by a leading "outside ".
func (c *Checker) Operations() []string {
	var list []string
	for path, item := range c.doc.Paths.Map() {
		for method := range item.Operations() {
			name := method + " " + path
			if len(item.Servers) > 0 {
				name = "outside " + name
			}
			list = append(list, name)
		}
	}
	return list
}

// Examples returns the described example bodies by operation, "METHOD /path".
func (c *Checker) Examples() map[string]any {
	list := map[string]any{}
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.RequestBody == nil {
				continue
			}
			if media := operation.RequestBody.Value.Content.Get("application/json"); media != nil && media.Example != nil {
				list[method+" "+path] = media.Example
			}
		}
	}
	return list
}

// RoundTrip sends the request and checks both sides.
func (c *Checker) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := take(&r.Body)
	if err != nil {
		return nil, err
	}
	answer, err := c.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := take(&answer.Body)
	if err != nil {
		return nil, err
	}
	if r.Method != http.MethodOptions && r.Method != http.MethodHead {
		c.check(r, sent, answer, got)
	}
	return answer, nil
}

// take reads a body and puts an unread copy in its place.
func take(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	all, err := io.ReadAll(*body)
	(*body).Close()
	*body = io.NopCloser(bytes.NewReader(all))
	return all, err
}

func (c *Checker) check(r *http.Request, sent []byte, answer *http.Response, got []byte) {
	what := fmt.Sprintf("%s %s: %d", r.Method, r.URL.Path, answer.StatusCode)
	route, params := c.find(r)
	if route == nil {
		var p struct{ Error struct{ Reason string } }
		if _ = json.Unmarshal(got, &p); answer.StatusCode != http.StatusNotFound || p.Error.Reason != "ROUTE_NOT_FOUND" {
			c.fail("%s: not described: %s", what, got)
		}
		return
	}
	options := &openapi3filter.Options{
		IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		ExcludeRequestBody: len(sent) == 0 && route.Operation.RequestBody == nil,
	}
	again := r.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(sent))
	if again.Header.Get("Content-Type") == "" {
		again.Header.Set("Content-Type", "application/json")
	}
	in := &openapi3filter.RequestValidationInput{Request: again, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil && answer.StatusCode < 300 {
		c.fail("%s: succeeded although the description forbids it: %v\nsent %s", what, err, sent)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: answer.StatusCode, Header: answer.Header, Options: options}
	out.SetBodyBytes(got)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.fail("%s: not as described: %v\ngot %s", what, err, got)
	}
	if id := answer.Header.Get("X-Request-Id"); id == "" {
		c.fail("%s: no X-Request-Id", what)
	}
}

// find returns the operation that a request is for, with the parameters in its path; nil for none.
func (c *Checker) find(r *http.Request) (*routers.Route, map[string]string) {
	path, outside := r.URL.Path, true
	for _, server := range c.doc.Servers {
		if rest, ok := strings.CutPrefix(path, server.URL+"/"); ok {
			path, outside = "/"+rest, false
			break
		}
	}
	for template, item := range c.doc.Paths.Map() {
		operation := item.GetOperation(r.Method)
		if operation == nil || outside != (len(item.Servers) > 0) {
			continue
		}
		if params, ok := fit(template, path); ok {
			return &routers.Route{Spec: c.doc, Path: template, PathItem: item, Method: r.Method, Operation: operation}, params
		}
	}
	return nil, nil
}

func fit(template, path string) (map[string]string, bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	params := map[string]string{}
	for i := range want {
		if name, ok := strings.CutPrefix(want[i], "{"); ok && have[i] != "" {
			params[strings.TrimSuffix(name, "}")] = have[i]
		} else if want[i] != have[i] {
			return nil, false
		}
	}
	return params, true
}
