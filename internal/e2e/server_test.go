package e2e

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"parley/internal/api/apitest"
)

const accessKey = "e2e-access-key-0123456789"

// built is the server under test, built once with the race detector.
var built string

func TestMain(m *testing.M) {
	if addr := os.Getenv("PARLEY_TEST_RECEIVER"); addr != "" {
		os.Exit(receive(addr))
	}
	flag.Parse()
	// Most of their time the tests listen to phones, so more of them than there are processors go side by side.
	if set := flag.Lookup("test.parallel"); set.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = set.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0)))
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		built = filepath.Join(dir, "server")
		build := exec.Command("go", "build", "-race", "-o", built, "parley/cmd/parley")
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
	program   string
	data      string
	http, sip string
	args      []string // of serve, complete
	client    *http.Client
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

// noise is what a phone tells about its bit rate ten times a second, and requests that only read.
var noise = regexp.MustCompile(`\r?\[\d+:\d\d:\d\d\] audio=\S+ \(bit/s\)\s*|.*msg=request method=GET .*\n`)

func (l *tail) String() string { return noise.ReplaceAllString(l.all(), "") }

func (l *tail) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs a server in --dev on free ports with an empty data folder and waits until it is ready.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	return startPublic(t, append([]string{"--dev"}, args...)...)
}

// startPublic is start without --dev: phones have to authenticate.
func startPublic(t *testing.T, args ...string) *server {
	t.Helper()
	return startProgram(t, built, args...)
}

// startProgram is startPublic for another build of the server.
func startProgram(t *testing.T, program string, args ...string) *server {
	t.Helper()
	ports := portBlock(t)
	s := &server{
		t: t, program: program, data: filepath.Join(t.TempDir(), "data"), out: &tail{},
		http: fmt.Sprintf("127.0.0.1:%d", ports), sip: fmt.Sprintf("127.0.0.1:%d", ports+2),
	}
	s.args = append([]string{"serve", "--data", s.data, "--http", s.http, "--sip", s.sip, "--media-ports", mediaPorts()}, args...)
	s.start()
	t.Cleanup(func() {
		if s.cmd != nil {
			s.stop()
		}
		said := s.out.String()
		if strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic: ") {
			t.Error("data race or panic in the server")
		}
		if t.Failed() {
			t.Logf("server said:\n%s", said)
		}
	})
	return s
}

// start runs the server, again after stop or kill.
func (s *server) start() {
	s.t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	checker, err := apitest.New(transport, s.t.Errorf)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(transport.CloseIdleConnections)
	s.client = &http.Client{Transport: checker, Timeout: 20 * time.Second}
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.Env = environment("PARLEY_ACCESS_KEY=" + accessKey)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func(cmd *exec.Cmd) { exited <- cmd.Wait() }(s.cmd)
	s.exited = exited
	eventually(s.t, 30*time.Second, "server ready", func() error {
		select {
		case err := <-exited:
			s.cmd = nil
			s.t.Fatalf("server exited: %v\n%s", err, s.out)
		default:
		}
		r, err := (&http.Client{Transport: transport, Timeout: time.Second}).Get("http://" + s.http + "/readyz")
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

// needs skips the test, loudly, when a program is missing; in CI that is a failure.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			skip(t, p+" is missing; 'make test' installs it where it can")
		}
	}
}

// skip skips the test, loudly; in CI that is a failure.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI=true, but %s", why)
	}
	fmt.Fprintf(os.Stderr, "SKIPPED: %s: %s\n", t.Name(), why)
	t.Skip(why)
}
