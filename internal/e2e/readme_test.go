package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// alone returns the words that run a command where loopback is the only network, all ports are free, and everything that the command
// starts ends with it. It returns nil where the system does not allow that.
func alone() []string {
	for _, words := range [][]string{
		{"unshare", "--net", "--pid", "--fork", "--kill-child"},
		{"unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"},
	} {
		if exec.Command(words[0], append(words[1:], "ip", "link", "set", "lo", "up")...).Run() == nil {
			return words
		}
	}
	return nil
}

// script runs a bash script, alone where that is possible, in a folder, and returns what it printed.
func script(t *testing.T, dir, text string, within time.Duration) string {
	t.Helper()
	words := alone()
	if words == nil {
		if !idle(5060) || !idle(8080) {
			skip(t, "this system has no network namespaces, and the default ports are taken")
		}
	} else {
		text = "ip link set lo up\n" + text
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	words = append(words, "bash", "-eu", "-o", "pipefail", "-c", text)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = dir, environment()
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("script: %v (context: %v)\n%s", err, ctx.Err(), out)
	}
	return string(out)
}

// TestReadme runs every command of the README in order, in a copy of the repository with nothing beside it: "make run" in the background, the
// others in one shell.
func TestReadme(t *testing.T) {
	t.Parallel()
	needs(t, "make", "curl", "baresip", "flite", "sox")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := commands(string(text))
	if len(blocks) < 2 || blocks[0] != "make run\n" {
		t.Fatalf("the README does not begin with 'make run': %q", blocks)
	}
	dir := copyOfRepository(t)
	write(t, filepath.Join(dir, "blocks.sh"), strings.Join(blocks[1:], "\n"))
	out := script(t, dir, `
trap 'cat run.log' EXIT
(exec make run) >run.log 2>&1 &
run=$!
until curl -fsS -o /dev/null http://127.0.0.1:8080/readyz 2>/dev/null; do
	kill -0 $run || exit 1
	sleep 0.2
done
bash -eux blocks.sh
`, 5*time.Minute)
	t.Logf("%s", out)

	for _, c := range [][2]string{{"anna", "ben"}, {"ben", "anna"}} {
		rate, heard := readWAV(t, filepath.Join(dir, "phones", c[0], "heard.wav"))
		_, own := readWAV(t, filepath.Join(dir, "phones", c[0], "says.wav"))
		_, other := readWAV(t, filepath.Join(dir, "phones", c[1], "says.wav"))
		other, own = other[:min(len(other), 3*rate)], own[:min(len(own), 3*rate)]
		if found := likeness(narrow(rate, heard), narrow(rate, other)); found < 18 {
			t.Errorf("%s does not hear %s: likeness %.1f", c[0], c[1], found)
		}
		if found := likeness(narrow(rate, heard), narrow(rate, own)); found > 14 {
			t.Errorf("%s hears itself: likeness %.1f", c[0], found)
		}
	}
	for _, want := range []string{"conferencecall_joined", `"muted":true`, `"status":"terminat`, `"status":"ready"`, "parley_", "alice heard", " conference_created ", "0 conferencecall_joined "} {
		if !strings.Contains(out, want) {
			t.Errorf("the README's commands do not show %q", want)
		}
	}
}

// commands returns the blocks of shell commands of a text in Markdown.
func commands(markdown string) []string {
	var out []string
	for i, part := range strings.Split(markdown, "```") {
		if code, ok := strings.CutPrefix(part, "sh\n"); ok && i%2 == 1 {
			out = append(out, code)
		}
	}
	return out
}

// copyOfRepository copies all files of the repository as they are now, without what was built or left by servers and phones.
func copyOfRepository(t *testing.T) string {
	t.Helper()
	root, dir := "../..", t.TempDir()
	err := filepath.WalkDir(root, func(from string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, from)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, name)
		if d.IsDir() {
			if slices.Contains([]string{".git", ".tools", "bin", "data", "phones"}, name) {
				return filepath.SkipDir
			}
			return os.MkdirAll(to, 0o755)
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
