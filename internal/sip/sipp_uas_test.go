package sip

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/internal/line"
)

// TestSIPpIsCalled places a call to each scenario of testdata/sipp/uas, over UDP and TCP.
func TestSIPpIsCalled(t *testing.T) {
	sipp, err := exec.LookPath("sipp")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sipp is missing: install Debian's sip-tester")
		}
		t.Skip("NO SIPp SCENARIO CALLED: install Debian's sip-tester")
	}
	want := map[string]string{ // what the line hears, and how the call ends
		"answer": "180 200+ local 0", "leaves": "180 200+ remote 0", "early_media": "183+ 200+ local 0", "busy": "486 remote 486",
		"moved": "302 remote 302", "no_answer": "180 408 local 408", "forked": "180 180 200+ local 0", "challenge": "200+ local 0",
	}
	scenarios, err := filepath.Glob("testdata/sipp/uas/*.xml")
	if err != nil || len(scenarios) != len(want) {
		t.Fatalf("%d scenarios: %v", len(scenarios), err)
	}
	for _, file := range scenarios {
		for _, network := range []string{"udp", "tcp"} {
			name := strings.TrimSuffix(filepath.Base(file), ".xml")
			t.Run(name+" "+network, func(t *testing.T) {
				t.Parallel()
				callSIPp(t, sipp, file, network, want[name])
			})
		}
	}
}

func callSIPp(t *testing.T, sipp, file, network, want string) {
	s, err := Open(Options{Addr: "127.0.0.1:0", Exchange: newExchange(), Timing: Timing{T1: 200 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := later(func() error { return s.Run(ctx) })
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	port := freePort(t)
	file, err = filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(sipp, "-sf", file, "-t", network[:1]+"1", "-i", "127.0.0.1", "-p", fmt.Sprint(port), "-m", "1",
		"-nostdin", "-timeout", "20s", "-timeout_error", "-recv_timeout", "8000", "-trace_err", "-trace_msg", s.Addr().String())
	cmd.Dir = t.TempDir()
	out := later(func() error {
		text, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, tailOf(text))
		}
		return nil
	})
	at := fmt.Sprintf("127.0.0.1:%d", port)
	for end := time.Now().Add(5 * time.Second); network == "tcp" && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if listens(port) {
			break
		}
	}
	p := newPhone(t, s, "UDP", "sipp")
	c := dialTo(t, s, p, func(o *line.Outgoing) {
		o.To, o.User, o.Password = "sip:sipp@"+at+";transport="+network, "ada", "secret"
		o.Timeout = 2 * time.Second
	})
	got := hear(c, strings.HasSuffix(want, "remote 0"))
	if err := <-out; err != nil {
		logs, _ := filepath.Glob(filepath.Join(cmd.Dir, "*.log"))
		for _, l := range logs {
			text, _ := os.ReadFile(l)
			t.Logf("%s:\n%s", filepath.Base(l), text)
		}
		t.Fatalf("sipp: %v", err)
	}
	if got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
	p.gone(s)
}

// hear tells the responses of a call, + for those with SDP, and its end; it hangs up unless the other side does.
func hear(c *placed, waits bool) string {
	var heard []string
	final := 0
	for p := range c.d.Progress() {
		text := fmt.Sprint(p.Status)
		if p.Body != nil {
			text += "+"
		}
		heard, final = append(heard, text), p.Status
	}
	if final == 200 && !waits {
		time.Sleep(300 * time.Millisecond) // as people talk
		c.d.Hangup("")
	}
	<-c.d.Done()
	by, status := c.d.Cause()
	return fmt.Sprintf("%s %s %d", strings.Join(heard, " "), by, status)
}

// listens tells whether somebody has the TCP port, without connecting to it.
func listens(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		_ = l.Close()
	}
	return err != nil
}
