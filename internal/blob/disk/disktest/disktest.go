// Package disktest plays a disk that loses what was not synced. It owns nothing beyond its folder and starts no goroutine.
package disktest

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"parley/internal/blob/disk"
)

// Volatile is a disk.FS below one folder, which shows everything that was done; Crash says what a power loss would leave of that. Its methods may be called
// from any goroutine.
type Volatile struct {
	root string

	mu   sync.Mutex // guards what follows
	live map[string]*node
	kept map[string]*node // names that were synced, with what they named then
	hook func()
}

// node is a file, or a folder when file is false.
type node struct {
	file    bool
	content []byte
	synced  []byte
	late    []write // since the last sync
}

// write is what was done to a file and may or may not have reached the disk.
type write struct {
	at   int64
	data []byte // nil: cut off at that size
}

var _ disk.FS = (*Volatile)(nil)

// New returns an empty disk. Its own folder survives.
func New(t testing.TB) *Volatile {
	return &Volatile{root: t.TempDir(), live: map[string]*node{}, kept: map[string]*node{}}
}

// Root is the folder below which everything happens.
func (v *Volatile) Root() string { return v.root }

// Watch has f called after every change that is made from now on, by whoever made it: a moment at which the power may fail.
func (v *Volatile) Watch(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hook = f
}

func (v *Volatile) do(real func() error, then func()) error {
	v.mu.Lock()
	if err := real(); err != nil {
		v.mu.Unlock()
		return err
	}
	then()
	hook := v.hook
	v.mu.Unlock()
	if hook != nil {
		hook()
	}
	return nil
}

// Mkdir implements disk.FS.
func (v *Volatile) Mkdir(dir string) error {
	return v.do(func() error { return disk.OS.Mkdir(dir) }, func() { v.live[dir] = &node{} })
}

// Create implements disk.FS.
func (v *Volatile) Create(name string) (disk.File, error) {
	n := &node{file: true}
	var f disk.File
	err := v.do(func() (err error) { f, err = disk.OS.Create(name); return err }, func() { v.live[name] = n })
	if err != nil {
		return nil, err
	}
	return &file{File: f, v: v, n: n}, nil
}

// below reports whether a path is dir or in it.
func below(path, dir string) bool {
	return path == dir || len(path) > len(dir) && path[:len(dir)] == dir && path[len(dir)] == filepath.Separator
}

// Rename implements disk.FS.
func (v *Volatile) Rename(from, to string) error {
	return v.do(func() error { return disk.OS.Rename(from, to) }, func() {
		v.live[to] = v.live[from]
		delete(v.live, from)
	})
}

// Remove implements disk.FS.
func (v *Volatile) Remove(path string) error {
	return v.do(func() error { return disk.OS.Remove(path) }, func() {
		for p := range v.live {
			if below(p, path) {
				delete(v.live, p)
			}
		}
	})
}

// SyncDir implements disk.FS.
func (v *Volatile) SyncDir(dir string) error {
	return v.do(func() error { _, err := os.Stat(dir); return err }, func() {
		for p := range v.kept {
			if filepath.Dir(p) == dir && v.live[p] == nil {
				delete(v.kept, p)
			}
		}
		for p, n := range v.live {
			if filepath.Dir(p) == dir {
				v.kept[p] = n
			}
		}
	})
}

// Crash makes a folder of what the power's loss leaves at this moment: all that was synced, and of the rest what r picks, names one by one, content in
// sectors of 512 bytes. r may be nil: nothing of the rest.
func (v *Volatile) Crash(t testing.TB, r *rand.Rand) (root string) {
	t.Helper()
	root = t.TempDir()
	v.mu.Lock()
	defer v.mu.Unlock()
	names := map[string]*node{}
	for p, n := range v.kept {
		if now := v.live[p]; r == nil || now != nil || r.IntN(2) == 0 { // what is gone may be on the disk; what was replaced is, as it was or is
			names[p] = n
		}
	}
	if r != nil {
		for p, n := range v.live {
			if v.kept[p] != n && r.IntN(2) == 0 {
				names[p] = n
			}
		}
	}
	for p, n := range names {
		if v.reachable(p, names) {
			v.put(t, filepath.Join(root, p[len(v.root):]), n, r)
		}
	}
	return root
}

func (v *Volatile) reachable(p string, names map[string]*node) bool {
	for dir := filepath.Dir(p); dir != v.root; dir = filepath.Dir(dir) {
		if n := names[dir]; n == nil || n.file {
			return false
		}
	}
	return true
}

func (v *Volatile) put(t testing.TB, to string, n *node, r *rand.Rand) {
	t.Helper()
	dir := to
	if n.file {
		dir = filepath.Dir(to)
	}
	err := os.MkdirAll(dir, 0o700)
	if err == nil && n.file {
		err = os.WriteFile(to, n.left(r), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const sector = 512

// left is what a power loss leaves of a file.
func (n *node) left(r *rand.Rand) []byte {
	b := bytes.Clone(n.synced)
	if r == nil {
		return b
	}
	for _, w := range n.late {
		for at := int64(0); at < int64(max(len(w.data), 1)); at += sector {
			if r.IntN(2) == 0 {
				continue
			}
			if w.data == nil {
				b = resize(b, w.at)
				continue
			}
			b = apply(b, w.at+at, w.data[at:min(at+sector, int64(len(w.data)))])
		}
	}
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func apply(b []byte, at int64, data []byte) []byte {
	if end := at + int64(len(data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[at:], data)
	return b
}

// file keeps in mind what was written.
type file struct {
	disk.File
	v *Volatile
	n *node
}

// Fd serves those who lock a file.
func (f *file) Fd() uintptr { return f.File.(interface{ Fd() uintptr }).Fd() }

// Name serves those who look for it.
func (f *file) Name() string { return f.File.(interface{ Name() string }).Name() }

// Write implements disk.File.
func (f *file) Write(b []byte) (int, error) {
	f.v.mu.Lock()
	at := int64(len(f.n.content))
	f.v.mu.Unlock()
	return f.WriteAt(b, at)
}

// WriteAt implements disk.File.
func (f *file) WriteAt(b []byte, at int64) (int, error) {
	err := f.v.do(func() error { _, err := f.File.WriteAt(b, at); return err }, func() {
		f.n.content = apply(f.n.content, at, b)
		f.n.late = append(f.n.late, write{at, bytes.Clone(b)})
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// Truncate implements disk.File.
func (f *file) Truncate(size int64) error {
	return f.v.do(func() error { return f.File.Truncate(size) }, func() {
		f.n.content = resize(f.n.content, size)
		f.n.late = append(f.n.late, write{at: size})
	})
}

// Sync implements disk.File. The real disk need not.
func (f *file) Sync() error {
	return f.v.do(func() error { return nil }, func() { f.n.synced, f.n.late = bytes.Clone(f.n.content), nil })
}
