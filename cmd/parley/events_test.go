package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"parley/cmd/parley/remote"
)

// TestFollow says that a broken connection loses and repeats nothing, and that a refusal ends the command.
func TestFollow(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery)
		if r.Header.Get("Authorization") != "Bearer k" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message":"who are you"}`)
			return
		}
		n := len(asked)
		for seq := 2*n - 1; seq <= 2*n; seq++ {
			fmt.Fprintf(w, ": \n\nid: %d\nevent: conference_updated\ndata: {\"seq\":%d,\"type\":\"conference_updated\",\"id\":\"x\"}\n\n", seq, seq)
		}
	}))
	defer server.Close()
	c := remote.Client{Server: server.URL, Key: "k"}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got []int64
	err := c.Follow(ctx, -1, nil, func(e remote.Streamed) error {
		if got = append(got, e.Seq); len(got) == 4 {
			stop()
		}
		return nil
	})
	if err != nil || !slices.Equal(got, []int64{1, 2, 3, 4}) || !slices.Equal(asked, []string{"", "after=2"}) {
		t.Errorf("%v, %v, %q", err, got, asked)
	}
	c.Key = "wrong"
	if err := c.Follow(t.Context(), 0, nil, nil); !errors.As(err, new(remote.Refused)) {
		t.Error(err)
	}
	c.Key = "k"
	asked = nil
	if err := c.Follow(t.Context(), 0, nil, func(remote.Streamed) error { return errors.New("full") }); err == nil || err.Error() != "full" {
		t.Error(err)
	}
}

// TestResend says what the command asks the server for.
func TestResend(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		fmt.Fprint(w, "{}")
	}))
	defer server.Close()
	for words, want := range map[string]string{
		"resend W --after 7": `POST /v1.0/webhooks/W/redeliver {"after":7}`,
		"resend W --event E": `POST /v1.0/webhooks/W/redeliver {"event_id":"E"}`,
	} {
		asked = nil
		if code := run(append(strings.Fields(words), "--server", server.URL, "--key", "k")); code != 0 || !slices.Equal(asked, []string{want}) {
			t.Errorf("%s: exit %d, asked %q", words, code, asked)
		}
	}
	for _, words := range []string{"resend W", "resend W --after 1 --event E", "resend"} {
		if code := run(append(strings.Fields(words), "--server", server.URL, "--key", "k")); code != 2 {
			t.Errorf("%s: exit %d", words, code)
		}
	}
}

// TestTail runs the command in a process of its own: it prints one entry a line.
func TestTail(t *testing.T) {
	if os.Getenv("PARLEY_TEST_TAIL") != "" {
		os.Exit(run(strings.Fields(os.Getenv("PARLEY_TEST_TAIL"))))
	}
	asked := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RawQuery
		fmt.Fprint(w, ": \n\nid: 7\nevent: call_hangup\ndata: {\"seq\":7,\"type\":\"call_hangup\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	cmd := again(t, "TestTail", "PARLEY_TEST_TAIL=events tail --key k --after 3 --type call_* --server "+server.URL)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "{\"seq\":7,\"type\":\"call_hangup\"}\n" {
		t.Errorf("said %q", line)
	}
	if query := <-asked; query != "after=3&type=call_%2A" {
		t.Errorf("asked %q", query)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("its end: %v", err)
	}
}
