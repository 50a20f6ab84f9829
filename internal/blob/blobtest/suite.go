// Package blobtest is the suite that every store of finished files passes. It starts goroutines only within its tests.
package blobtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"parley/internal/blob"
	"parley/internal/fault"
)

// Run tests the store; it may hold other files.
func Run(t *testing.T, s blob.Store) {
	for name, test := range map[string]func(*testing.T, blob.Store){
		"put and read": putAndRead, "ranges": ranges, "files": files, "delete": deletes, "refusals": refusals,
		"whole or not at all": whole, "at the same time": together,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

// Bytes returns n bytes that look random.
func Bytes(n int, seed uint64) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Read returns a range of what is stored.
func Read(t *testing.T, s blob.Store, key string, offset, length int64) []byte {
	t.Helper()
	r, _, err := s.Open(context.Background(), key, offset, length)
	must(t, err)
	b, err := io.ReadAll(r)
	must(t, errors.Join(err, r.Close()))
	return b
}

func put(t *testing.T, s blob.Store, key string, b []byte, size int64) {
	t.Helper()
	info, err := s.Put(context.Background(), key, bytes.NewReader(b), size)
	must(t, err)
	if info.Size != int64(len(b)) || info.Key != key {
		t.Fatalf("%+v for %d bytes", info, len(b))
	}
}

func putAndRead(t *testing.T, s blob.Store) {
	for i, n := range []int{0, 1, 100, 70_000, 6 << 20} {
		key := fmt.Sprintf("a/%d.wav", n)
		want := Bytes(n, uint64(i))
		size := int64(n)
		if i%2 == 1 {
			size = -1
		}
		put(t, s, key, want, size)
		if got := Read(t, s, key, 0, -1); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes came back as %d others", n, len(got))
		}
		info, err := s.Stat(context.Background(), key)
		if err != nil || info.Size != int64(n) || time.Since(info.Modified).Abs() > time.Hour {
			t.Fatalf("%v: %+v", err, info)
		}
	}
	put(t, s, "a/100.wav", []byte("new"), 3)
	if got := Read(t, s, "a/100.wav", 0, -1); string(got) != "new" {
		t.Fatalf("%q", got)
	}
}

func ranges(t *testing.T, s blob.Store) {
	b := Bytes(1000, 1)
	put(t, s, "range", b, -1)
	for _, c := range []struct{ offset, length, end int64 }{{0, 10, 10}, {990, -1, 1000}, {990, 100, 1000}, {500, 1, 501}, {1000, -1, 1000}, {7, 0, 7}} {
		if got := Read(t, s, "range", c.offset, c.length); !bytes.Equal(got, b[c.offset:c.end]) {
			t.Errorf("%+v: %d bytes", c, len(got))
		}
	}
	for _, offset := range []int64{-1, 1001} {
		if _, _, err := s.Open(context.Background(), "range", offset, -1); fault.ReasonOf(err) != "BLOB_RANGE_INVALID" {
			t.Errorf("offset %d: %v", offset, err)
		}
	}
}

func files(t *testing.T, s blob.Store) {
	path := filepath.Join(t.TempDir(), "x")
	for i, n := range []int{0, 5000, 17<<20 + 5} {
		want := Bytes(n, uint64(i))
		must(t, os.WriteFile(path, want, 0o600))
		info, err := s.PutFile(context.Background(), "file", path)
		if err != nil || info.Size != int64(n) {
			t.Fatalf("%v: %+v", err, info)
		}
		if !bytes.Equal(Read(t, s, "file", 0, -1), want) {
			t.Fatalf("a file of %d bytes came back another", n)
		}
	}
	if _, err := s.PutFile(context.Background(), "file", path+"none"); err == nil {
		t.Fatal("a missing file was put")
	}
}

func deletes(t *testing.T, s blob.Store) {
	put(t, s, "d/e/f", []byte("x"), 1)
	for range 2 {
		must(t, s.Delete(context.Background(), "d/e/f"))
		if _, err := s.Stat(context.Background(), "d/e/f"); fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Open(context.Background(), "d/e/f", 0, -1); fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
		t.Fatal(err)
	}
	if _, err := s.Stat(context.Background(), "d"); fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
		t.Fatal(err)
	}
}

func refusals(t *testing.T, s blob.Store) {
	ctx := context.Background()
	for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".partial/x", "a b", "a\x00", "ä", string(make([]byte, 600))} {
		_, putErr := s.Put(ctx, key, bytes.NewReader(nil), 0)
		_, statErr := s.Stat(ctx, key)
		_, _, openErr := s.Open(ctx, key, 0, -1)
		for _, err := range []error{putErr, statErr, openErr, s.Delete(ctx, key)} {
			if fault.ReasonOf(err) != "BLOB_KEY_INVALID" {
				t.Errorf("key %q: %v", key, err)
			}
		}
	}
	put(t, s, "linked", []byte("x"), 1)
	for _, lasts := range []time.Duration{0, -1, blob.LongestLink + 1} {
		if _, err := s.Link(ctx, "linked", lasts); fault.ReasonOf(err) != "BLOB_LINK_INVALID" && fault.ReasonOf(err) != "BLOB_LINK_UNSUPPORTED" {
			t.Errorf("%v: %v", lasts, err)
		}
	}
}

// whole wants nothing of a put that fails, and what was there before.
func whole(t *testing.T, s blob.Store) {
	ctx := context.Background()
	put(t, s, "whole", []byte("before"), 6)
	broken := io.MultiReader(bytes.NewReader(Bytes(100_000, 1)), iotest.ErrReader(errors.New("torn")))
	if _, err := s.Put(ctx, "whole", broken, 200_000); err == nil {
		t.Fatal("half of a file was put")
	}
	for _, announced := range []int64{3, 500} {
		if _, err := s.Put(ctx, "whole", bytes.NewReader(make([]byte, 50)), announced); fault.ReasonOf(err) != "BLOB_SIZE_WRONG" {
			t.Errorf("announced %d: %v", announced, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Put(cancelled, "whole", bytes.NewReader(make([]byte, 50)), 50); err == nil {
		t.Error("put after its context")
	}
	if got := Read(t, s, "whole", 0, -1); string(got) != "before" {
		t.Fatalf("%d bytes", len(got))
	}
}

func together(t *testing.T, s blob.Store) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			key := fmt.Sprintf("t/%d", i%3)
			for range 5 {
				_, err := s.Put(context.Background(), key, bytes.NewReader(bytes.Repeat([]byte{byte(i % 3)}, 3000)), 3000)
				if err != nil {
					t.Error(err)
				}
				r, _, err := s.Open(context.Background(), key, 0, -1)
				if err != nil {
					t.Error(err)
					continue
				}
				if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, bytes.Repeat([]byte{byte(i % 3)}, 3000)) {
					t.Errorf("%v: a file of others", err)
				}
				_ = r.Close()
			}
		})
	}
	all.Wait()
}
