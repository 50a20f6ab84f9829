// Package reach makes the requests that flows ask for: to fetch actions, and to tell something to a web server. Addresses are judged by its client's
// transport; times, sizes, types and redirects here. Requests that nobody waits for belong to the goroutines of Run.
package reach

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"parley/internal/flow/action"
	"parley/internal/webhook/target"
	"parley/internal/wire"
)

const (
	redirectsMax = 3         // that a fetch follows
	answerMax    = 512 << 10 // bytes of an answer to a fetch: a list of actions cannot be larger
	answerRead   = 64 << 10  // bytes of other answers that are read, so that the connection can be used again
	agent        = "Parley-Flows/1.0"
)

// Failure is the stable reason of a step that failed, in the words of docs/errors.md.
type Failure string

func (f Failure) Error() string { return string(f) }

// The failures of requests.
const (
	fetchUnreachable Failure = "FETCH_UNREACHABLE"
	fetchRefused     Failure = "FETCH_REFUSED"
	fetchInvalid     Failure = "FETCH_ANSWER_INVALID"
	webhookFailed    Failure = "WEBHOOK_FAILED"
	webhookBusy      Failure = "WEBHOOKS_BUSY"
)

// Options of a Caller. All are needed.
type Options struct {
	HTTP    *http.Client // its Timeout, Jar and CheckRedirect are not used
	Log     *slog.Logger
	Timeout time.Duration // longest time of one request
	Pending int           // requests that nobody waits for
	Senders int           // of them at once
	Linger  time.Duration // how long they may still be made once Run is to end
}

// Caller makes requests. Its methods may be called from any goroutine.
type Caller struct {
	o       Options
	fetches *http.Client
	sends   *http.Client
	pending chan request

	mu     sync.Mutex // guards what follows
	closed bool       // nobody makes what is pending any more
}

// New makes a Caller.
func New(o Options) *Caller {
	return &Caller{o: o, fetches: client(o.HTTP, redirectsMax), sends: client(o.HTTP, 0), pending: make(chan request, o.Pending)}
}

// client returns a client like c that follows at most so many redirects.
func client(c *http.Client, redirects int) *http.Client {
	own := *c
	own.Timeout, own.Jar = 0, nil
	own.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		switch {
		case redirects == 0:
			return http.ErrUseLastResponse
		case len(via) > redirects:
			return fmt.Errorf("more than %d redirects", redirects)
		}
		return nil
	}
	return &own
}

// Fetch sends the ids, as JSON or in the query of a GET, and returns the JSON that is answered. Failures are FETCH_UNREACHABLE, FETCH_REFUSED and
// FETCH_ANSWER_INVALID.
func (c *Caller) Fetch(ctx context.Context, o *action.Fetching, activeflowID, referenceID string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	ids := map[string]string{"activeflow_id": wire.UUID(activeflowID), "reference_id": wire.UUID(referenceID)}
	at, err := url.Parse(o.EventURL)
	if err != nil {
		return nil, errors.Join(fetchUnreachable, err)
	}
	var body []byte
	if o.EventMethod == http.MethodGet {
		q := at.Query()
		for name, id := range ids {
			q.Set(name, id)
		}
		at.RawQuery = q.Encode()
	} else if body, err = json.Marshal(ids); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, o.EventMethod, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.Join(fetchUnreachable, err)
	}
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.fetches.Do(r)
	if errors.Is(err, target.ErrRefused) {
		return nil, errors.Join(fetchRefused, err)
	}
	if err != nil {
		return nil, errors.Join(fetchUnreachable, err)
	}
	defer res.Body.Close()
	return answer(res)
}

// answer reads an answer that has to be JSON.
func answer(res *http.Response) ([]byte, error) {
	media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: it answered %d", fetchInvalid, res.StatusCode)
	case err != nil || media != "application/json" && !strings.HasSuffix(media, "+json"):
		return nil, fmt.Errorf("%w: it answered %.80q and no JSON", fetchInvalid, res.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, answerMax+1))
	switch {
	case err != nil:
		return nil, errors.Join(fetchUnreachable, err)
	case len(text) > answerMax:
		return nil, fmt.Errorf("%w: it is longer than %d bytes", fetchInvalid, answerMax)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, fmt.Errorf("%w: it is empty", fetchInvalid)
	}
	return text, nil
}

// request is one of a webhook_send that nobody waits for.
type request struct {
	activeflow string
	option     *action.Webhook
}

// Later leaves a request to a sender. WEBHOOKS_BUSY says that too many wait, or that Run has ended.
func (c *Caller) Later(activeflowID string, o *action.Webhook) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return webhookBusy
	}
	select {
	case c.pending <- request{activeflowID, o}:
		return nil
	default:
		return webhookBusy
	}
}

// Run makes the requests that nobody waits for until ctx ends, and then those that still wait, for Options.Linger at most. What is left is logged.
func (c *Caller) Run(ctx context.Context) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(c.o.Linger, cancel) })()
	var group sync.WaitGroup
	lost := make(chan string, c.o.Senders+c.o.Pending)
	for range c.o.Senders {
		group.Go(func() { c.send(ctx, life, lost) })
	}
	group.Wait()
	c.close(lost)
}

// send makes requests; with the end of ctx those that wait, with that of life none any more.
func (c *Caller) send(ctx, life context.Context, lost chan<- string) {
	for life.Err() == nil {
		select {
		case r := <-c.pending:
			c.make(life, r, lost)
		case <-ctx.Done():
			select {
			case r := <-c.pending:
				c.make(life, r, lost)
			default:
				return
			}
		}
	}
}

func (c *Caller) make(life context.Context, r request, lost chan<- string) {
	switch err := c.Post(life, r.option); {
	case err != nil && life.Err() != nil:
		lost <- r.activeflow
	case err != nil:
		c.o.Log.Info("a webhook of a flow was not taken", "activeflow", r.activeflow, "error", err)
	}
}

// close takes no more requests, and says which were not made.
func (c *Caller) close(cut chan string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	close(cut)
	close(c.pending)
	var of []string
	for activeflow := range cut {
		of = append(of, activeflow)
	}
	for r := range c.pending {
		of = append(of, r.activeflow)
	}
	if len(of) > 0 {
		c.o.Log.Warn("webhooks of flows are lost with the end of the server", "requests", len(of), "activeflows", of[:min(len(of), 20)])
	}
}

// Post makes one request. Its answer is not used; anything but 2xx is WEBHOOK_FAILED.
func (c *Caller) Post(ctx context.Context, o *action.Webhook) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, o.Method, o.URI, strings.NewReader(o.Data))
	if err != nil {
		return errors.Join(webhookFailed, err)
	}
	media := o.DataType
	if media == "" {
		media = "application/json"
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("User-Agent", agent)
	res, err := c.sends.Do(r)
	if err != nil {
		return errors.Join(webhookFailed, err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, answerRead) // whatever comes of it
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("%w: it answered %d", webhookFailed, res.StatusCode)
	}
	return nil
}
