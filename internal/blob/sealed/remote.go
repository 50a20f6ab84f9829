package sealed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"parley/internal/blob"
)

// remote reads a stored file at any place. Whoever goes on where the last read ended goes on in the same stream, which is what most do.
type remote struct {
	ctx   context.Context
	store blob.Store
	key   string

	body io.ReadCloser // nil: to be opened
	at   int64         // of body
}

// ReadAt implements io.ReaderAt for one goroutine.
func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	if r.body == nil || r.at != off {
		if err := r.Close(); err != nil {
			return 0, err
		}
		body, _, err := r.store.Open(r.ctx, r.key, off, -1)
		if err != nil {
			return 0, err
		}
		r.body, r.at = body, off
	}
	n, err := io.ReadFull(r.body, p)
	r.at += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// wholeMost is up to which size a file is read at once: small ones are lists that somebody may be replacing.
const wholeMost = 1 << 20

// whole returns the file as it is at one moment when it is small, else itself.
func (r *remote) whole(size int64) (io.ReaderAt, int64, error) {
	if size > wholeMost {
		return r, size, nil
	}
	if err := r.Close(); err != nil {
		return nil, 0, err
	}
	body, _, err := r.store.Open(r.ctx, r.key, 0, -1)
	if err != nil {
		return nil, 0, err
	}
	b, err := io.ReadAll(body)
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, 0, fmt.Errorf("read %s: %w", r.key, err)
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// Close ends the stream; the next read opens another.
func (r *remote) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}
