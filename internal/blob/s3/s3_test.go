package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"parley/internal/blob/blobtest"
	"parley/internal/fault"
)

const (
	bucket = "recordings"
	access = "parleytest"
	secret = "parleytest-secret"
)

// unreliable is a transport that fails as it is told, and counts the parts that it sends.
type unreliable struct {
	fail  atomic.Int32 // this many requests from now on
	after atomic.Int32 // all that send a part after this many; 0 means none
	parts atomic.Int32
}

func (u *unreliable) RoundTrip(r *http.Request) (*http.Response, error) {
	if u.fail.Add(-1) >= 0 {
		return nil, errors.New("the line is cut")
	}
	if r.URL.Query().Has("partNumber") {
		if after := u.after.Load(); after > 0 && u.parts.Load() >= after {
			return nil, errors.New("the line is cut")
		}
		u.parts.Add(1)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (u *unreliable) cutAfter(n int32) {
	u.parts.Store(0)
	u.after.Store(n)
}

// gateway is versitygw, a complete S3 server over a folder. PARLEY_TEST_VERSITYGW names its program, or it stands among the tools of the
// repository or in the path.
func gateway(t *testing.T) Options {
	t.Helper()
	program := os.Getenv("PARLEY_TEST_VERSITYGW")
	if program == "" {
		program, _ = filepath.Abs("../../../.tools/versitygw-v1.8.0")
	}
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("versitygw"); err != nil {
			t.Skip("NOT TESTED: no S3 server: scripts/tool github.com/versity/versitygw/cmd/versitygw@v1.8.0 versitygw .tools/versitygw-v1.8.0")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	folder := filepath.Join(t.TempDir(), "gw")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", address, "--access", access, "--secret", secret, "posix", folder)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for range 100 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err == nil {
			_ = conn.Close()
			return Options{Endpoint: address, Insecure: true, Region: "us-east-1", Bucket: bucket, Prefix: "x/y/", AccessKey: access, SecretKey: secret}
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatal("versitygw does not answer: " + said.String())
	return Options{}
}

// server starts the gateway behind an unreliable line.
func server(t *testing.T) (Options, *unreliable) {
	t.Helper()
	o, line := gateway(t), &unreliable{}
	o.Transport = line
	return o, line
}

// open makes the bucket and opens it; it does not wait before it repeats itself.
func open(t *testing.T, o Options) *Store {
	t.Helper()
	_, err := Open(context.Background(), o)
	if fault.ReasonOf(err) != "BLOB_BUCKET_MISSING" {
		t.Fatalf("before there is a bucket: %v", err)
	}
	o.Bucket = bucket
	core, err := minio.NewCore(o.Endpoint, &minio.Options{Creds: creds(o), Region: o.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := core.MakeBucket(context.Background(), bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.wait = func(ctx context.Context, _ int) error { return ctx.Err() }
	return s
}

func TestStore(t *testing.T) {
	o, _ := server(t)
	o.PartSize = 5 << 20
	blobtest.Run(t, open(t, o))
}

func TestRetry(t *testing.T) {
	o, line := server(t)
	s := open(t, o)
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	line.fail.Store(tries - 1)
	if _, err := s.PutFile(context.Background(), "a", path); err != nil {
		t.Fatal(err)
	}
	line.fail.Store(tries - 1)
	if got := blobtest.Read(t, s, "a", 1, 3); string(got) != "ell" {
		t.Fatalf("%q", got)
	}
	line.fail.Store(1 << 20)
	if _, err := s.Stat(context.Background(), "a"); fault.ReasonOf(err) != "BLOB_UNAVAILABLE" {
		t.Fatal(err)
	}
	line.fail.Store(0)
}

// TestResume cuts the line in the middle of a file: the next call sends the rest only, even from another program.
func TestResume(t *testing.T) {
	o, line := server(t)
	o.PartSize = 5 << 20
	s := open(t, o)
	path := filepath.Join(t.TempDir(), "x")
	want := blobtest.Bytes(5*(5<<20)+77, 1)
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	line.cutAfter(3)
	if _, err := s.PutFile(context.Background(), "big.wav", path); fault.ReasonOf(err) != "BLOB_UNAVAILABLE" {
		t.Fatal(err)
	}
	if _, err := s.Stat(context.Background(), "big.wav"); fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
		t.Fatalf("half a file is there: %v", err)
	}
	line.cutAfter(0)
	again, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	info, err := again.PutFile(context.Background(), "big.wav", path)
	if err != nil || info.Size != int64(len(want)) {
		t.Fatalf("%v %+v", err, info)
	}
	if sent := line.parts.Load(); sent != 3 {
		t.Errorf("%d parts were sent, 3 were missing", sent)
	}
	if !bytes.Equal(blobtest.Read(t, s, "big.wav", 0, -1), want) {
		t.Error("the file is another")
	}
}

// TestDeleteTakesBack what arrived of a file.
func TestDeleteTakesBack(t *testing.T) {
	o, line := server(t)
	o.PartSize = 5 << 20
	s := open(t, o)
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, make([]byte, 11<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	line.cutAfter(1)
	_, _ = s.PutFile(context.Background(), "big", path)
	line.cutAfter(0)
	if ids, err := s.unfinished(context.Background(), "big"); err != nil || len(ids) != 1 {
		t.Fatal(ids, err)
	}
	if err := s.Delete(context.Background(), "big"); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.unfinished(context.Background(), "big"); err != nil || len(ids) != 0 {
		t.Fatal(ids, err)
	}
}

func TestLink(t *testing.T) {
	o, _ := server(t)
	s := open(t, o)
	if _, err := s.Put(context.Background(), "a.wav", strings.NewReader("hello"), 5); err != nil {
		t.Fatal(err)
	}
	link, err := s.Link(context.Background(), "a.wav", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK || string(b) != "hello" {
		t.Fatalf("%s: %s", r.Status, b)
	}
	if _, err := s.Link(context.Background(), "none", time.Minute); fault.ReasonOf(err) != "BLOB_NOT_FOUND" {
		t.Fatal(err)
	}
}

func TestRefused(t *testing.T) {
	o := gateway(t)
	s := open(t, o)
	o.SecretKey = "another secret"
	if _, err := Open(context.Background(), o); fault.ReasonOf(err) != "BLOB_DENIED" {
		t.Errorf("a wrong secret: %v", err)
	}
	o.SecretKey, o.Endpoint = s.o.SecretKey, "127.0.0.1:9" // nobody is there
	if s, err := Open(context.Background(), o); s == nil || fault.ReasonOf(err) != "BLOB_UNAVAILABLE" {
		t.Errorf("a store that does not answer: %v, %v", s, err)
	}
	s.o.Bucket = "another-bucket"
	if _, err := s.Put(context.Background(), "a", strings.NewReader("x"), 1); fault.ReasonOf(err) != "BLOB_BUCKET_MISSING" {
		t.Errorf("a bucket that is gone: %v", err)
	}
	for _, o := range []Options{{}, {Bucket: "b", PartSize: 1}, {Bucket: "b", Endpoint: "http://x y"}} {
		if _, err := Open(context.Background(), o); fault.ReasonOf(err) != "BLOB_CONFIG_INVALID" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func creds(o Options) *credentials.Credentials {
	return credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
}
