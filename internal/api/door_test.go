package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"parley"
	"parley/internal/api"
	"parley/internal/api/apitest"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRoutesAreDescribed says that the description and the routes are the same set.
func TestRoutesAreDescribed(t *testing.T) {
	w := newWorld(t)
	checker, err := apitest.New(nil, t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	described, served := checker.Operations(), w.door.Routes()
	for _, o := range described {
		method, path, outside := strings.Cut(strings.TrimPrefix(o, "outside "), " ")
		if !outside {
			t.Fatal(o)
		}
		if strings.HasPrefix(o, "outside ") {
			a := w.send(method, "/"+strings.ReplaceAll(path, "{reason}", "INTERNAL"), nil)
			if a.reason() == "ROUTE_NOT_FOUND" {
				t.Errorf("%s is described and not served", o)
			}
		} else if !slices.Contains(served, o) {
			t.Errorf("%s is described and not served", o)
		}
	}
	for _, o := range served {
		if !slices.Contains(described, o) {
			t.Errorf("%s is served and not described", o)
		}
	}
}

func TestUnknownRoutes(t *testing.T) {
	w := newWorld(t)
	id := uuid.NewString()
	for _, c := range [][2]string{
		{"GET", "/campaigns"},
		{"PATCH", "/conferences"},
		{"POST", "/conferences/" + id},
		{"GET", "/conferences/"},
		{"GET", "//"},
		{"GET", "//v2/conferences"},
		{"GET", "/conferences/" + id + "/transcripts"},
		{"POST", "/conferences/" + id + "/transcribe_start"},
		{"POST", "/auth/login"},
		{"GET", "//auth/login"},
		{"TRACE", "/me"},
		{"DELETE", "//ping"},
		{"GET", "//conferences"},
		{"GET", "/ping"},
		{"GET", "/conferences/../me"},
		{"GET", "/me/"},
		{"GET", "///v1.0/me"},
	} {
		w.refused(404, "ROUTE_NOT_FOUND", c[0], c[1], nil)
		w.refused(404, "ROUTE_NOT_FOUND", c[0], c[1], nil, "Authorization", "")
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	if a := w.must("GET", "//ping", nil, "Authorization", ""); a.body["message"] != "pong" {
		t.Errorf("ping: %s", a.raw)
	}
	if a := w.must("GET", "//openapi.json", nil); a.body["openapi"] != "3.1.0" || len(a.body["paths"].(object)) < 30 {
		t.Errorf("openapi.json: %.100s", a.raw)
	}
	if a := w.must("GET", "//openapi.yaml", nil); string(a.raw) != string(parley.OpenAPI) {
		t.Error("openapi.yaml differs from the file")
	}
	if a := w.must("GET", "//errors/CONFERENCE_FULL", nil); !strings.Contains(string(a.raw), "max_participants") {
		t.Errorf("errors page: %s", a.raw)
	}
	w.refused(404, "RESOURCE_NOT_FOUND", "GET", "//errors/%3Cscript%3E", nil)
	if a := w.send("POST", "//auth/login", object{"username": "a", "password": "b"}); a.status != 400 || len(a.raw) != 0 {
		t.Errorf("login: %d %q", a.status, a.raw)
	}
}

// TestReasonsAreListed says that docs/errors.md and the refusals in the code are the same set.
func TestReasonsAreListed(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z0-9_]+)` \\| ([0-9]+) \\|").FindAllStringSubmatch(string(parley.Errors), -1) {
		if listed[m[1]] {
			t.Errorf("%s is listed twice", m[1])
		}
		listed[m[1]] = true
	}
	refused, literals := reasonsInCode(t)
	for reason, where := range refused {
		if !listed[reason] {
			t.Errorf("%s (%s) is not in docs/errors.md", reason, where)
		}
	}
	for _, kind := range []store.Kind{store.Conference, store.Conferencecall, store.Call, store.Customer, store.Accesskey, store.Extension, store.Recording} {
		literals[strings.ToUpper(string(kind))+"_NOT_FOUND"] = true // made from the kind
	}
	literals["FLOW_NOT_FOUND"] = true
	for reason := range listed {
		if !literals[reason] {
			t.Errorf("%s is listed and not in the code", reason)
		}
	}
}

// reasonsInCode finds the reasons given to fault.New, and all upper-snake texts.
func reasonsInCode(t *testing.T) (refused map[string]string, literals map[string]bool) {
	refused, literals = map[string]string{}, map[string]bool{}
	set := token.NewFileSet()
	text := func(e ast.Expr) string {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return ""
		}
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BasicLit:
				literals[text(x)] = true
			case *ast.CallExpr:
				if sel, ok := x.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "New" && len(x.Args) >= 3 && fmt.Sprint(sel.X) == "fault" {
					if reason := text(x.Args[1]); reason != "" {
						refused[reason] = path
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(refused) < 20 {
		t.Fatalf("%d reasons, %v", len(refused), err)
	}
	return refused, literals
}

func TestRefusalBody(t *testing.T) {
	w := newWorld(t)
	id := uuid.NewString()
	a := w.refused(404, "CONFERENCE_NOT_FOUND", "GET", "/conferences/"+id+"?accesskey=secret", nil, "X-Request-Id", "mine_1")
	e := a.body["error"].(object)
	for what, pair := range map[string][2]any{
		"media type": {a.header.Get("Content-Type"), "application/problem+json"},
		"type":       {a.body["type"], "/errors/CONFERENCE_NOT_FOUND"},
		"title":      {a.body["title"], "Not Found"},
		"status":     {a.body["status"], 404.0},
		"instance":   {a.body["instance"], "/v1.0/conferences/" + id},
		"message":    {a.body["message"], e["message"]},
		"detail":     {a.body["detail"], e["message"]},
		"class":      {e["status"], "NOT_FOUND"},
		"request id": {e["request_id"], "mine_1"},
		"header":     {a.header.Get("X-Request-Id"), "mine_1"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
}

func TestRequestIDs(t *testing.T) {
	w := newWorld(t)
	made := regexp.MustCompile(`^req_[A-Z2-7]{26}$`)
	for sent, kept := range map[string]bool{"abc-DEF_09": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "ä": false, "a;b": false} {
		got := w.must("GET", "//ping", nil, "X-Request-Id", sent).header.Get("X-Request-Id")
		if kept && got != sent || !kept && !made.MatchString(got) {
			t.Errorf("%q became %q", sent, got)
		}
	}
}

func TestCORS(t *testing.T) {
	w := newWorld(t)
	a := w.send("OPTIONS", "/conferences", nil, "Origin", "https://example.org", "Access-Control-Request-Method", "PUT")
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), "PUT") ||
		!strings.Contains(a.header.Get("Access-Control-Allow-Headers"), "Authorization") || a.header.Get("Access-Control-Max-Age") != "43200" {
		t.Errorf("preflight: %d %v", a.status, a.header)
	}
	if a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Error("cookies are allowed across sites")
	}
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	none := []string{"Authorization", ""}
	for name, c := range map[string]struct {
		path    string
		headers []string
	}{
		"bearer":           {"/me", nil},
		"bearer, any case": {"/me", []string{"Authorization", "bearer " + key}},
		"accesskey":        {"/me?accesskey=" + key, none},
		"token":            {"/me?token=" + key, none},
		"cookie":           {"/me", append([]string{"Cookie", "accesskey=" + key}, none...)},
		"token cookie":     {"/me", append([]string{"Cookie", "token=" + key}, none...)},
	} {
		if a := w.send("GET", c.path, nil, c.headers...); a.status != 200 || a.body["customer_id"] != w.me || a.body["permission"] != 32.0 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	for name, headers := range map[string][]string{"none": none, "basic": {"Authorization", "Basic " + key}, "empty": {"Authorization", "Bearer "}} {
		if a := w.refused(401, "AUTHENTICATION_REQUIRED", "GET", "/me", nil, headers...); a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, "Authorization", "Bearer wrong-wrong-wrong-wrong")
	// The first credential counts, whatever follows.
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me?token=wrong", nil)
	cookie := append([]string{"Cookie", "accesskey=" + key, "Content-Type", "text/plain"}, none...)
	w.refused(415, "UNSUPPORTED_MEDIA_TYPE", "POST", "/conferences", object{}, cookie...)
	w.must("POST", "/conferences", object{}, append(cookie, "Content-Type", "application/json")...)
}

// TestForeignIsUnknown compares, on every route with an id, the answers for somebody else's resource and for none.
func TestForeignIsUnknown(t *testing.T) {
	w := withFlows(t)
	ids := w.things()
	conference := ids["/conferences"]
	w.must("POST", "/agents", object{"username": "thief", "password": passwordOf("thief"), "permission": 240}, "Authorization", "Bearer "+otherKey)
	thief := w.login("thief")
	before := len(w.types(""))
	tried := 0
	for _, route := range w.door.Routes() {
		method, path, _ := strings.Cut(route, " ")
		if !strings.Contains(path, "{id}") {
			continue
		}
		tried++
		kind, credential := strings.Split(path, "/")[1], otherKey
		if kind == "service_agents" {
			kind, credential = strings.Split(path, "/")[2], thief
		}
		ask := func(id string) (int, string) {
			a := w.send(method, strings.ReplaceAll(path, "{id}", id), object{"name": "stolen", "password": "stolen", "text": "stolen"}, "Authorization", "Bearer "+credential, "X-Request-Id", "x")
			return a.status, strings.ReplaceAll(string(a.raw), id, "ID")
		}
		status, body := ask(ids["/"+kind])
		wantStatus, wantBody := ask(uuid.NewString())
		if status != 404 || status != wantStatus || body != wantBody {
			t.Errorf("%s: foreign %d %s, unknown %d %s", route, status, body, wantStatus, wantBody)
		}
	}
	if tried < 30 {
		t.Errorf("only %d routes tried", tried)
	}
	if after := len(w.types("")); after != before {
		t.Errorf("%d events by a stranger", after-before)
	}
	for _, list := range []string{"/conferences", "/conferencecalls", "/calls", "/extensions", "/conferencecalls?conference_id=" + conference, "/events?conference_id=" + conference} {
		if a := w.must("GET", list, nil, "Authorization", "Bearer "+otherKey); len(a.list()) != 0 {
			t.Errorf("%s shows a stranger %s", list, a.raw)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	w := newWorld(t)
	big := fmt.Sprintf(`{"name":"a","x":%q}`, strings.Repeat("x", 1<<20))
	w.refused(413, "REQUEST_TOO_LARGE", "POST", "/conferences", big)
	w.must("POST", "/conferences", fmt.Sprintf(`{"name":"a","x":%q}`, strings.Repeat("x", 1<<19)))
}

// TestServerLimits talks to the socket: headers that are too large or never end must not hold the server.
func TestServerLimits(t *testing.T) {
	w := newWorld(t)
	if s := w.server.Config; s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ping HTTP/1.1\r\nHost: x\r\nX-Big: %s\r\n\r\n", strings.Repeat("x", 100<<10))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestPanicIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.rooms.after = func() error { panic("boom") }
	a := w.refused(500, "INTERNAL", "POST", "/conferences", object{}, "Idempotency-Key", "k")
	if strings.Contains(string(a.raw), "boom") {
		t.Errorf("the answer tells: %s", a.raw)
	}
	id := a.body["error"].(object)["request_id"].(string)
	if log := w.log.String(); !strings.Contains(log, "boom") || !strings.Contains(log, id) {
		t.Errorf("the log does not tell: %s", log)
	}
	if _, _, panics := w.door.Stats(); panics != 1 {
		t.Errorf("%d panics counted", panics)
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	w := newWorld(t)
	w.must("GET", "/me?accesskey="+key+"&page_size=5", nil, "Authorization", "")
	w.must("GET", "/me?TOKEN=x&token="+key, nil, "Authorization", "")
	w.send("GET", "/me?accesskey="+key+"&bad=%zz;", nil)
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, "Authorization", "Bearer tried-tried-tried")
	token := w.must("POST", "/accesskeys", object{}, "Idempotency-Key", "k").body["token"].(string)
	w.must("POST", "/extensions", object{"extension": "a", "password": "s3cret-word"})
	log := w.log.String()
	for _, secret := range []string{key, "tried-tried", token, "s3cret-word"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if !strings.Contains(log, "page_size=5") || !strings.Contains(log, w.me) {
		t.Errorf("the log lacks what it should have: %s", log)
	}
	events, _, err := w.st.Events(t.Context(), store.LogQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		for _, secret := range []string{token, "s3cret-word", "whsec_", "hash"} {
			if strings.Contains(strings.ReplaceAll(string(e.Data), "direct_hash", ""), secret) {
				t.Errorf("%s has %q: %s", e.Type, secret, e.Data)
			}
		}
	}
}

func TestRateLimits(t *testing.T) {
	t.Run("address", func(t *testing.T) {
		w := newWorld(t, func(o *api.Options) { o.RateAddress = 0.01 })
		w.must("GET", "/me", nil)
		a := w.refused(429, "RATE_LIMIT_EXCEEDED", "GET", "/me", nil)
		checkLimited(t, a, "ip")
	})
	t.Run("customer", func(t *testing.T) {
		w := newWorld(t, func(o *api.Options) { o.RateCustomer = 0.01 })
		w.must("GET", "/me", nil)
		checkLimited(t, w.refused(429, "RATE_LIMIT_EXCEEDED", "GET", "/me", nil), "customer")
		w.must("GET", "/me", nil, "Authorization", "Bearer "+otherKey)
	})
}

func checkLimited(t *testing.T, a answer, by string) {
	t.Helper()
	if a.reason() != "RATE_LIMIT_EXCEEDED" {
		return
	}
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	details := a.body["error"].(object)["details"].([]any)
	if err != nil || wait < 1 || wait > 100 || details[0].(object)["limited_by"] != by {
		t.Errorf("Retry-After %q, details %v", a.header.Get("Retry-After"), details)
	}
}

func TestStats(t *testing.T) {
	w := newWorld(t)
	w.must("GET", "/me", nil)
	w.must("GET", "//v1/me", nil)
	w.send("GET", "/nowhere", nil)
	answers, inFlight, _ := w.door.Stats()
	seen := map[string]int64{}
	for _, c := range answers {
		seen[c.Route+" "+strconv.Itoa(c.Status)] = c.Answers
	}
	if seen["GET /v1.0/me 200"] != 2 || seen[" 404"] != 1 || inFlight != 0 {
		t.Errorf("counted %v, %d in flight", seen, inFlight)
	}
}

// TestStoreOutage says that a store which cannot write answers 503, and with what.
func TestStoreOutage(t *testing.T) {
	w := newWorld(t)
	w.rooms.after = func() error { return fault.New(fault.Unavailable, "STORE_FULL", "the disk is full") }
	a := w.refused(503, "STORE_FULL", "POST", "/conferences", object{})
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.rooms.after = func() error { return fmt.Errorf("asked: %w", context.DeadlineExceeded) }
	w.refused(503, "REQUEST_TIMEOUT", "POST", "/conferences", object{})
}

func TestBootstrapOnce(t *testing.T) {
	w := newWorld(t)
	if made, err := api.Bootstrap(t.Context(), w.st, "another-key-0123456789"); made != "" || err != nil {
		t.Errorf("made %q, %v", made, err)
	}
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, "Authorization", "Bearer another-key-0123456789")
}

// FuzzRequests throws ids, queries and bodies at the door: whatever comes is answered as described.
func FuzzRequests(f *testing.F) {
	for _, body := range []string{`{}`, `{"name":"a","timeout":60,"data":{"a":[1]}}`, `{"type":null}`, `[`, "\xff", `{"timeout":1e99}`, `{"data":` + strings.Repeat("[", 500)} {
		f.Add("6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11", "2026-01-15T09:30:00.123456Z_6f0a1c52-8e0e-4a55-9a53-0a4f3f0f6c11", body)
	}
	for _, body := range []string{
		`{"destinations":[{"type":"sip","target":"a@127.0.0.1"}],"variables":{"a":"b"}}`, `{"destinations":[{"target":"+4930123"}],"actions":[{"type":"answer"}],"timeout":-1}`,
		`{"host":"a.example","prefixes":[{"prefix":"+49","strip":2,"add":"0"}],"sources":["10.0.0.0/8"],"limits":{"concurrent":1}}`, `{"host":"[::1]","limits":[],"codecs":[null]}`,
		`{"destination":{"target":"sip:a@[::1]"},"role":"listener"}`, `{"destinations":[null],"variables":{"":null}}`,
	} {
		f.Add(wire.NilUUID, "", body)
	}
	f.Add("..", "0000-00-00T00:00:00Z", "{}")
	f.Add(wire.NilUUID, "9999-12-31T23:59:59-23:59", `{"id":"`+wire.NilUUID+`"}`)
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, id, token, body string) {
		for _, c := range [][3]string{
			{"GET", "/conferences/{}", ""},
			{"PUT", "/conferences/{}", body},
			{"POST", "/conferences", body},
			{"GET", "/conferences?page_token=[]&page_size=[]", ""},
			{"GET", "/events?after=[]&type=[]&limit=[]&conference_id=[]", ""},
			{"PUT", "/conferencecalls/{}", body},
			{"PUT", "/customer", body},
			{"PUT", "/customer/metadata", body},
			{"POST", "/accesskeys", body},
			{"POST", "/extensions", body},
			{"POST", "/calls", body},
			{"POST", "/groupcalls", body},
			{"POST", "/trunks", body},
			{"PUT", "/trunks/{}", body},
			{"POST", "/conferences/{}/conferencecalls", body},
			{"POST", "/calls/{}/recording_start", body},
			{"GET", "/conferencecalls?status=[]&reference_id=[]", ""},
		} {
			path, _, _ := strings.Cut(c[1], "?")
			r := httptest.NewRequest(c[0], "http://x/v1.0/", strings.NewReader(c[2]))
			r.URL.Path = "/v1.0" + strings.ReplaceAll(path, "{}", id)
			if _, query, ok := strings.Cut(c[1], "?"); ok {
				values := r.URL.Query()
				for pair := range strings.SplitSeq(query, "&") {
					values.Set(strings.TrimSuffix(pair, "=[]"), token)
				}
				r.URL.RawQuery = values.Encode()
			}
			r.Header.Set("Authorization", "Bearer "+key)
			answer := httptest.NewRecorder()
			w.door.ServeHTTP(answer, r)
			if answer.Code >= 500 || !json.Valid(answer.Body.Bytes()) {
				t.Fatalf("%s %s with %q, %q: %d %s", c[0], r.URL.Path, token, c[2], answer.Code, answer.Body)
			}
		}
	})
}
