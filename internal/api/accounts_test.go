package api_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/api"
	"parley/internal/api/account"
	"parley/internal/store"
	"parley/internal/store/memory"
)

func TestCustomer(t *testing.T) {
	w := newWorld(t)
	c := w.must("GET", "/customer", nil)
	if c.id() != w.me || c.body["status"] != "active" || !strings.HasPrefix(c.body["webhook_secret"].(string), "whsec_") {
		t.Errorf("customer %s", c.raw)
	}
	changed := w.must("PUT", "/customer", object{"name": "Example", "webhook_uri": "https://example.org/x", "webhook_method": "POST"}, "If-Match", c.header.Get("ETag"))
	if changed.body["name"] != "Example" || changed.body["tm_update"] == nil || changed.body["webhook_secret"] != c.body["webhook_secret"] {
		t.Errorf("changed %s", changed.raw)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", "/customer", object{"name": "x"}, "If-Match", c.header.Get("ETag"))
	if a := w.must("PUT", "/customer", object{"name": "Example"}); a.body["tm_update"] != changed.body["tm_update"] {
		t.Error("a change of nothing was a change")
	}
	for _, body := range []any{object{"metadata": object{"a": 1}}, object{"a": 1}} {
		if a := w.must("PUT", "/customer/metadata", body); a.body["metadata"].(object)["a"] != 1.0 {
			t.Errorf("metadata %s", a.raw)
		}
	}
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/customer/metadata", object{"metadata": 5})
	w.refused(400, "INVALID_WEBHOOK_URI", "PUT", "/customer", object{"webhook_uri": "ftp://x"})
	w.refused(400, "INVALID_WEBHOOK_METHOD", "PUT", "/customer", object{"webhook_method": "TRACE"})
	w.refused(400, "INVALID_ARGUMENT", "PUT", "/customer", object{"name": strings.Repeat("x", 300)})
	got := slices.DeleteFunc(w.types(""), func(t string) bool { return strings.HasPrefix(t, "webhook_") }) // written by the follower of customers
	if !slices.Equal(got, []string{"customer_created", "accesskey_created", "customer_updated", "customer_updated"}) {
		t.Errorf("log %v", got)
	}
}

func TestAccesskeys(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/accesskeys", object{"name": "ci", "expire": 86400}, "Idempotency-Key", "k")
	token := made.body["token"].(string)
	path := "/accesskeys/" + made.id()
	as := []string{"Authorization", "Bearer " + token}
	if !strings.HasPrefix(token, made.body["token_prefix"].(string)) || made.body["tm_expire"] == nil {
		t.Errorf("made %s", made.raw)
	}
	if a := w.must("POST", "/accesskeys", object{"name": "ci", "expire": 86400}, "Idempotency-Key", "k"); a.body["token"] != token {
		t.Errorf("replayed %s", a.raw)
	}
	w.refused(422, "IDEMPOTENCY_KEY_REUSED", "POST", "/accesskeys", object{"name": "ci", "expire": 86400}, append(as, "Idempotency-Key", "k")...)
	known, err := w.st.Claim(t.Context(), store.Answer{CustomerID: w.me, Key: "k"})
	if err != nil || known == nil || strings.Contains(string(known.Body), token) || len(known.Body) == 0 {
		t.Errorf("kept in plain text: %v %v", known, err)
	}
	if a := w.must("GET", "/me", nil, as...); a.body["username"] != "ci" || a.id() != made.id() {
		t.Errorf("me %s", a.raw)
	}
	read := w.must("GET", path, nil)
	if _, shown := read.body["token"]; shown {
		t.Errorf("token shown again: %s", read.raw)
	}
	if n := len(w.must("GET", "/accesskeys", nil).list()); n != 2 {
		t.Errorf("%d keys", n)
	}
	if a := w.must("PUT", path, object{"detail": "build"}, "If-Match", read.header.Get("ETag")); a.body["name"] != "ci" || a.body["detail"] != "build" {
		t.Errorf("changed %s", a.raw)
	}
	w.refused(412, "VERSION_MISMATCH", "PUT", path, object{"detail": "x"}, "If-Match", read.header.Get("ETag"))
	w.refused(409, "STATE_INVALID", "DELETE", path, nil, as...)
	gone := w.must("DELETE", path, nil)
	if a := w.must("DELETE", path, nil); gone.body["tm_delete"] == nil || a.body["tm_delete"] != gone.body["tm_delete"] {
		t.Errorf("deleted %s, again %s", gone.raw, a.raw)
	}
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, as...)
	w.refused(409, "STATE_INVALID", "PUT", path, object{"name": "x"})
	for _, expire := range []any{1, 86399, -1, 1 << 50} {
		w.refused(400, "INVALID_ARGUMENT", "POST", "/accesskeys", object{"expire": expire})
	}
}

