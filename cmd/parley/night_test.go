package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"parley/internal/config"
	"parley/internal/server"
)

// serving runs a server on ports of its own until the test ends, and points the commands at it.
func serving(t *testing.T) config.Config {
	t.Helper()
	c := config.Default()
	c.Dev, c.Data, c.MediaPorts, c.Log.Level = true, t.TempDir(), "42000-42099", "error"
	c.HTTP, c.SIP = freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	up, told := io.Pipe()
	go func() {
		err := server.Serve(ctx, c, told, "test")
		told.CloseWithError(io.EOF)
		ended <- err
	}()
	if n, err := up.Read(make([]byte, 4096)); n == 0 {
		t.Fatalf("no start: %v, %v", err, <-ended)
	}
	go func() { _, _ = io.Copy(io.Discard, up) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Setenv("PARLEY_SERVER", "http://"+c.HTTP)
	t.Setenv("PARLEY_DATA", c.Data)
	t.Setenv("PARLEY_ACCESS_KEY", "")
	return c
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// output runs a command and returns its exit code and what it prints on both outputs.
func output(t *testing.T, words ...string) (code int, out, errs string) {
	t.Helper()
	stdout, stderr := os.Stdout, os.Stderr
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	files := [2]string{filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "err")}
	for i, to := range []**os.File{&os.Stdout, &os.Stderr} {
		f, err := os.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		*to = f
	}
	code = run(words)
	texts := [2]string{}
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return code, texts[0], texts[1]
}

// TestNight is what an operator does with a running server and the key in its data folder.
func TestNight(t *testing.T) {
	c := serving(t)
	_, id, _ := output(t, "conferences", "create", "--name", "Night shift", "--dial-in", "night", "--timeout", "3600")
	id = strings.TrimSpace(id)
	if len(id) != 36 {
		t.Fatalf("create printed %q", id)
	}
	for _, step := range []struct {
		words, want string // want in either output
		code        int
	}{
		{"conferences", "Night shift", 0},
		{"conferences list", "night    0", 0},
		{"conferences show night", "ends by itself at", 0},
		{"conferences show " + id[:8], "reached by sip:night@HOST", 0},
		{"conferences show night", "nobody is in it", 0},
		{"conferences lock night", "is locked", 0},
		{"conferences", "locked", 0},
		{"conferences unlock night", "is open", 0},
		{"conferences mute night", "is muted for everybody", 0},
		{"conferences unmute night", "is unmuted for everybody", 0},
		{"conferences record start night", "is recorded", 0},
		{"conferences", "yes", 0},
		{"conferences record stop night", "is not recorded any more", 0},
		{"conferences record stop night", "the server answers 409", 1},
		{"conferences kick night ada", "'parley conferences show night' lists them", 1},
		{"conferences show nowhere", "'parley conferences' lists them", 1},
		{"calls", "no call is up", 0},
		{"calls explain 00000000-0000-4000-8000-000000000000", "404", 1},
		{"calls out ada", "give --conference, --say, or both", 2},
		{"calls out sip:ada@192.0.2.1 --conference night", "the server answers 403", 1},
		{"conferences end night", "ends", 0},
		{"conferences list --all", "terminated", 0},
		{"conferences --key " + strings.Repeat("x", 20), "--key-file", 1},
		{"conferences --server http://127.0.0.1:1", "start it with 'parley serve'", 1},
		{"conferences --key-file nowhere", "no access key", 2},
		{"conferences eat night", "parley --help", 2},
	} {
		code, out, errs := output(t, strings.Fields(step.words)...)
		if code != step.code || !strings.Contains(out+errs, step.want) {
			t.Errorf("parley %s: exit %d, want %d and %q in\n%s%s", step.words, code, step.code, step.want, out, errs)
		}
	}
	flags := []string{"--dev", "--data", c.Data, "--http", c.HTTP, "--sip", c.SIP, "--media-ports", c.MediaPorts}
	if code, out, errs := output(t, append([]string{"doctor"}, flags...)...); code != 0 && strings.Contains(out, "fail  server") || !strings.Contains(out, "trunks") {
		t.Errorf("doctor: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ := output(t, "doctor", "--data", "/nowhere/at/all", "--json"); code != 1 || !json.Valid([]byte(out)) {
		t.Errorf("doctor of a folder that cannot be: exit %d\n%s", code, out)
	}
	_, text, _ := output(t, "conferences", "--all", "--json")
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 1 || list[0]["customer_id"] == nil {
		t.Errorf("%v: --json prints %s", err, text)
	}
	if _, err := config.Load("", []string{"PARLEY_SERVER=http://" + c.HTTP}, nil); err != nil {
		t.Errorf("a variable of the commands keeps the server from starting: %v", err)
	}
}

// TestReread: at SIGHUP a server in a process of its own takes over what it can, says what needs a restart, refuses what is wrong, and goes on.
func TestReread(t *testing.T) {
	if words := os.Getenv("PARLEY_TEST_SERVE"); words != "" {
		os.Unsetenv("PARLEY_TEST_SERVE")
		os.Exit(run(strings.Fields(words)))
	}
	file, said := filepath.Join(t.TempDir(), "parley.yaml"), &strings.Builder{}
	set := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("log: {level: info}")
	cmd := exec.Command(os.Args[0], "-test.run=^TestReread$")
	cmd.Env = append(os.Environ(), "PARLEY_TEST_SERVE="+strings.Join([]string{
		"serve --dev --config", file, "--data", t.TempDir(), "--http", freeAddress(t), "--sip", freeAddress(t), "--media-ports 42100-42199",
	}, " "))
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer ended.Stop()
	lines := bufio.NewScanner(log)
	until := func(what string) {
		t.Helper()
		for lines.Scan() {
			fmt.Fprintln(said, lines.Text())
			if strings.Contains(lines.Text(), what) {
				return
			}
		}
		t.Fatalf("the log ends without %q:\n%s", what, said)
	}
	hangup := func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	until("msg=ready")
	set("log: {level: nonsense}")
	hangup()
	until("goes on with the old one")
	set("log: {level: debug}\nlimits: {calls: 7}")
	hangup()
	until("needs a restart\" key=limits.calls")
	until("key=log.level from=info to=debug")
	until("configuration read again")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	until("level=DEBUG") // parts are stopped
	for lines.Scan() {   // to the end
		continue
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v", err)
	}
}
