package api_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"parley/internal/store"
)

func passwordOf(username string) string { return "the password of " + username }

// agent makes one of the world's customer.
func (w *world) agent(username string, permission int) string {
	w.t.Helper()
	return w.must("POST", "/agents", object{"username": username, "password": passwordOf(username), "permission": permission}).id()
}

// login returns a token.
func (w *world) login(username string) string {
	w.t.Helper()
	token, _ := w.must("POST", "//auth/login", object{"username": username, "password": passwordOf(username)}, "Authorization", "").body["token"].(string)
	return token
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func TestAgents(t *testing.T) {
	w := newWorld(t)
	first := w.must("POST", "/agents", object{
		"username": "Ann@Example.com", "password": "correct horse", "name": "Ann", "permission": 16, "tag_ids": []any{uuid.NewString()},
		"addresses": []any{object{"target": "+4930123456"}, object{"type": "extension", "target": "alice"}},
	})
	id := first.id()
	if first.body["status"] != "offline" || first.body["ring_method"] != "ringall" || !strings.HasPrefix(first.body["direct_hash"].(string), "direct.") {
		t.Errorf("%s", first.raw)
	}
	if to := first.body["addresses"].([]any)[0].(object); to["type"] != "tel" {
		t.Errorf("the type is not filled in: %v", to)
	}
	if strings.Contains(string(first.raw), "horse") || strings.Contains(string(first.raw), "$2a$") {
		t.Errorf("the password is shown: %s", first.raw)
	}
	w.refused(409, "AGENT_ALREADY_EXISTS", "POST", "/agents", object{"username": "ann@example.COM", "password": "correct horse"})
	w.refused(409, "AGENT_ALREADY_EXISTS", "POST", "/agents", object{"username": "ann@example.com", "password": "correct horse"}, bearer(otherKey)...)
	for name, bad := range map[string]object{
		"no password":        {"username": "b"},
		"short":              {"username": "b", "password": "1234567"},
		"longer than hashed": {"username": "b", "password": strings.Repeat("x", 73)},
		"no username":        {"password": "correct horse"},
		"super admin":        {"username": "b", "password": "correct horse", "permission": 65535},
		"tag":                {"username": "b", "password": "correct horse", "tag_ids": []any{"x"}},
		"ring method":        {"username": "b", "password": "correct horse", "ring_method": "all"},
	} {
		if a := w.send("POST", "/agents", bad); a.status != 400 || a.reason() != "INVALID_ARGUMENT" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	w.refused(400, "DESTINATION_UNSUPPORTED", "PUT", "/agents/"+id+"/addresses", object{"addresses": []any{object{"type": "email", "target": "a@b"}}})
	w.refused(400, "INVALID_DESTINATION", "PUT", "/agents/"+id+"/addresses", object{"addresses": []any{object{"type": "tel", "target": "030"}}})
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/agents/"+id+"/addresses", object{"addresses": []any{object{"type": "conference", "target": id}}})
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/agents/"+id+"/addresses", object{})
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/agents/"+id+"/status", object{})
	hash := w.must("POST", "/agents/"+id+"/direct-hash-regenerate", object{}).body["direct_hash"]
	if hash == first.body["direct_hash"] {
		t.Error("the hash is the old one")
	}
	if got := w.must("PUT", "/agents/"+id, object{"ring_method": "linear"}); got.body["name"] != "Ann" || got.body["ring_method"] != "linear" {
		t.Errorf("%s", got.raw)
	}
	w.must("PUT", "/agents/"+id+"/addresses", object{"addresses": []any{}})
	if list := w.must("GET", "/agents", nil).list(); len(list) != 1 {
		t.Errorf("%v", list)
	}
	w.must("DELETE", "/agents/"+id, nil)
	w.must("DELETE", "/agents/"+id, nil)
	w.refused(409, "STATE_INVALID", "PUT", "/agents/"+id+"/status", object{"status": "away"})
	if list := w.must("GET", "/agents", nil).list(); len(list) != 0 {
		t.Errorf("%v", list)
	}
	w.must("POST", "/agents", object{"username": "ann@example.com", "password": "correct horse"}) // the name is free again
	want := []string{"agent_created", "agent_updated", "agent_updated", "agent_updated", "agent_deleted", "agent_created"}
	events, _, err := w.st.Events(t.Context(), store.LogQuery{Types: []string{"agent_*"}, Limit: 100})
	var got []string
	for _, e := range events {
		got = append(got, e.Type)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("events %v %v, want %v", got, err, want)
	}
}

// TestLogin says who is let in, and what they get.
func TestLogin(t *testing.T) {
	w := newWorld(t)
	id := w.agent("ann", 16)
	a := w.must("POST", "//auth/login", object{"username": "ANN", "password": passwordOf("ann")}, "Authorization", "")
	cookie := a.header.Get("Set-Cookie")
	for _, part := range []string{"token=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=604800"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %s has no %s", cookie, part)
		}
	}
	token := a.body["token"].(string)
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Type   string
		Agent  struct{ ID, Username, Customer_ID string }
		Expire time.Time
	}
	if err := json.Unmarshal(text, &said); err != nil || said.Type != "agent" || said.Agent.ID != id || said.Agent.Customer_ID != w.me || time.Until(said.Expire) < 167*time.Hour {
		t.Errorf("claims %s %v", text, err)
	}
	for name, bad := range map[string]any{
		"wrong password": object{"username": "ann", "password": "wrong password"}, "unknown": object{"username": "ben", "password": passwordOf("ann")},
		"nothing": object{}, "no JSON": "x", "longer": object{"username": "ann", "password": passwordOf("ann") + strings.Repeat("x", 80)},
	} {
		if a := w.send("POST", "//auth/login", bad, "Authorization", ""); a.status != 400 || len(a.raw) != 0 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %q", name, a.status, a.raw)
		}
	}
	form := strings.NewReader(`{"username":"ann","password":"` + passwordOf("ann") + `"}`)
	if res, err := w.server.Client().Post(w.server.URL+"/auth/login", "text/plain", form); err != nil || res.StatusCode != 200 || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("a form of another site sets the cookie: %v %v", res, err)
	} else {
		res.Body.Close()
	}
	for name, c := range map[string]struct {
		path    string
		headers []string
	}{
		"bearer": {"/me", bearer(token)}, "query": {"/me?token=" + token, []string{"Authorization", ""}}, "cookie": {"/me", []string{"Authorization", "", "Cookie", "token=" + token}},
	} {
		if a := w.must("GET", c.path, nil, c.headers...); a.id() != id {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
}

// TestLoginRate says that passwords cannot be tried at will.
func TestLoginRate(t *testing.T) {
	w := newWorld(t)
	for range 500 { // without a password, so that the machine is faster than the limit
		if a := w.send("POST", "//auth/login", object{"username": "ann"}, "Authorization", ""); a.status == 429 {
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("nobody stopped it")
}

// TestPasswords says that a token ends with the password that it was given for, and with its agent.
func TestPasswords(t *testing.T) {
	w := newWorld(t)
	id := w.agent("ann", 16)
	token := w.login("ann")
	w.must("PUT", "/agents/"+id+"/password", object{"password": passwordOf("ann")})
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, bearer(token)...)
	token = w.login("ann")
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/service_agents/me/password", object{"password": "short"}, bearer(token)...)
	w.refused(412, "VERSION_MISMATCH", "PUT", "/service_agents/me/password", object{"password": "long enough"}, append(bearer(token), "If-Match", `"x"`)...)
	w.must("PUT", "/service_agents/me/password", object{"password": "long enough"}, bearer(token)...)
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, bearer(token)...)
	token = w.must("POST", "//auth/login", object{"username": "ann", "password": "long enough"}, "Authorization", "").body["token"].(string)
	w.must("GET", "/me", nil, bearer(token)...)
	w.must("DELETE", "/agents/"+id, nil)
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, bearer(token)...)
	if a := w.send("POST", "//auth/login", object{"username": "ann", "password": "long enough"}, "Authorization", ""); a.status != 400 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// TestForgedTokens says that a token is worth what its signature is.
func TestForgedTokens(t *testing.T) {
	w := newWorld(t)
	id := w.agent("ann", 16)
	sign := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		c := jwt.MapClaims{"type": "agent", "agent": object{"id": id, "customer_id": w.me, "permission": 240}, "expire": time.Now().Add(time.Hour).UTC(), "epoch": 1}
		change(c)
		text, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	as := func(c jwt.MapClaims) {}
	good := sign(jwt.SigningMethodHS256, []byte(tokenKey), as)
	if a := w.must("GET", "/me", nil, bearer(good)...); a.body["permission"] != 16.0 { // as the record says, not the token
		t.Errorf("%s", a.raw)
	}
	for name, token := range map[string]string{
		"other key":     sign(jwt.SigningMethodHS256, []byte("another key of more than 32 bytes!"), as),
		"no signature":  sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, as),
		"other method":  sign(jwt.SigningMethodHS512, []byte(tokenKey), as),
		"expired":       sign(jwt.SigningMethodHS256, []byte(tokenKey), func(c jwt.MapClaims) { c["expire"] = time.Now().Add(-time.Second).UTC() }),
		"never expires": sign(jwt.SigningMethodHS256, []byte(tokenKey), func(c jwt.MapClaims) { delete(c, "expire") }),
		"other type":    sign(jwt.SigningMethodHS256, []byte(tokenKey), func(c jwt.MapClaims) { c["type"] = "direct" }),
		"other epoch":   sign(jwt.SigningMethodHS256, []byte(tokenKey), func(c jwt.MapClaims) { c["epoch"] = 2 }),
		"nobody":        sign(jwt.SigningMethodHS256, []byte(tokenKey), func(c jwt.MapClaims) { c["agent"] = object{"id": uuid.NewString()} }),
		"cut":           good[:len(good)-2],
	} {
		if a := w.send("GET", "/me", nil, bearer(token)...); a.status != 401 || a.reason() != "INVALID_CREDENTIALS" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}

// TestPermissions asks every route as each kind of agent.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	for username, bits := range map[string]int{"nobody": 0, "agent": 16, "admin": 32, "manager": 64} {
		w.agent(username, bits)
	}
	admin := []string{"/accesskeys", "/accesskeys/{id}", "PUT /customer", "PUT /customer/metadata", "POST /agents", "DELETE /agents/{id}", "PUT /agents/{id}/permission", "PUT /agents/{id}/password"}
	in := func(list []string, method, path string) bool {
		for _, x := range list {
			if x == path || x == method+" "+path {
				return true
			}
		}
		return false
	}
	for _, username := range []string{"nobody", "agent", "admin", "manager"} {
		token := w.login(username)
		for _, route := range w.door.Routes() {
			method, path, _ := strings.Cut(route, " ")
			own := path == "/me" || strings.HasPrefix(path, "/service_agents/")
			may := username == "admin" || username == "manager" && !in(admin, method, path) || username == "agent" && own
			if path == "/service_agents/me/password" && may {
				continue // would end the token
			}
			url := strings.NewReplacer("{id}", uuid.NewString(), "{mid}", uuid.NewString(), "{type}", "x").Replace(path)
			if path == "/events/stream" {
				url += "?after=x" // it would not end
			}
			a := w.send(method, url, object{}, append(bearer(token), "Idempotency-Key", "not a key")...)
			if denied := a.status == http.StatusForbidden && a.reason() == "PERMISSION_DENIED"; denied == may {
				t.Errorf("%s: %s: %d %s", username, route, a.status, a.raw)
			}
		}
	}
	for _, route := range w.door.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if strings.HasPrefix(path, "/service_agents/") && path != "/service_agents/ws" {
			w.refused(403, "AGENT_AUTH_REQUIRED", method, strings.ReplaceAll(path, "{id}", uuid.NewString()), object{})
		}
	}
	ann := w.agent("ann", 240)
	w.refused(409, "STATE_INVALID", "DELETE", "/agents/"+ann, nil, bearer(w.login("ann"))...)
	token := w.login("agent")
	id := w.must("GET", "/me", nil, bearer(token)...).id()
	w.refused(403, "PERMISSION_DENIED", "POST", "/conferences", object{}, bearer(token)...)
	w.must("PUT", "/agents/"+id+"/permission", object{"permission": 64})
	w.must("POST", "/conferences", object{}, bearer(token)...) // it counts at once
}

