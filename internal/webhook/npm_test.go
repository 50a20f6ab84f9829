package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/store"
	"parley/internal/webhook/endpoint"
)

// skip skips the test, loudly; in CI that is a failure.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true, but %s", why)
	}
	fmt.Fprintf(os.Stderr, "SKIPPED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}

// library returns a folder with the npm packages standardwebhooks and cloudevents, in the versions that the lock file says.
func library(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			skip(t, program+" is missing; 'make test' installs it where it can")
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "verify.js"} {
		text, err := os.ReadFile(filepath.Join("testdata", "npm", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		skip(t, fmt.Sprintf("npm ci: %v: %s", err, out))
	}
	return dir
}

// attempt is one request as it would be sent.
type attempt struct {
	Secret  string            `json:"secret"` // that the receiver has
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	want    string
}

// TestNPM says that the official library for JavaScript takes what we sign, in both formats, with secrets of all origins, and nothing else; and that
// what we call a CloudEvent is one for the SDK of CloudEvents.
func TestNPM(t *testing.T) {
	dir := library(t)
	e := &store.Event{
		Seq: 7, ID: "0b5ee6a9-4a1c-4d6a-8a52-4f4b5a3c0f11", Type: "conference_updated", Key: "conference/" + conf(1), At: time.Now(), CustomerID: me, Conference: conf(1),
		Resource: conf(1), Data: json.RawMessage(`{"id":"` + conf(1) + `","name":"<ä> \u2028 \"quoted\""}`),
	}
	own, old, hex := endpoint.NewSecret(), endpoint.NewSecret(), "whsec_00112233445566778899aabbccddeeff0011223344556677"
	var all []attempt
	add := func(want, format, receiver string, at time.Time, secrets ...string) *attempt {
		text, media, err := body(format, e)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		if err := Sign(h, secrets, e.ID, at, text); err != nil {
			t.Fatal(err)
		}
		a := attempt{Secret: receiver, Headers: map[string]string{}, Body: string(text), want: want}
		h.Set("Content-Type", media)
		for name := range h {
			a.Headers[strings.ToLower(name)] = h.Get(name)
		}
		all = append(all, a)
		return &all[len(all)-1]
	}
	for _, format := range []string{endpoint.Plain, endpoint.CloudEvent} {
		add("ok conference_updated", format, own, time.Now(), own)
		add("ok conference_updated", format, own, time.Now(), own, old)
		add("ok conference_updated", format, old, time.Now(), own, old) // who has not changed to the new one yet
		add("ok conference_updated", format, hex, time.Now(), hex)
		add("refused", format, old, time.Now(), own)
		add("refused", format, own, time.Now().Add(-10*time.Minute), own)
		add("refused", format, own, time.Now(), own).Body += " "
		add("refused", format, own, time.Now(), own).Headers["webhook-id"] = "another"
	}
	var in bytes.Buffer
	for _, a := range all {
		line, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	node := exec.CommandContext(t.Context(), "node", "verify.js")
	node.Dir, node.Stdin, node.Stderr = dir, &in, os.Stderr
	out, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(said) != len(all) {
		t.Fatalf("%q", said)
	}
	for i, a := range all {
		if !strings.HasPrefix(said[i], a.want) {
			t.Errorf("attempt %d: the library says %q, want %q\n%+v", i, said[i], a.want, a)
		}
	}
}
