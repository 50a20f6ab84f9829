package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"parley"
	"parley/internal/api"
	"parley/internal/conference"
)

// operation is what is read of one in openapi.yaml.
type operation struct {
	Parameters []struct {
		Ref string `yaml:"$ref"`
	}
	Security *[]any
}

// operations returns the described operations of a method below the version prefix, by path.
func operations(t *testing.T, method string) map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(parley.OpenAPI, &doc); err != nil {
		t.Fatal(err)
	}
	list := map[string]operation{}
	for path, item := range doc.Paths {
		node, ok := item[method]
		if _, outside := item["servers"]; !ok || outside {
			continue
		}
		var o operation
		if err := node.Decode(&o); err != nil {
			t.Fatal(path, err)
		}
		list[path] = o
	}
	return list
}

func (o *operation) takes(parameter string) bool {
	return slices.ContainsFunc(o.Parameters, func(p struct {
		Ref string `yaml:"$ref"`
	},
	) bool {
		return p.Ref == "#/components/parameters/"+parameter
	})
}

// TestEveryPostIsRepeatable says that every POST takes an Idempotency-Key, in the description and in truth.
func TestEveryPostIsRepeatable(t *testing.T) {
	w := newWorld(t)
	posts := operations(t, "post")
	if len(posts) < 20 {
		t.Fatalf("%d are described", len(posts))
	}
	for path, o := range posts {
		if !o.takes("IdempotencyKey") {
			t.Errorf("POST %s: the description has no Idempotency-Key", path)
		}
	}
	for _, route := range w.door.Routes() {
		if path, ok := strings.CutPrefix(route, "POST "); ok {
			path = strings.NewReplacer("{id}", uuid.NewString(), "{message_id}", uuid.NewString(), "{mid}", uuid.NewString()).Replace(path)
			w.refused(400, "INVALID_ARGUMENT", "POST", path, object{}, "Idempotency-Key", "not a key")
		}
	}
}

// TestEveryPutIsConditional says that every PUT honours If-Match: refused when the resource is not as the client knows it, with the ETag that it has.
func TestEveryPutIsConditional(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	message := w.must("POST", "/conferences/"+id+"/messages", object{"text": "a"}).id()
	made := map[string]func() string{ // a resource for each path with one
		"/conferences/{id}":                func() string { return id },
		"/conferences/{id}/messages/{mid}": func() string { return id },
		"/conferencecalls/{id}":            func() string { return w.join(id, "ada", conference.Member) },
		"/webhooks/{id}":                   func() string { return w.must("POST", "/webhooks", object{"uri": "http://127.0.0.1:1/"}).id() },
		"/accesskeys/{id}":                 func() string { return w.must("POST", "/accesskeys", object{}).id() },
		"/extensions/{id}": func() string {
			return w.must("POST", "/extensions", object{"extension": "anna", "password": "long enough"}).id()
		},
		"/flows/{id}":        func() string { return w.must("POST", "/flows", object{"name": "a", "actions": []any{}}).id() },
		"/trunks/{id}":       func() string { return w.must("POST", "/trunks", object{"host": "sip.example"}).id() },
		"/agents/{id}":       func() string { return w.agent(uuid.NewString(), 32) },
		"/service_agents/me": func() string { return "" },
		"/customer":          func() string { return "" },
		"/customer/metadata": func() string { return "" },
	}
	for _, part := range []string{"addresses", "tag_ids", "permission", "status", "password"} {
		made["/agents/{id}/"+part], made["/service_agents/me/"+part] = made["/agents/{id}"], made["/service_agents/me"]
	}
	w.agent("ann", 16)
	status := map[string]string{"one": "away", "two": "busy", "three": "offline", "four": "available"}
	served := w.door.Routes()
	for path, o := range operations(t, "put") {
		if !o.takes("IfMatch") {
			t.Errorf("PUT %s: the description has no If-Match", path)
		}
		if !slices.Contains(served, "PUT "+path) {
			continue // by a part that is not in this world
		}
		make := made[path]
		if make == nil {
			t.Errorf("PUT %s: say here how to make one", path)
			continue
		}
		url := strings.NewReplacer("{id}", make(), "{mid}", message).Replace(path)
		body := func(name string) object {
			o := object{
				"name": name, "text": name, "actions": []any{}, "addresses": []any{object{"type": "extension", "target": name}}, "tag_ids": []any{uuid.NewString()},
				"permission": 16 * len(name) % 240, "password": "long enough " + name,
			}
			if strings.HasSuffix(path, "/status") {
				o["status"] = status[name]
			}
			return o
		}
		as := func(headers ...string) []string { return headers }
		if strings.HasPrefix(path, "/service_agents/") {
			as = func(headers ...string) []string { return append(headers, "Authorization", "Bearer "+w.login("ann")) }
		}
		if strings.HasSuffix(path, "/me/password") {
			continue // nobody is logged in after it: TestPasswords has it
		}
		a := w.refused(412, "VERSION_MISMATCH", "PUT", url, body("one"), as("If-Match", `"nobody knows"`)...)
		tag := a.header.Get("ETag")
		if slices.Contains(served, "GET "+path) {
			if now := w.must("GET", url, nil, as()...).header.Get("ETag"); now != tag {
				t.Errorf("%s: the refusal says the ETag is %q, reading says %q", url, tag, now)
			}
		}
		w.must("PUT", url, body("two"), as("If-Match", tag)...)
		w.refused(412, "VERSION_MISMATCH", "PUT", url, body("three"), as("If-Match", tag)...)
		w.must("PUT", url, body("four"), as("If-Match", "*")...)
	}
}

// TestStalledBody says that a body which does not come is answered with 408.
func TestStalledBody(t *testing.T) {
	w := newWorld(t, func(o *api.Options) { o.Timeout = 300 * time.Millisecond })
	c, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1.0/conferences HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{\"name\":", key)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestKeyInPath says that a credential which slipped into a path that does not exist stays out of the log.
func TestKeyInPath(t *testing.T) {
	w := newWorld(t)
	id := uuid.NewString()
	w.refused(404, "ROUTE_NOT_FOUND", "GET", "/conferenzen/"+id+"/"+key, nil)
	if log := w.log.String(); strings.Contains(log, key) || !strings.Contains(log, "/conferenzen/"+id+"/redacted") {
		t.Errorf("%s", log)
	}
}
