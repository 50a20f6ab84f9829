package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"parley/internal/mixer"
	"parley/internal/recording/capture"
)

// orphan makes a capture that no database knows, with a page in its middle damaged, and returns its id.
func orphan(t *testing.T, data string) string {
	t.Helper()
	id := uuid.NewString()
	c, err := capture.Start(capture.Options{Dir: filepath.Join(data, "recordings"), ID: id, MinFree: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Join(capture.Lane{Tag: "a", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	frame := make([]int16, 160)
	for i := range frame {
		frame[i] = int16(i*197 - 15000)
	}
	for tick := range uint64(100) {
		c.See(mixer.Moment{Clock: tick * 960, Rate: 8000, Voices: []mixer.Voice{{Tag: "a", Frame: frame}}})
	}
	c.Stop("")
	path := c.Result().Path
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0xff
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return id
}

// TestExport: what no database knows can be had all the same, without what is damaged.
func TestExport(t *testing.T) {
	data := t.TempDir()
	id := orphan(t, data)
	out := filepath.Join(t.TempDir(), "mix.wav")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"recordings", "list", "--data", data}, 0},
		{[]string{"recordings", "export", id, "--data", data, "--out", out}, 0},
		{[]string{"recordings", "export", id, "--data", data, "--out", out}, 1}, // it is there
		{[]string{"recordings", "export", uuid.NewString(), "--data", data, "--out", out + "2"}, 1},
		{[]string{"recordings", "export", "../" + id, "--data", data, "--out", out + "3", "--rendition", "nonsense"}, 1},
	} {
		if code := run(c.args); code != c.code {
			t.Errorf("%q: exit %d, want %d", c.args, code, c.code)
		}
	}
	b, err := os.ReadFile(out)
	if err != nil || len(b) != 44+100*320 || !bytes.HasPrefix(b, []byte("RIFF")) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	silent := 0
	for i := 44; i < len(b); i += 320 {
		if bytes.Count(b[i:i+320], []byte{0}) == 320 {
			silent++
		}
	}
	if silent == 0 || silent > 10 {
		t.Errorf("%d of 100 frames are left out", silent)
	}
	if left, _ := filepath.Glob(out + "?"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
