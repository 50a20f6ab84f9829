package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Suite starts a server of its own on free loopback ports with an empty store and prints the figures that README quotes.
type Suite struct {
	Binary string        // the parley binary
	Time   time.Duration // of each measurement of calls
	Out    io.Writer
	Logs   bool // the servers log as they do by default, not warnings only
}

const suiteKey = "bench-access-key-000000"

// subject is the server under load.
type subject struct {
	cmd  *exec.Cmd
	data string
	http string
	sip  netip.AddrPort
}

// Run prints a line for each figure. It ends with the first failure.
func (s Suite) Run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(s.Out, "%s, %d usable cores; CPU time of the server process; load from the same machine over loopback\n", runtime.Version(), runtime.NumCPU())
	for _, shape := range []struct {
		name           string
		rooms, perRoom int
		talkers        int
	}{
		{"one conference of 300, 3 talking, PCMU", 1, 300, 3},
		{"100 conferences of three, all talking, PCMU", 100, 3, -1},
	} {
		if err := s.calls(ctx, filepath.Join(dir, shape.name), shape.name, Calls{Count: shape.rooms * shape.perRoom, Talkers: shape.talkers}, shape.rooms); err != nil {
			return fmt.Errorf("%s: %w", shape.name, err)
		}
	}
	if err := s.recorded(ctx, filepath.Join(dir, "recorded")); err != nil {
		return fmt.Errorf("recorded conference: %w", err)
	}
	return s.store(ctx, filepath.Join(dir, "store"))
}

func (s Suite) calls(ctx context.Context, dir, name string, c Calls, rooms int) error {
	server, ready, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer server.stop()
	fmt.Fprintf(s.Out, "ready with an empty store: %.0f ms\n", ready.Seconds()*1000)
	for range rooms {
		id, _, err := server.create(ctx)
		if err != nil {
			return err
		}
		c.Rooms = append(c.Rooms, id)
	}
	c.SIP, c.PID, c.Rate, c.Settle, c.Time = server.sip, server.cmd.Process.Pid, 40, 3*time.Second, s.Time
	report, err := c.Run(ctx)
	fmt.Fprintf(s.Out, "%s: %v\n", name, report)
	return err
}

// store measures creates at 200 a second, the idle cost of 10,000 conferences, and a start with them.
func (s Suite) store(ctx context.Context, dir string) error {
	server, _, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { server.stop() }()
	q, err := server.creates(ctx, 2000, 200)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "conference create by API at 200/s: p50 %.1f p95 %.1f p99 %.1f max %.1f ms\n", q.P50, q.P95, q.P99, q.Max)
	if _, err := server.creates(ctx, 8000, 2000); err != nil {
		return err
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	before, _ := cpuTime(server.cmd.Process.Pid)
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	after, _ := cpuTime(server.cmd.Process.Pid)
	fmt.Fprintf(s.Out, "10,000 idle conferences: %.2f %% of a core, %.0f MB\n", (after-before).Seconds()*10, memory(server.cmd.Process.Pid))
	server.stop()
	again, ready, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	server = again
	fmt.Fprintf(s.Out, "ready with 10,000 conferences: %.0f ms\n", ready.Seconds()*1000)
	return nil
}

// start runs the server on the first core, where the tool for that is there, and returns how long it took to be ready.
func (s Suite) start(ctx context.Context, dir string) (*subject, time.Duration, error) {
	web, err := free()
	if err != nil {
		return nil, 0, err
	}
	phone, err := free()
	if err != nil {
		return nil, 0, err
	}
	args := []string{s.Binary, "serve", "--dev", "--data", dir, "--http", web.String(), "--sip", phone.String()}
	if pin, err := exec.LookPath("taskset"); err == nil && processors() > 1 {
		args = append([]string{pin, "-c", "0"}, args...)
	}
	sub := &subject{cmd: exec.Command(args[0], args[1:]...), data: dir, http: "http://" + web.String(), sip: phone}
	var out bytes.Buffer
	sub.cmd.Stdout, sub.cmd.Stderr = &out, &out
	sub.cmd.Env = append(os.Environ(), "PARLEY_ACCESS_KEY="+suiteKey)
	if !s.Logs {
		sub.cmd.Env = append(sub.cmd.Env, "PARLEY_LOG_LEVEL=warn")
	}
	begin := time.Now()
	if err := sub.cmd.Start(); err != nil {
		return nil, 0, err
	}
	for time.Since(begin) < 20*time.Second {
		if r, err := http.Get(sub.http + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return sub, time.Since(begin), nil
			}
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			break
		}
	}
	sub.stop()
	return nil, 0, fmt.Errorf("server is not ready: %s", out.String())
}

func (s *subject) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(os.Interrupt)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// create makes a conference and returns its id and how long that took.
func (s *subject) create(ctx context.Context) (string, time.Duration, error) {
	begin := time.Now()
	var body struct{ ID string }
	if err := s.ask(ctx, http.MethodPost, "/conferences", `{"type":"conference","name":"bench"}`, &body); err != nil {
		return "", 0, err
	}
	return body.ID, time.Since(begin), nil
}

// ask sends a request to the API and reads its answer.
func (s *subject) ask(ctx context.Context, method, path, body string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.http+"/v1.0"+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+suiteKey)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil || r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, r.Status)
	}
	return nil
}

// creates makes n conferences at a rate a second and returns the quantiles of their times.
func (s *subject) creates(ctx context.Context, n, rate int) (Quantiles, error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		ms   []float64
		errs []error
	)
	slots := make(chan struct{}, 64)
	start := time.Now()
	for i := range n {
		if err := pause(ctx, time.Until(start.Add(time.Duration(i)*time.Second/time.Duration(rate)))); err != nil {
			break
		}
		slots <- struct{}{}
		wg.Go(func() {
			_, took, err := s.create(ctx)
			mu.Lock()
			defer mu.Unlock()
			ms, errs = append(ms, took.Seconds()*1000), append(errs, err)
			<-slots
		})
	}
	wg.Wait()
	return quantiles(ms), errors.Join(errs...)
}

// free returns a loopback address whose port is free for UDP and TCP just now.
func free() (netip.AddrPort, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}

// processors returns how many the machine has. runtime.NumCPU says how many of them this process may use, which is one when it is pinned itself.
func processors() int {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.NumCPU()
	}
	return bytes.Count(info, []byte("processor\t"))
}