// TestOwnThings says what agents see of their own.
func TestOwnThings(t *testing.T) {
	w := newWorld(t)
	ann, ben := w.agent("ann", 16), w.agent("ben", 16)
	extension := w.must("POST", "/extensions", object{"extension": "alice", "password": "secret"}).id()
	w.must("POST", "/extensions", object{"extension": "bob", "password": "secret"})
	w.must("PUT", "/agents/"+ann+"/addresses", object{"addresses": []any{
		object{"type": "extension", "target": "alice"}, object{"type": "extension", "target": extension}, object{"type": "extension", "target": "gone"},
	}})
	as := bearer(w.login("ann"))
	list := w.must("GET", "/service_agents/extensions", nil, as...).list()
	if len(list) != 1 || list[0].(object)["id"] != extension || list[0].(object)["password"] != "secret" {
		t.Errorf("extensions %v", list)
	}
	w.must("GET", "/service_agents/extensions/"+extension, nil, as...)
	if list := w.must("GET", "/service_agents/agents", nil, as...).list(); len(list) != 2 {
		t.Errorf("colleagues %v", list)
	}
	if a := w.must("GET", "/service_agents/agents/"+ben, nil, as...); a.body["direct_hash"] != "" {
		t.Errorf("%s", a.raw)
	}
	if a := w.must("GET", "/service_agents/me", nil, as...); a.body["direct_hash"] == "" {
		t.Errorf("%s", a.raw)
	}
	if a := w.must("GET", "/service_agents/customer", nil, as...); a.id() != w.me || a.body["webhook_secret"] != nil {
		t.Errorf("%s", a.raw)
	}
	w.must("PUT", "/service_agents/me/status", object{"status": "available"}, as...)
	events, _, err := w.st.Events(t.Context(), store.LogQuery{Types: []string{"agent_updated"}, Limit: 100})
	if err != nil || !strings.Contains(string(events[len(events)-1].Cause), ann) {
		t.Errorf("the log does not say who: %s %v", events[len(events)-1].Cause, err)
	}
}
