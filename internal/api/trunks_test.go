package api_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/api/rest"
	"parley/internal/api/trunks"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
)

// outward opens the way out of this server, and returns its routes.
func outward(w *world) []rest.Route {
	w.t.Helper()
	policy, err := route.NewPolicy([]string{"+49"}, nil, true)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ways, err = trunk.Open(w.t.Context(), trunk.Options{Store: w.st, Policy: policy, PerCustomer: route.Limits{Concurrent: 3}, Log: slog.New(slog.NewTextHandler(w.log, nil))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.calls = &exchange{w: w}
	return trunks.Routes(w.ways.Book(), func() map[string]trunks.State { return w.states })
}

func calling(w *world) func(*api.Options) {
	return func(o *api.Options) { o.Exchange, o.Ways = w.calls, w.ways }
}

func TestTrunks(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/trunks", object{
		"name": "provider", "host": "SIP.Provider.example", "transport": "tls", "auth": "register", "username": "u", "password": "very secret",
		"sources": []string{"192.0.2.7"}, "prefixes": []object{{"prefix": "+49", "strip": 2, "add": "0"}}, "limits": object{"concurrent": 3},
	}, "Idempotency-Key", "k")
	again := w.must("POST", "/trunks", object{
		"name": "provider", "host": "SIP.Provider.example", "transport": "tls", "auth": "register", "username": "u", "password": "very secret",
		"sources": []string{"192.0.2.7"}, "prefixes": []object{{"prefix": "+49", "strip": 2, "add": "0"}}, "limits": object{"concurrent": 3},
	}, "Idempotency-Key", "k")
	if again.id() != made.id() || made.body["host"] != "sip.provider.example" || made.body["password"] != "********" || made.body["enabled"] != true {
		t.Errorf("made %s\nagain %s", made.raw, again.raw)
	}
	path := "/trunks/" + made.id()
	if got := w.must("GET", path, nil); string(got.raw) != string(made.raw) || got.header.Get("ETag") != made.header.Get("ETag") {
		t.Errorf("made %s\nread %s", made.raw, got.raw)
	}
	changed := w.must("PUT", path, object{"enabled": false, "password": "********", "limits": object{"calls_per_minute": 7}}, "If-Match", made.header.Get("ETag"))
	if l := changed.body["limits"].(object); l["concurrent"] != 3.0 || l["calls_per_minute"] != 7.0 || changed.body["enabled"] != false {
		t.Errorf("changed %s", changed.raw)
	}
	if kept := w.ways.Book().Of(w.me); len(kept) != 1 || kept[0].Password != "very secret" {
		t.Errorf("kept %+v", kept)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"name": "x"}, "If-Match", made.header.Get("ETag"))
	up := true
	w.states = map[string]trunks.State{made.id(): {Registered: true, Status: 200, Reachable: &up}}
	if a := w.must("GET", path, nil); a.body["state"].(object)["registered"] != true || a.header.Get("ETag") != changed.header.Get("ETag") {
		t.Errorf("state %s", a.raw)
	}
	if list := w.must("GET", "/trunks", nil).list(); len(list) != 1 || list[0].(object)["password"] != "********" {
		t.Errorf("list %v", list)
	}
	other := []string{"Authorization", "Bearer " + otherKey}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		w.refused(404, "TRUNK_NOT_FOUND", method, path, object{}, other...)
		w.refused(404, "TRUNK_NOT_FOUND", method, "/trunks/"+uuid.NewString(), object{})
	}
	for _, wrong := range []object{
		{},
		{"host": ""},
		{"host": "a b"},
		{"host": "a", "port": -1},
		{"host": "a", "auth": "digest"},
		{"host": "a", "sources": []string{"x"}},
		{"host": "a", "prefixes": []object{{"prefix": "49"}}},
		{"host": "a", "codecs": []string{"mp3"}},
		{"host": "a", "limits": object{"concurrent": "many"}},
	} {
		w.refused(400, "INVALID_ARGUMENT", "POST", "/trunks", wrong)
	}
	w.refused(400, "INVALID_JSON_BODY", "POST", "/trunks", object{"host": 7})
	w.refused(403, "DESTINATION_NOT_ALLOWED", "POST", "/trunks", object{"host": "169.254.169.254"})
	gone := w.must("DELETE", path, nil)
	if again := w.must("DELETE", path, nil); string(again.raw) != string(gone.raw) || gone.body["password"] != "" || gone.body["tm_delete"] == nil {
		t.Errorf("deleted %s\nagain %s", gone.raw, again.raw)
	}
	w.refused(409, "STATE_INVALID", "PUT", path, object{"name": "x"})
	types := strings.Join(w.types(""), " ")
	if !strings.Contains(types, "trunk_created trunk_updated trunk_deleted") {
		t.Error(types)
	}
	events := w.must("GET", "/events?type=trunk_*", nil)
	if bytes.Contains(events.raw, []byte("secret")) || bytes.Contains([]byte(w.log.String()), []byte("very secret")) {
		t.Error("a password was told")
	}
}