func TestExpiredKey(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/accesskeys", object{"expire": 86400})
	rec, err := w.st.Get(t.Context(), store.Accesskey, made.id())
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(rec.Doc, &doc); err != nil {
		t.Fatal(err)
	}
	doc["tm_expire"] = time.Now().Add(-time.Second).UTC().Format("2006-01-02T15:04:05.000000Z")
	rec.Doc, _ = json.Marshal(doc)
	_, version, _ := w.st.Last(t.Context(), "accesskey/"+made.id())
	err = w.st.Append(t.Context(), &store.Change{
		Key: "accesskey/" + made.id(), Version: version, Records: []store.Record{rec},
		Events: []store.Event{{ID: "e", Type: "accesskey_updated", At: time.Now(), Data: json.RawMessage("{}")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.refused(401, "INVALID_CREDENTIALS", "GET", "/me", nil, "Authorization", "Bearer "+made.body["token"].(string))
}

func TestExtensions(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/extensions", object{"extension": "alice", "password": "secret", "name": "Alice"}, "Idempotency-Key", "k")
	if a := w.must("POST", "/extensions", object{"extension": "alice", "password": "secret", "name": "Alice"}, "Idempotency-Key", "k"); a.id() != made.id() {
		t.Errorf("replayed %s", a.raw)
	}
	if made.body["username"] != "alice" || made.body["domain_name"] != w.me || made.body["password"] != "secret" {
		t.Errorf("made %s", made.raw)
	}
	path := "/extensions/" + made.id()
	type credentials struct {
		HA1MD5     string `json:"ha1_md5"`
		HA1SHA256  string `json:"ha1_sha256"`
		CustomerID string `json:"customer_id"`
	}
	lookup := func(user string) (c credentials, err error) { // as the registrar does
		rec, err := w.st.Resolve(t.Context(), "extension", user)
		if err != nil {
			return c, err
		}
		return c, json.Unmarshal(rec.Doc, &c)
	}
	check := func(password string) {
		t.Helper()
		c, err := lookup("alice")
		md5Sum, shaSum := md5.Sum([]byte("alice:parley:"+password)), sha256.Sum256([]byte("alice:parley:"+password))
		if err != nil || c.HA1MD5 != hex.EncodeToString(md5Sum[:]) || c.HA1SHA256 != hex.EncodeToString(shaSum[:]) || c.CustomerID != w.me {
			t.Errorf("credentials %+v, %v", c, err)
		}
	}
	check("secret")
	w.must("PUT", path, object{"password": "better-secret"}, "If-Match", made.header.Get("ETag"))
	check("better-secret")
	if a := w.must("PUT", path, object{"srtp": "required"}); made.body["srtp"] != "off" || a.body["srtp"] != "required" {
		t.Errorf("srtp %v, then %v", made.body["srtp"], a.body["srtp"])
	}
	w.refused(400, "INVALID_ARGUMENT", "PUT", path, object{"srtp": "always"})
	hash := w.must("POST", path+"/direct-hash-regenerate", nil).body["direct_hash"].(string)
	if hash == made.body["direct_hash"] {
		t.Error("the hash stayed")
	}
	if rec, err := w.st.Resolve(t.Context(), "direct", strings.TrimPrefix(hash, "direct.")); err != nil || rec.ID != made.id() {
		t.Errorf("new hash leads to %v, %v", rec.ID, err)
	}
	if _, err := w.st.Resolve(t.Context(), "direct", strings.TrimPrefix(made.body["direct_hash"].(string), "direct.")); err == nil {
		t.Error("the old hash still works")
	}
	w.refused(409, "EXTENSION_ALREADY_EXISTS", "POST", "/extensions", object{"extension": "alice", "password": "secret"}, "Authorization", "Bearer "+otherKey)
	for _, body := range []object{
		{"extension": "", "password": "secret"},
		{"extension": "a b", "password": "secret"},
		{"extension": "direct.a", "password": "secret"},
		{"extension": made.id(), "password": "secret"},
		{"extension": "bob", "password": "short"},
		{"extension": "bob"},
		{"extension": "bob", "password": "secr\net"},
	} {
		w.refused(400, "INVALID_ARGUMENT", "POST", "/extensions", body)
	}
	gone := w.must("DELETE", path, nil)
	if a := w.must("DELETE", path, nil); gone.body["tm_delete"] == nil || a.body["tm_delete"] != gone.body["tm_delete"] {
		t.Errorf("deleted %s, again %s", gone.raw, a.raw)
	}
	if _, err := lookup("alice"); err == nil {
		t.Error("a deleted extension authenticates")
	}
	w.refused(409, "STATE_INVALID", "PUT", path, object{"name": "x"})
	w.must("POST", "/extensions", object{"extension": "alice", "password": "secret"}, "Authorization", "Bearer "+otherKey)
	if n := len(w.must("GET", "/extensions", nil).list()); n != 0 {
		t.Errorf("%d extensions", n)
	}
}

// TestChangesAtOnce says that changes of one record do not undo each other.
func TestChangesAtOnce(t *testing.T) {
	w := newWorld(t)
	path := "/extensions/" + w.must("POST", "/extensions", object{"extension": "a", "password": "secret"}).id()
	bodies := []object{{"name": "n"}, {"detail": "d"}, {"password": "another"}}
	var wg sync.WaitGroup
	for _, body := range bodies {
		wg.Go(func() { w.send("PUT", path, body) })
	}
	wg.Wait()
	a := w.must("GET", path, nil)
	if a.body["name"] != "n" || a.body["detail"] != "d" || a.body["password"] != "another" {
		t.Errorf("changes lost: %s", a.raw)
	}
}

func TestBootstrap(t *testing.T) {
	st := memory.New()
	if _, err := api.Bootstrap(t.Context(), st, "short"); err == nil {
		t.Error("a short key was taken")
	}
	made, err := api.Bootstrap(t.Context(), st, "")
	if err != nil || !strings.HasPrefix(made, "vb_") || len(made) < 32 {
		t.Fatalf("made %q, %v", made, err)
	}
	if _, err := account.New(st, "").Authenticate(t.Context(), made); err != nil {
		t.Error(err)
	}
	if again, err := api.Bootstrap(t.Context(), st, ""); again != "" || err != nil {
		t.Errorf("made %q again, %v", again, err)
	}
}
