package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClock shifts the clock of a server from outside: what was to last for an hour is over, and the log has the times of the shifted clock.
func TestClock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, offset := filepath.Join(dir, "server"), filepath.Join(dir, "offset")
	if out, err := exec.Command("go", "build", "-race", "-tags", "testhooks", "-o", program, "parley/cmd/parley").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	set := func(text string) {
		t.Helper()
		if err := os.WriteFile(offset, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("0")
	s := startProgram(t, program, "--dev", "--test-clock-offset-file", offset)
	_, made := s.do("POST", "/conferences", object{"timeout": 3600})
	hour := made["id"].(string)
	_, made = s.do("POST", "/conferences", object{"timeout": 7200})
	longer := made["id"].(string)
	status := func(id, want string) func() error {
		return func() error {
			_, got := s.do("GET", "/conferences/"+id, nil)
			if got["status"] != want {
				return fmt.Errorf("conference is %v, want %s", got["status"], want)
			}
			return nil
		}
	}
	if err := status(hour, "progressing")(); err != nil {
		t.Fatal(err)
	}
	set("1h1s")
	eventually(t, 20*time.Second, "the end of an hour", status(hour, "terminated"))
	if err := status(longer, "progressing")(); err != nil {
		t.Error(err)
	}
	_, ended := s.do("GET", "/conferences/"+hour, nil)
	at, err := time.Parse(time.RFC3339Nano, ended["tm_end"].(string))
	if ahead := time.Until(at); err != nil || ahead < 59*time.Minute || ahead > 61*time.Minute {
		t.Errorf("ended at %v (%v), an hour from now is wanted", ended["tm_end"], err)
	}
	set("soon") // means nothing, and moves nothing
	eventually(t, 10*time.Second, "a warning", func() error {
		if !strings.Contains(s.out.all(), "want a time as 1h30m, or seconds") {
			return fmt.Errorf("the log says nothing of it")
		}
		return nil
	})
	set("7300")
	eventually(t, 20*time.Second, "the end of two hours", status(longer, "terminated"))
	if out, err := exec.Command(built, "serve", "--test-clock-offset-file", offset).CombinedOutput(); err == nil || !strings.Contains(string(out), "unknown flag") {
		t.Errorf("a build without the tag knows the flag: %v\n%s", err, out)
	}
}
