package sip

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSIPp runs each scenario of testdata/sipp against a server of its own, over UDP and TCP.
func TestSIPp(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is missing: install Debian's sip-tester")
		}
		t.Skip("NO SIPp SCENARIO RUN: install Debian's sip-tester")
	}
	scenarios, err := filepath.Glob("testdata/sipp/*.xml")
	if err != nil || len(scenarios) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range scenarios {
		for _, mode := range []string{"u1", "t1"} {
			name := strings.TrimSuffix(filepath.Base(file), ".xml")
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				runSIPp(t, sipp, file, mode, name)
			})
		}
	}
}

func runSIPp(t *testing.T, sipp, file, mode, name string) {
	x := newExchange()
	s, err := Open(Options{Addr: "127.0.0.1:0", Exchange: x, Timing: Timing{SessionExpires: 2 * time.Second, MinSE: 2 * time.Second, T1: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx := t.Context()
	go func() { done <- s.Run(ctx) }()
	user := map[string]string{"cancel": "ring"}[name]
	if user == "" {
		user = "room"
	}
	file, err = filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sipp, "-sf", file, "-t", mode, "-s", user, "-i", "127.0.0.1", "-p", fmt.Sprint(freePort(t)), "-m", "1",
		"-nostdin", "-timeout", "20s", "-timeout_error", "-recv_timeout", "8000", "-trace_err", "-trace_logs", "-trace_msg", s.Addr().String())
	cmd.Dir = t.TempDir()
	hangup(x, name)
	if out, err := cmd.CombinedOutput(); err != nil {
		logs, _ := filepath.Glob(filepath.Join(cmd.Dir, "*.log"))
		for _, l := range logs {
			text, _ := os.ReadFile(l)
			t.Logf("%s:\n%s", filepath.Base(l), text)
		}
		t.Fatalf("sipp: %v\n%s", err, tailOf(out))
	}
	if name == "info" {
		l := <-x.made
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.digits != "1#" {
			t.Errorf("digits %q", l.digits)
		}
	}
}

// TestManyCalls holds 200 calls at once, set up as fast as they come; none fails, and nothing is left.
func TestManyCalls(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		t.Skip("NO SIPp LOAD RUN: install Debian's sip-tester")
	}
	s, x := start(t, func(o *Options) { o.Timing.T1 = 500 * time.Millisecond })
	go func() {
		for range 200 {
			<-x.made
		}
	}()
	cmd := exec.Command(sipp, "-sf", "testdata/sipp/basic.xml", "-s", "room", "-i", "127.0.0.1", "-p", fmt.Sprint(freePort(t)), "-m", "200", "-r", "200",
		"-rp", "200", "-l", "200", "-nostdin", "-timeout", "30s", "-timeout_error", s.Addr().String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sipp: %v\n%s", err, tailOf(out))
	}
	if st := s.Stats(); st.Requests["INVITE"] != 200 || st.Requests["BYE"] != 200 || st.Responses[2] < 400 || st.Refused != 0 {
		t.Errorf("stats %+v", st)
	}
	(&phone{t: t}).gone(s)
}

// hangup makes the line of the scenario "hangup" end its call.
func hangup(x *exchange, name string) {
	if name == "hangup" {
		go func() {
			l := <-x.made
			<-l.up
			l.hang <- "kicked"
		}()
	}
}

func tailOf(out []byte) string {
	if len(out) > 3000 {
		out = out[len(out)-3000:]
	}
	return string(out)
}

// freePort finds a port that is free for UDP and TCP, as far as one can know.
func freePort(t *testing.T) int {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}
