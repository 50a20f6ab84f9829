package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/internal/api/catalogue"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestTrigger says that every type of the catalogue comes signed, as the official library wants it.
func TestTrigger(t *testing.T) {
	verify, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e struct{ Type, ID string }
		if err := verify.Verify(body, r.Header); err != nil || json.Unmarshal(body, &e) != nil || e.ID != r.Header.Get("Webhook-Id") {
			t.Errorf("%v: %s", err, body)
		}
		got = e.Type
	}))
	defer receiver.Close()
	for _, e := range catalogue.All() {
		if code := run([]string{"trigger", e.Type, "--to", receiver.URL, "--secret", testSecret}); code != 0 || got != e.Type {
			t.Errorf("%s: exit %d, got %s", e.Type, code, got)
		}
	}
	asked := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.URL.Path + " " + string(body)
		fmt.Fprint(w, `{"request":{},"answer":{"status":200,"error":""}}`)
	}))
	defer server.Close()
	if code := run([]string{"trigger", "call_hangup", "--endpoint", "x", "--server", server.URL, "--key", "k"}); code != 0 || asked != `/v1.0/webhooks/x/test {"type":"call_hangup"}` {
		t.Errorf("exit %d, asked %s", code, asked)
	}
	for _, words := range []string{"trigger conference_eaten --to " + receiver.URL, "trigger call_hangup", "trigger call_hangup --to nowhere", "trigger call_hangup --endpoint x"} {
		t.Setenv("PARLEY_ACCESS_KEY", "")
		if code := run(strings.Fields(words)); code != 2 {
			t.Errorf("%s: exit %d", words, code)
		}
	}
	receiver.Close()
	if code := run([]string{"trigger", "call_hangup", "--to", receiver.URL, "--secret", testSecret}); code != 1 {
		t.Errorf("nobody there: exit %d", code)
	}
}

// TestListen runs the command in a process of its own: it forwards what a server streams, signed, until it is told to stop.
func TestListen(t *testing.T) {
	if os.Getenv("PARLEY_TEST_LISTEN") != "" {
		os.Exit(run(strings.Fields(os.Getenv("PARLEY_TEST_LISTEN"))))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "id: 7\nevent: call_hangup\ndata: {\"seq\":7,\"type\":\"call_hangup\",\"id\":\"msg_1\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	verify, err := standardwebhooks.NewWebhook(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- verify.Verify(body, r.Header)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	cmd := again(t, "TestListen", "PARLEY_TEST_LISTEN=listen --key k --server "+server.URL+" --secret "+testSecret+" --forward-to "+receiver.URL)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "7 call_hangup 202 Accepted\n" {
		t.Errorf("said %q", line)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("its end: %v", err)
	}
}

// again is this test in a process of its own.
func again(t *testing.T, name, env string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$")
	cmd.Env = append(os.Environ(), env)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestReceive runs the receiver in a process of its own: it takes what is signed with its secret and nothing else.
func TestReceive(t *testing.T) {
	if os.Getenv("PARLEY_TEST_RECEIVE") != "" {
		os.Exit(run(strings.Fields(os.Getenv("PARLEY_TEST_RECEIVE"))))
	}
	cmd := again(t, "TestReceive", "PARLEY_TEST_RECEIVE=receive 127.0.0.1:0 --count 2 --secret "+testSecret)
	cmd.Stderr = nil
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(said).ReadString('\n')
	uri := strings.TrimPrefix(strings.TrimSpace(line), "parley: receiving at ")
	if code := run([]string{"trigger", "call_hangup", "--to", uri, "--secret", testSecret}); code != 0 {
		t.Errorf("exit %d", code)
	}
	_ = run([]string{"trigger", "call_hangup", "--to", uri, "--secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if lines := strings.Split(out.String(), "\n"); len(lines) < 2 || !strings.HasPrefix(lines[0], "1 call_hangup ") || !strings.HasPrefix(lines[1], "refused: ") {
		t.Errorf("said %q", out.String())
	}
}
