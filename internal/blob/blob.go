// Package blob owns the contract of the store for finished files: what a key is, how files are put, read by range, linked and deleted, and
// the refusals. It starts no goroutine. Directory dir keeps them in a folder, s3 in a bucket; blobtest is one suite for both. What the files
// are, and when they go, is left to those who put them.
package blob

import (
	"context"
	"io"
	"strings"
	"time"

	"parley/internal/fault"
)

// Store keeps finished files under keys. All methods may be called from several goroutines. A file is there as a whole or not at all.
type Store interface {
	// Put stores what r gives under key, over what was there. size is how much that is, or -1 when nobody knows; another amount is refused
	// with BLOB_SIZE_WRONG.
	Put(ctx context.Context, key string, r io.Reader, size int64) (Info, error)
	// PutFile stores a file. Where that takes several steps, a repeated call for the same file goes on where the last one failed.
	PutFile(ctx context.Context, key, path string) (Info, error)
	// Open reads from offset on, length bytes or to the end when length is negative. It refuses with BLOB_NOT_FOUND, and with
	// BLOB_RANGE_INVALID for an offset outside of the file. The reader is closed by the caller.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, Info, error)
	// Stat says what is stored under key, or refuses with BLOB_NOT_FOUND.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes what is stored under key; nothing is no error.
	Delete(ctx context.Context, key string) error
	// Link returns a URL that gives the file without further authentication for the time, at most seven days. A store that has none
	// refuses with BLOB_LINK_UNSUPPORTED.
	Link(ctx context.Context, key string, lasts time.Duration) (string, error)
}

// Info says what is stored.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time // UTC
}

// LongestLink is how long a link may last.
const LongestLink = 7 * 24 * time.Hour

const (
	maxKey  = 512
	keyText = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
)

// CheckKey refuses keys that are not 1 to 512 bytes of parts joined by slashes, each of letters, digits, dots, dashes and underscores and
// not beginning with a dot, with BLOB_KEY_INVALID.
func CheckKey(key string) error {
	ok := key != "" && len(key) <= maxKey
	for part := range strings.SplitSeq(key, "/") {
		ok = ok && part != "" && part[0] != '.' && strings.Trim(part, keyText) == ""
	}
	if !ok {
		return fault.New(fault.Invalid, "BLOB_KEY_INVALID", "%.64q cannot name a file: use letters, digits, dots, dashes and slashes", key)
	}
	return nil
}

// NotFound refuses a key under which nothing is stored.
func NotFound(key string) error {
	return fault.New(fault.NotFound, "BLOB_NOT_FOUND", "nothing is stored under %s", key)
}

// CheckRange refuses an offset outside of a file. The end is inside, where nothing is left to read.
func CheckRange(key string, offset, size int64) error {
	if offset < 0 || offset > size {
		return fault.New(fault.Invalid, "BLOB_RANGE_INVALID", "%s has %d bytes: it cannot be read from %d on", key, size, offset)
	}
	return nil
}

// CheckSize refuses a file of another size than was announced.
func CheckSize(key string, got, want int64) error {
	if want >= 0 && got != want {
		return fault.New(fault.Invalid, "BLOB_SIZE_WRONG", "%s was announced with %d bytes and has %d: put it again", key, want, got)
	}
	return nil
}

// CheckLink refuses lifetimes of links that are not above 0 and up to LongestLink, with BLOB_LINK_INVALID.
func CheckLink(key string, lasts time.Duration) error {
	if lasts <= 0 || lasts > LongestLink {
		return fault.New(fault.Invalid, "BLOB_LINK_INVALID", "a link to %s cannot last %v: use up to %v", key, lasts, LongestLink)
	}
	return nil
}
