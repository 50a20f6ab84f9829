// Package remote is the commands that ask a running server over its API, and what they ask with: conferences and calls as an operator
// sees and steers them. It owns the wording of tables and errors, starts no goroutine, and leaves the rules to the server.
package remote

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Client are the flags of commands that ask a running server.
type Client struct {
	Server  string `help:"Address of the server's API." default:"http://127.0.0.1:8080" env:"PARLEY_SERVER"`
	Key     string `help:"Access key." env:"PARLEY_ACCESS_KEY"`
	KeyFile string `help:"File with the access key, when there is no --key; unset: access-key in PARLEY_DATA or ./data, where the server keeps its first one." placeholder:"FILE"`
}

// AccessKey returns the access key, from the first place that has one.
func (c *Client) AccessKey() (string, error) {
	if c.Key != "" {
		return c.Key, nil
	}
	file := c.KeyFile
	if file == "" {
		file = filepath.Join(cmp.Or(os.Getenv("PARLEY_DATA"), "data"), "access-key")
	}
	text, err := os.ReadFile(file)
	if key := strings.TrimSpace(string(text)); err == nil && key != "" {
		return key, nil
	}
	return "", Usage{fmt.Errorf("no access key: give it with --key or PARLEY_ACCESS_KEY, or its file with --key-file (there is none in %s)", file)}
}

// Request returns a request below the version prefix.
func (c *Client) Request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Server, "/")+"/v1.0"+path, bytes.NewReader(text))
	if err != nil {
		return nil, Usage{fmt.Errorf("--server: %w", err)}
	}
	key, err := c.AccessKey()
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

// Usage marks an error as the user's: exit code 2.
type Usage struct{ error }

// UsageError marks err.
func UsageError(err error) error { return Usage{err} }

// Refused is a server's answer that is no success.
type Refused struct{ error }

// Send returns the answer when it is a success.
func Send(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("nothing answers at %s: start it with 'parley serve', or name another server with --server", r.URL.Host)
	}
	if err != nil || res.StatusCode/100 == 2 {
		return res, err
	}
	defer res.Body.Close()
	var problem struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(text, &problem) != nil || problem.Message == "" {
		problem.Message = strings.TrimSpace(string(text))
	}
	if res.StatusCode == http.StatusUnauthorized {
		problem.Message += "; the key comes from --key, PARLEY_ACCESS_KEY or --key-file"
	}
	return nil, Refused{fmt.Errorf("the server answers %s: %s", res.Status, problem.Message)}
}

// Streamed is one entry of the log as it came.
type Streamed struct {
	Seq  int64
	Type string
	ID   string `json:"id"`
	Text []byte `json:"-"`
}

// Follow calls do for every entry of the log after a place, -1 for what happens from now on, until ctx ends. A connection that breaks is
// made again, and nothing is missed or repeated.
func (c *Client) Follow(ctx context.Context, after int64, filter url.Values, do func(Streamed) error) error {
	for ctx.Err() == nil {
		err := c.stream(ctx, &after, filter, do)
		if ctx.Err() != nil {
			break
		}
		if errors.As(err, new(Refused)) || errors.As(err, new(Usage)) || errors.As(err, new(stopped)) {
			return err
		}
		fmt.Fprintf(os.Stderr, "parley: connection lost (%v), trying again\n", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return nil
}

// stopped is an error of what is done with an entry.
type stopped struct{ error }

func (c *Client) stream(ctx context.Context, after *int64, filter url.Values, do func(Streamed) error) error {
	q := url.Values{}
	for name, values := range filter {
		q[name] = values
	}
	if *after >= 0 {
		q.Set("after", strconv.FormatInt(*after, 10))
	}
	r, err := c.Request(ctx, http.MethodGet, "/events/stream?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	res, err := Send(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		text, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		e := Streamed{Text: bytes.Clone(text)}
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("read entry: %w", err)
		}
		if err := do(e); err != nil {
			return stopped{err}
		}
		*after = e.Seq
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
