// Package sealed keeps files encrypted in another store, in the format of age (age-encryption.org/v1): its chunks can be read by range, and the age
// program opens the files without us. Files that were stored open are read as they are. It starts no goroutine.
package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"parley/internal/blob"
	"parley/internal/fault"
)

// Store encrypts what it stores. Its methods promise what those of blob.Store promise, but for Link, which it cannot give, and for PutFile, which sends
// an encrypted file anew when it is repeated.
type Store struct {
	inner blob.Store
	dir   string
	key   *age.X25519Identity
}

var _ blob.Store = (*Store)(nil)

// New makes a store on top of another. dir is where encrypted files wait to be sent; it must be there. Without a key files are stored open, and encrypted
// ones refused with RECORDING_KEY_MISSING.
func New(inner blob.Store, dir string, key *age.X25519Identity) *Store {
	return &Store{inner: inner, dir: dir, key: key}
}

// ReadKey reads an age identity (AGE-SECRET-KEY-1...) from a file, as age-keygen writes it.
func ReadKey(path string) (*age.X25519Identity, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	all, err := age.ParseIdentities(f)
	if err == nil && len(all) == 1 {
		if key, ok := all[0].(*age.X25519Identity); ok {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%s holds no single key that begins with AGE-SECRET-KEY-1: make one with age-keygen -o %s", path, path)
}

// magic begins each file of age.
const magic = "age-encryption.org/v1\n"

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
	if s.key == nil {
		return s.inner.Put(ctx, key, r, size)
	}
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	return s.put(ctx, key, r, size)
}

// PutFile implements blob.Store.
func (s *Store) PutFile(ctx context.Context, key, path string) (blob.Info, error) {
	if s.key == nil {
		return s.inner.PutFile(ctx, key, path)
	}
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return blob.Info{}, fmt.Errorf("store %s: %w", key, err)
	}
	defer f.Close()
	return s.put(ctx, key, f, -1)
}

func (s *Store) put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
	f, err := os.CreateTemp(s.dir, ".sealed-*")
	if err != nil {
		return blob.Info{}, fmt.Errorf("encrypt %s: %w", key, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w, err := age.Encrypt(f, s.key.Recipient())
	if err != nil {
		return blob.Info{}, fmt.Errorf("encrypt %s: %w", key, err)
	}
	n, err := io.Copy(w, r)
	if err = errors.Join(err, w.Close()); err != nil {
		return blob.Info{}, fmt.Errorf("encrypt %s: %w", key, err)
	}
	if err := blob.CheckSize(key, n, size); err != nil {
		return blob.Info{}, err
	}
	info, err := s.inner.PutFile(ctx, key, filepath.Clean(f.Name()))
	info.Size = n
	return info, err
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, blob.Info, error) {
	at := &remote{ctx: ctx, store: s.inner, key: key}
	plain, info, err := s.reveal(at)
	if err == nil && plain != nil {
		err = blob.CheckRange(key, offset, info.Size)
	}
	switch {
	case err != nil:
		return nil, blob.Info{}, errors.Join(err, at.Close())
	case plain == nil: // stored open
		return s.openPlain(ctx, at, offset, length)
	}
	rest := info.Size - offset
	if length >= 0 {
		rest = min(rest, length)
	}
	return section{io.NewSectionReader(plain, offset, rest), at}, info, nil
}

func (s *Store) openPlain(ctx context.Context, at *remote, offset, length int64) (io.ReadCloser, blob.Info, error) {
	if err := at.Close(); err != nil {
		return nil, blob.Info{}, err
	}
	return s.inner.Open(ctx, at.key, offset, length)
}

// section is a part of a file that is read once.
type section struct {
	io.Reader
	at *remote
}

// Close implements io.Closer.
func (s section) Close() error { return s.at.Close() }

// reveal returns the content of a file and what it is, nil for one that was stored open.
func (s *Store) reveal(at *remote) (io.ReaderAt, blob.Info, error) {
	info, err := s.inner.Stat(at.ctx, at.key)
	if err != nil {
		return nil, info, err
	}
	head := make([]byte, len(magic))
	n, err := at.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, info, err
	}
	if !bytes.Equal(head[:n], []byte(magic)) {
		return nil, info, nil
	}
	if s.key == nil {
		return nil, info, fault.New(fault.Unavailable, "RECORDING_KEY_MISSING", "the file is encrypted; start the server with the recording.key_file that it was made with")
	}
	source, sealedSize, err := at.whole(info.Size)
	if err != nil {
		return nil, info, err
	}
	plain, size, err := age.DecryptReaderAt(source, sealedSize, s.key)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, info, fault.New(fault.Unavailable, "RECORDING_KEY_WRONG", "the file was encrypted with another key; start the server with the recording.key_file that it was made with")
	}
	if err != nil {
		return nil, info, fmt.Errorf("decrypt %s: %w", at.key, err)
	}
	info.Size = size
	return plain, info, nil
}

// Stat implements blob.Store. Size is that of the content.
func (s *Store) Stat(ctx context.Context, key string) (blob.Info, error) {
	at := &remote{ctx: ctx, store: s.inner, key: key}
	_, info, err := s.reveal(at)
	if err != nil {
		return blob.Info{}, errors.Join(err, at.Close())
	}
	return info, at.Close()
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, key string) error { return s.inner.Delete(ctx, key) }

// Link implements blob.Store: what it led to could not be heard.
func (s *Store) Link(ctx context.Context, key string, lasts time.Duration) (string, error) {
	if s.key == nil {
		return s.inner.Link(ctx, key, lasts)
	}
	if err := blob.CheckLink(key, lasts); err != nil {
		return "", err
	}
	return "", fault.New(fault.Conflict, "BLOB_LINK_UNSUPPORTED", "files are stored encrypted: download them from this server")
}
