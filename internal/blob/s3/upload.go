package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // S3 names parts by their MD5
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"parley/internal/blob"
	"parley/internal/fault"
)

// PutFile implements blob.Store. What arrived of the file before, in this program or in one that died, is compared by checksum and not sent
// again.
func (s *Store) PutFile(ctx context.Context, key, path string) (blob.Info, error) {
	if err := blob.CheckKey(key); err != nil {
		return blob.Info{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return blob.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return blob.Info{}, fmt.Errorf("put %s: %w", key, err)
	}
	if stat.Size() <= s.o.PartSize {
		err = s.putWhole(ctx, key, f, stat.Size())
	} else {
		err = s.putParts(ctx, key, f, stat.Size())
	}
	if err != nil {
		return blob.Info{}, s.failed("put", key, err)
	}
	return blob.Info{Key: key, Size: stat.Size(), Modified: time.Now().UTC()}, nil
}

func (s *Store) putWhole(ctx context.Context, key string, f io.ReaderAt, size int64) error {
	return s.again(ctx, func() error {
		options := minio.PutObjectOptions{ContentType: contentType(key)}
		_, err := s.core.Client.PutObject(ctx, s.o.Bucket, s.name(key), io.NewSectionReader(f, 0, size), size, options)
		return err
	})
}

// upload is a file on its way in parts.
type upload struct {
	s    *Store
	name string
	id   string
	have map[int]minio.ObjectPart // that arrived before
	file io.ReaderAt
	size int64
	part int64 // bytes
}

func (s *Store) putParts(ctx context.Context, key string, f io.ReaderAt, size int64) error {
	u := &upload{s: s, name: s.name(key), file: f, size: size, part: max(s.o.PartSize, (size+mostParts-1)/mostParts), have: map[int]minio.ObjectPart{}}
	if err := u.begin(ctx, key); err != nil {
		return err
	}
	var parts []minio.CompletePart
	for n, at := 1, int64(0); at < size; n, at = n+1, at+u.part {
		etag, err := u.send(ctx, n, at)
		if err != nil {
			return fmt.Errorf("part %d: %w", n, err)
		}
		parts = append(parts, minio.CompletePart{PartNumber: n, ETag: etag})
	}
	return s.again(ctx, func() error {
		_, err := s.core.CompleteMultipartUpload(ctx, s.o.Bucket, u.name, u.id, parts, minio.PutObjectOptions{})
		return err
	})
}

// begin finds an upload of this file that was not completed, or begins one.
func (u *upload) begin(ctx context.Context, key string) error {
	s := u.s
	ids, err := s.unfinished(ctx, key)
	if err != nil {
		return err
	}
	if len(ids) > 0 {
		u.id = ids[len(ids)-1]
		return u.arrived(ctx)
	}
	return s.again(ctx, func() (err error) {
		u.id, err = s.core.NewMultipartUpload(ctx, s.o.Bucket, u.name, minio.PutObjectOptions{ContentType: contentType(key)})
		return err
	})
}

// arrived lists the parts that the store has.
func (u *upload) arrived(ctx context.Context) error {
	for marker, more := 0, true; more; {
		var list minio.ListObjectPartsResult
		err := u.s.again(ctx, func() (err error) {
			list, err = u.s.core.ListObjectParts(ctx, u.s.o.Bucket, u.name, u.id, marker, 1000)
			return err
		})
		if err != nil {
			return err
		}
		for _, p := range list.ObjectParts {
			u.have[p.PartNumber] = p
		}
		more = list.IsTruncated && list.NextPartNumberMarker > marker
		marker = list.NextPartNumberMarker
	}
	return nil
}

// send sends a part unless it is there, and returns its name.
func (u *upload) send(ctx context.Context, n int, at int64) (string, error) {
	size := min(u.part, u.size-at)
	if p, ok := u.have[n]; ok && p.Size == size {
		sum := md5.New() //nolint:gosec // as above
		if _, err := io.Copy(sum, io.NewSectionReader(u.file, at, size)); err != nil {
			return "", fmt.Errorf("read file: %w", err)
		}
		if strings.Trim(p.ETag, `"`) == hex.EncodeToString(sum.Sum(nil)) {
			return p.ETag, nil
		}
	}
	var sent minio.ObjectPart
	err := u.s.again(ctx, func() (err error) {
		body := io.NewSectionReader(u.file, at, size)
		sent, err = u.s.core.PutObjectPart(ctx, u.s.o.Bucket, u.name, u.id, n, body, size, minio.PutObjectPartOptions{})
		return err
	})
	return sent.ETag, err
}

// unfinished returns the uploads of a key that were not completed, oldest first.
func (s *Store) unfinished(ctx context.Context, key string) (ids []string, err error) {
	var list minio.ListMultipartUploadsResult
	err = s.again(ctx, func() (err error) {
		list, err = s.core.ListMultipartUploads(ctx, s.o.Bucket, s.name(key), "", "", "", 1000)
		return err
	})
	if err != nil && !gone(err) {
		return nil, err
	}
	for _, u := range list.Uploads {
		if u.Key == s.name(key) {
			ids = append(ids, u.UploadID)
		}
	}
	return ids, nil
}

// abort takes back what arrived of a key.
func (s *Store) abort(ctx context.Context, key string) error {
	ids, err := s.unfinished(ctx, key)
	for _, id := range ids {
		if e := s.core.AbortMultipartUpload(ctx, s.o.Bucket, s.name(key), id); e != nil && !gone(e) {
			err = e
		}
	}
	return err
}

// again repeats a request that failed for a reason that may pass.
func (s *Store) again(ctx context.Context, request func() error) (err error) {
	for try := range s.o.Tries {
		if try > 0 {
			if e := s.wait(ctx, try); e != nil {
				return e
			}
		}
		if err = request(); err == nil || !passing(err) {
			return err
		}
	}
	return err
}

// passing reports whether the failure may be over the next time: the store was not reached, is busy, or is in trouble itself.
func passing(err error) bool {
	if _, refused := fault.Of(err); refused {
		return false
	}
	status := minio.ToErrorResponse(err).StatusCode
	return status == 0 || status >= 500 && status != http.StatusNotImplemented && status != http.StatusInsufficientStorage ||
		status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}

// pause waits 0.2 s, then twice as long each time.
func pause(ctx context.Context, try int) error {
	t := time.NewTimer(100 * time.Millisecond << try)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func contentType(key string) string {
	switch {
	case strings.HasSuffix(key, ".wav"):
		return "audio/wav"
	case strings.HasSuffix(key, ".ogg"):
		return "audio/ogg"
	case strings.HasSuffix(key, ".json"):
		return "application/json"
	}
	return "application/octet-stream"
}
