package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const accessKey = "e2e-access-key-0123456789"

// binary is the server under test, built once with the race detector.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "parley-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "parley")
		build := exec.Command("go", "build", "-race", "-o", binary, "parley/cmd/parley")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// server is a running parley process.
type server struct {
	t         *testing.T
	data      string
	http, sip string
	args      []string
	cmd       *exec.Cmd
	out       *tail
	exited    chan error
}

// tail keeps what a process prints.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs a server in --dev on free ports with an empty data folder and waits until it is ready.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{
		t: t, data: filepath.Join(t.TempDir(), "data"),
		http: fmt.Sprintf("127.0.0.1:%d", freePort(t)), sip: fmt.Sprintf("127.0.0.1:%d", freePort(t)), args: args,
	}
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
		if t.Failed() {
			t.Logf("server said:\n%s", s.out)
		}
		if strings.Contains(s.out.String(), "DATA RACE") {
			t.Errorf("data race in the server")
		}
	})
	return s
}

func (s *server) start() {
	s.t.Helper()
	args := append([]string{"serve", "--dev", "--data", s.data, "--http", s.http, "--sip", s.sip}, s.args...)
	s.cmd = exec.Command(binary, args...)
	s.cmd.Env = append(os.Environ(), "PARLEY_ACCESS_KEY="+accessKey)
	if s.out == nil {
		s.out = &tail{}
	}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(s.cmd)
	s.exited = exited
	eventually(s.t, 20*time.Second, "server ready", func() error {
		select {
		case err := <-exited:
			exited <- err
			s.t.Fatalf("server exited: %v\n%s", err, s.out)
		default:
		}
		r, err := http.Get("http://" + s.http + "/readyz")
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != 200 {
			return errors.New(r.Status)
		}
		return nil
	})
}

// stop ends the server gracefully and expects exit code 0.
func (s *server) stop() {
	s.t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.exited:
		if err != nil {
			s.t.Errorf("server's exit after SIGTERM: %v", err)
		}
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.exited
		s.t.Errorf("server did not stop within 20 s of SIGTERM")
	}
	s.cmd = nil
}

// kill ends the server as a crash would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

type object = map[string]any

// do sends a request and returns status and body.
func (s *server) do(method, path string, body any) (int, object) {
	s.t.Helper()
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.http+"/v1.0"+path, r)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessKey)
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out object
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		s.t.Fatalf("%s %s: %s, body: %v", method, path, answer.Status, err)
	}
	return answer.StatusCode, out
}

// must is do that expects 200.
func (s *server) must(method, path string, body any) object {
	s.t.Helper()
	status, out := s.do(method, path, body)
	if status != 200 {
		s.t.Fatalf("%s %s: status %d: %v", method, path, status, out)
	}
	return out
}

// conference makes one and returns its id.
func (s *server) conference(body object) string {
	s.t.Helper()
	if body == nil {
		body = object{"type": "conference", "name": "e2e"}
	}
	return s.must("POST", "/conferences", body)["id"].(string)
}

// event is a log entry.
type event struct {
	Seq  int64
	Type string
	Data object
}

// events returns the log of a conference.
func (s *server) events(conference string) []event {
	s.t.Helper()
	var all []event
	after := int64(0)
	for {
		page := s.must("GET", fmt.Sprintf("/events?conference_id=%s&after=%d&limit=1000", conference, after), nil)
		list := page["result"].([]any)
		for _, x := range list {
			e := x.(object)
			all = append(all, event{int64(e["seq"].(float64)), e["type"].(string), e["data"].(object)})
		}
		if len(list) == 0 {
			return all
		}
		after = all[len(all)-1].Seq
	}
}

// wait waits until the n-th event of the type is in the conference's log and returns it.
func (s *server) wait(conference, kind string, n int) event {
	s.t.Helper()
	var found event
	eventually(s.t, 20*time.Second, fmt.Sprintf("%d × %s", n, kind), func() error {
		seen := 0
		for _, e := range s.events(conference) {
			if e.Type == kind {
				if seen++; seen == n {
					found = e
					return nil
				}
			}
		}
		return fmt.Errorf("%d so far", seen)
	})
	return found
}

// eventually polls until check returns nil.
func eventually(t *testing.T, within time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, within, err)
		case <-poll.C:
		}
	}
}

// freePort returns a port that is free for UDP and TCP just now, with the next one free too.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port%2 == 1 || port > 30000 && port < 40000 {
			continue
		}
		free := true
		for p := port; p < port+2; p++ {
			u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				free = false
				break
			}
			u.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// needs skips the test, loudly, when a program is missing; in CI that is a failure.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing and CI=true", p)
			}
			t.Skipf("SKIPPED LOUDLY: %s is missing; 'make test' installs it where it can", p)
		}
	}
}
