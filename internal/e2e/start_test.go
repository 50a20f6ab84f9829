package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// TestRefusedStarts starts servers that cannot run: each says in one line what to do, and exits with 1, or with 2 for what the user has to
// write differently.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	running := start(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "not a folder")
	bad := filepath.Join(dir, "bad.yaml")
	write(t, bad, "htpp: 127.0.0.1:1\n")
	wrong := filepath.Join(dir, "wrong.yaml")
	write(t, wrong, "limits:\n  calls: many\n")

	for _, c := range []struct {
		name string
		args []string
		env  string
		code int
		says []string
	}{
		{"HTTP port taken", []string{"--http", running.http}, "", 1, []string{running.http, "--http"}},
		{"SIP port taken", []string{"--sip", running.sip}, "", 1, []string{running.sip, "--sip"}},
		{"SIP port taken over UDP only", []string{"--sip", udpOnly(t)}, "", 1, []string{"--sip"}},
		{"admin port taken", []string{"--admin", running.http}, "", 1, []string{running.http, "--admin"}},
		{"data folder is a file", []string{"--data", file}, "", 1, []string{file, "--data"}},
		{"data folder below a file", []string{"--data", filepath.Join(file, "data")}, "", 1, []string{file, "--data"}},
		{"data folder of another server", []string{"--data", running.data}, "", 1, []string{running.data, fmt.Sprint(running.cmd.Process.Pid), "--data"}},
		{"database of a newer version", []string{"--data", newer(t)}, "", 1, []string{"newer", "restore a backup"}},
		{"database that is none", []string{"--data", noDatabase(t)}, "", 1, []string{"--data"}},
		{"unknown key", []string{"--config", bad}, "", 2, []string{bad, "htpp", "config print"}},
		{"wrong value", []string{"--config", wrong}, "", 2, []string{wrong, "limits.calls", "many"}},
		{"no such file", []string{"--config", filepath.Join(dir, "none.yaml")}, "", 2, []string{"none.yaml"}},
		{"unknown variable", nil, "PARLEY_HTPP=x", 2, []string{"PARLEY_HTPP"}},
		{"unknown flag", []string{"--htpp", "x"}, "", 2, []string{"--htpp"}},
		{"short key", nil, "PARLEY_ACCESS_KEY=short", 2, []string{"access_key", "16"}},
		{"outside in dev", []string{"--dev", "--http", "0.0.0.0:0"}, "", 2, []string{"--dev", "loopback"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, said := refused(t, c.args, c.env)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, part := range c.says {
				if !strings.Contains(said, part) {
					t.Errorf("it does not say %q", part)
				}
			}
			lines := strings.Split(strings.TrimSpace(said), "\n")
			if len(lines) != 1 && (c.code != 2 || !strings.HasPrefix(lines[len(lines)-1], "(")) {
				t.Errorf("it says %d lines", len(lines))
			}
			if t.Failed() {
				t.Logf("it said:\n%s", said)
			}
		})
	}
}

// refused runs a server that is expected to give up by itself, and returns its exit code and what it said on its standard error.
func refused(t *testing.T, args []string, env string) (code int, said string) {
	t.Helper()
	ports := portBlock(t)
	all := append([]string{
		"serve", "--data", filepath.Join(t.TempDir(), "data"),
		"--http", fmt.Sprintf("127.0.0.1:%d", ports), "--sip", fmt.Sprintf("127.0.0.1:%d", ports+2),
	}, args...)
	cmd := exec.Command(built, all...)
	cmd.Env = environment()
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !late.Stop() {
		t.Fatalf("it runs, which it should not:\n%s", out.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// udpOnly returns an address that is taken over UDP and free over TCP.
func udpOnly(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", portBlock(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// newer returns a data folder whose database says that it has been made by a newer version.
func newer(t *testing.T) string {
	t.Helper()
	s := start(t)
	s.stop()
	db, err := sql.Open("sqlite", filepath.Join(s.data, "parley.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	return s.data
}

// noDatabase returns a data folder with something else in the place of the database.
func noDatabase(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "parley.db"), strings.Repeat("not a database, but as long as one ", 1000))
	return dir
}

// TestUsage asks for help and the version.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--help"}, "serve"},
		{[]string{"version"}, "parley"},
		{[]string{"config", "print"}, "PARLEY_MEDIA_IP"},
	} {
		cmd := exec.Command(built, c.args...)
		cmd.Env = environment()
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.says) {
			t.Errorf("parley %s: %v\n%s", strings.Join(c.args, " "), err, out)
		}
	}
	cmd := exec.Command(built, "no-such-command")
	cmd.Env = environment()
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("unknown command: exit code %d\n%s", cmd.ProcessState.ExitCode(), out)
	}
}
