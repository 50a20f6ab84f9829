// Package s3 keeps finished files in a bucket of any store that speaks S3. Files of more than a part are sent in parts; what arrived of
// them stays with the store when the sending fails, and the next PutFile goes on from there. Every request is repeated with growing pauses
// before it is given up. It starts no goroutine of its own.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"parley/internal/blob"
	"parley/internal/fault"
)

// Options say where the bucket is.
type Options struct {
	Endpoint  string // host and port
	Insecure  bool   // HTTP instead of HTTPS
	Region    string // empty: asked of the store
	Bucket    string
	Prefix    string // in front of every key, for example "parley/"; may be empty
	AccessKey string
	SecretKey string
	Transport http.RoundTripper // nil: the usual one
	PartSize  int64             // of files sent in parts; 0 means 16 MiB, and 5 MiB is the least that S3 takes
	Tries     int               // of a part; 0 means 5
}

const (
	partSize  = 16 << 20
	leastPart = 5 << 20
	mostParts = 10_000 // of a file
	tries     = 5
	checkTime = 3 * time.Second // for an answer when it is opened
)

// Store is a bucket.
type Store struct {
	o    Options
	core *minio.Core
	wait func(ctx context.Context, try int) error
}

var _ blob.Store = (*Store)(nil)

// Open connects and asks for the bucket, which must be there. It refuses with BLOB_CONFIG_INVALID, BLOB_BUCKET_MISSING and BLOB_DENIED. With
// BLOB_UNAVAILABLE, when nobody answers just now, the Store comes all the same: it may be used as soon as somebody does.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.PartSize == 0 {
		o.PartSize = partSize
	}
	if o.Tries == 0 {
		o.Tries = tries
	}
	if o.PartSize < leastPart || o.Tries < 1 || o.Bucket == "" {
		return nil, fault.New(fault.Invalid, "BLOB_CONFIG_INVALID", "bucket %q with parts of %d bytes and %d tries: name a bucket, parts of 5 MiB at least and one try", o.Bucket, o.PartSize, o.Tries)
	}
	core, err := minio.NewCore(o.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: !o.Insecure, Region: o.Region,
		Transport: o.Transport, MaxRetries: 1, // we repeat ourselves, where we know what can be repeated
	})
	if err != nil {
		return nil, fault.New(fault.Invalid, "BLOB_CONFIG_INVALID", "cannot use the store at %q: %v", o.Endpoint, err)
	}
	s := &Store{o: o, core: core, wait: pause}
	soon, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := core.BucketExists(soon, o.Bucket)
	if err != nil {
		if soon.Err() != nil && ctx.Err() == nil {
			err = fault.New(fault.Unavailable, "BLOB_UNAVAILABLE", "the store at %s does not answer", o.Endpoint)
		}
		if err = s.failed("open", o.Bucket, err); fault.ReasonOf(err) != "BLOB_UNAVAILABLE" {
			return nil, err
		}
		return s, err
	}
	if !found {
		return nil, fault.New(fault.Unavailable, "BLOB_BUCKET_MISSING", "there is no bucket %s at %s: make it, or correct its name", o.Bucket, o.Endpoint)
	}
	return s, nil
}

func (s *Store) name(key string) string { return s.o.Prefix + key }

// Put implements blob.Store. Of a reader it cannot repeat anything, so that a failure means to begin anew.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	if size >= 0 {
		r = &exactly{r: r, key: key, left: size, size: size}
	}
	options := minio.PutObjectOptions{PartSize: uint64(s.o.PartSize), ContentType: contentType(key)}
	info, err := s.core.Client.PutObject(ctx, s.o.Bucket, s.name(key), r, size, options)
	if err == nil {
		if e, ok := r.(*exactly); ok && e.left == 0 {
			err = e.none() // the client stops reading at the size: is there more?
		}
		if err != nil {
			return blob.Info{}, errors.Join(err, s.Delete(ctx, key))
		}
	}
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	return blob.Info{Key: key, Size: info.Size, Modified: time.Now().UTC()}, nil
}

// exactly is a reader that must hold size bytes.
type exactly struct {
	r          io.Reader
	key        string
	left, size int64
}

