package folder

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"parley/internal/fault"
)

// childDir names the data folder when this test binary runs as the other process that has it.
const childDir = "PARLEY_FOLDER_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

// child takes the folder, says so, and keeps it until it is killed or its input ends.
func child(dir string) {
	if _, err := Open(dir); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("mine")
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// openTest opens a folder that is closed when t ends.
func openTest(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// wantRefused opens dir and wants one line with the reason and the words.
func wantRefused(t *testing.T, dir, reason string, words ...string) {
	t.Helper()
	f, err := Open(dir)
	if err == nil {
		_ = f.Close()
		t.Fatalf("%s was opened", dir)
	}
	wantFault(t, err, reason, words...)
}

func wantFault(t *testing.T, err error, reason string, words ...string) {
	t.Helper()
	if err == nil || fault.ReasonOf(err) != reason || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v, want one line and reason %s", err, reason)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q does not say %q", err, w)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tmpfs mounts a small disk of its own, or skips the test.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("SKIPPED: mounting a small disk needs more rights: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// TestMade: folders and files are made for their owner only, and the path stays right when the process goes elsewhere.
func TestMade(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	f := openTest(t, filepath.Join("a b", "50%?#"))
	dir := filepath.Join(base, "a b", "50%?#")
	if f.Path() != dir {
		t.Errorf("path is %s, want %s", f.Path(), dir)
	}
	t.Chdir(t.TempDir())
	if err := f.Prepare(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"..": fs.ModeDir | 0o700, "": fs.ModeDir | 0o700, lockFile: 0o600, ballastFile: 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%q has mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	f := openTest(t, dir)
	wantRefused(t, dir, "STORE_LOCKED", dir, "process "+strconv.Itoa(os.Getpid()), "stop it or choose another --data")
	write(t, filepath.Join(dir, lockFile), "")
	wantRefused(t, dir, "STORE_LOCKED", "process (unknown)")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// What an earlier process left in the file does not matter.
	write(t, filepath.Join(dir, lockFile), "1234567890\n")
	openTest(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil || string(text) != strconv.Itoa(os.Getpid())+"\n" {
		t.Fatalf("the lock file says %q (%v)", text, err)
	}
}

// TestLockOfAnother finds the folder in use by another process, and free as soon as that is dead.
func TestLockOfAnother(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	in, err := cmd.StdinPipe() // held open: the child ends when this process does
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	said := make([]byte, 4)
	if _, err := out.Read(said); err != nil || string(said) != "mine" {
		t.Fatalf("the other process says %q (%v)", said, err)
	}
	wantRefused(t, dir, "STORE_LOCKED", "process "+strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	openTest(t, dir)
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	wantRefused(t, file, "STORE_FOLDER", "choose another --data")
	wantRefused(t, filepath.Join(file, "below"), "STORE_FOLDER", "choose another --data")
	wantRefused(t, "", "STORE_FOLDER", "--data")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, dir, "STORE_FOLDER", "choose another --data")
}

func TestReadOnly(t *testing.T) {
	var dir string
	if os.Getuid() == 0 { // root may write anywhere but to a disk that is read-only
		dir = tmpfs(t, "size=1m")
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Skipf("SKIPPED: a read-only disk needs more rights: %v", err)
		}
	} else {
		dir = t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(t, dir, "STORE_READ_ONLY", "write permission", "choose another --data")
	wantRefused(t, filepath.Join(dir, "below"), "STORE_READ_ONLY")
}
