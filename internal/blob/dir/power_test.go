package dir

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/blob/disk"
	"parley/internal/blob/disk/disktest"
	"parley/internal/fault"
)

// TestPowerLoss has the power fail after every single step that a store takes, with whatever of the unsynced the disk may have kept: what Put has returned is
// there, what Delete has returned is gone, and what was under way is there as it was or as it became, never in part.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 8))
			v := disktest.New(t)
			root := filepath.Join(v.Root(), "data", "files")
			s, err := open(root, v)
			if err != nil {
				t.Fatal(err)
			}
			done := map[string]string{}
			key, before, after := "", "", ""
			fails := 0
			v.Watch(func() {
				fails++
				for _, pick := range []*rand.Rand{nil, r} {
					left := v.Crash(t, pick)
					again := &Store{filepath.Join(left, "data", "files"), disk.OS}
					for k, want := range done {
						if got := content(t, again, k); got != want && (k != key || got != before && got != after) {
							t.Errorf("%s is %.20q (%d bytes) after a power loss, want %.20q (%d bytes)", k, got, len(got), want, len(want))
						}
					}
				}
			})
			keys := []string{"a", "b/c", "b/d/e", "f/g/h"}
			for range 25 {
				key = keys[r.IntN(len(keys))]
				before, after = done[key], ""
				if r.IntN(4) > 0 {
					after = strings.Repeat(string(rune('a'+r.IntN(26))), 1+r.IntN(3000))
				}
				if _, known := done[key]; !known {
					done[key] = ""
				}
				if after == "" {
					err = s.Delete(t.Context(), key)
				} else {
					_, err = s.Put(t.Context(), key, strings.NewReader(after), int64(len(after)))
				}
				if err != nil {
					t.Fatal(err)
				}
				done[key], key = after, ""
				for k, want := range done {
					if got := content(t, s, k); got != want {
						t.Fatalf("%s is %.20q, want %.20q", k, got, want)
					}
				}
			}
			if fails < 50 {
				t.Errorf("the power has failed only %d times", fails)
			}
		})
	}
}

// content returns what is kept, "" for nothing.
func content(t *testing.T, s *Store, key string) string {
	t.Helper()
	f, _, err := s.Open(t.Context(), key, 0, -1)
	if fault.ReasonOf(err) == "BLOB_NOT_FOUND" {
		return ""
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