// Read gives the last bytes only when nothing comes after them, so that a file that is too long is refused before it is complete.
func (e *exactly) Read(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left == 0 && (err == nil || errors.Is(err, io.EOF)):
		if more := e.none(); more != nil {
			return 0, more
		}
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, blob.CheckSize(e.key, e.size-e.left, e.size)
	}
	return n, err
}

// none refuses when there is more.
func (e *exactly) none() error {
	var one [1]byte
	n, _ := io.ReadFull(e.r, one[:])
	return blob.CheckSize(e.key, e.size+int64(n), e.size)
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, blob.Info, error) {
	info, err := s.Stat(ctx, key)
	if err != nil {
		return nil, info, err
	}
	if err := blob.CheckRange(key, offset, info.Size); err != nil {
		return nil, blob.Info{}, err
	}
	left := info.Size - offset
	if length >= 0 {
		left = min(left, length)
	}
	if left == 0 {
		return http.NoBody, info, nil
	}
	var options minio.GetObjectOptions
	if err := options.SetRange(offset, offset+left-1); err != nil {
		return nil, blob.Info{}, s.failed("open", key, err)
	}
	var body io.ReadCloser
	err = s.again(ctx, func() (err error) {
		body, _, _, err = s.core.GetObject(ctx, s.o.Bucket, s.name(key), options)
		return err
	})
	if err != nil {
		return nil, blob.Info{}, s.failed("open", key, err)
	}
	return body, info, nil
}

// Stat implements blob.Store.
func (s *Store) Stat(ctx context.Context, key string) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	var found minio.ObjectInfo
	err := s.again(ctx, func() (err error) {
		found, err = s.core.StatObject(ctx, s.o.Bucket, s.name(key), minio.StatObjectOptions{})
		return err
	})
	if err != nil {
		return blob.Info{}, s.failed("stat", key, err)
	}
	return blob.Info{Key: key, Size: found.Size, Modified: found.LastModified.UTC()}, nil
}

// Delete implements blob.Store. It also takes back what arrived of a file whose sending failed.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := blob.CheckKey(key); err != nil {
		return err
	}
	err := s.again(ctx, func() error {
		return s.core.RemoveObject(ctx, s.o.Bucket, s.name(key), minio.RemoveObjectOptions{})
	})
	if err == nil {
		err = s.abort(ctx, key)
	}
	if err != nil && !gone(err) {
		return s.failed("delete", key, err)
	}
	return nil
}

// Link implements blob.Store.
func (s *Store) Link(ctx context.Context, key string, lasts time.Duration) (string, error) {
	if err := blob.CheckLink(key, lasts); err != nil {
		return "", err
	}
	if _, err := s.Stat(ctx, key); err != nil {
		return "", err
	}
	u, err := s.core.PresignedGetObject(ctx, s.o.Bucket, s.name(key), lasts, nil)
	if err != nil {
		return "", s.failed("link", key, err)
	}
	return u.String(), nil
}

func gone(err error) bool {
	code := minio.ToErrorResponse(err).Code
	return code == minio.NoSuchKey || code == minio.NoSuchUpload
}

// failed gives an error of the store the kind that it has for us.
func (s *Store) failed(what, key string, err error) error {
	if e, refused := fault.Of(err); refused {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %s: %w", what, key, err)
	}
	r := minio.ToErrorResponse(err)
	switch {
	case gone(err) || what == "stat" && r.StatusCode == http.StatusNotFound:
		return blob.NotFound(key)
	case r.Code == minio.NoSuchBucket:
		return fault.New(fault.Unavailable, "BLOB_BUCKET_MISSING", "there is no bucket %s at %s any more: make it again", s.o.Bucket, s.o.Endpoint)
	case r.StatusCode == http.StatusForbidden || r.StatusCode == http.StatusUnauthorized:
		return fault.New(fault.Unavailable, "BLOB_DENIED", "the store refuses to %s %s: %v: check the access key and its rights", what, key, err)
	case r.StatusCode == http.StatusInsufficientStorage || r.Code == "XMinioStorageFull":
		return fault.New(fault.Exhausted, "BLOB_STORE_FULL", "the store cannot %s %s: %v: make room", what, key, err)
	}
	return fault.New(fault.Unavailable, "BLOB_UNAVAILABLE", "cannot %s %s at %s: %v", what, key, s.o.Endpoint, err)
}
