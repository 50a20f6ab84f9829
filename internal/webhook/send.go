package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"parley/internal/store"
	"parley/internal/wall"
	"parley/internal/webhook/endpoint"
	"parley/internal/webhook/target"
	"parley/internal/wire"
)

const (
	answerShown = 1 << 10  // bytes of an answer that are kept
	answerRead  = 64 << 10 // bytes of an answer that are read, so that its connection can be used again
)

// sender posts messages.
type sender struct {
	client  *http.Client
	timeout time.Duration
	agent   string
}

func newSender(transport http.RoundTripper, timeout time.Duration) *sender {
	return &sender{
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: timeout, agent: "Parley-Webhooks/1.0",
	}
}

// send makes one attempt and says what came of it. Only 2xx within the timeout is a success; err is for what is not the endpoint's fault.
func (s *sender) send(ctx context.Context, to *endpoint.Kept, e *store.Event) (*Sent, Attempt, error) {
	text, media, err := body(to.Format, e)
	if err != nil {
		return nil, Attempt{}, err
	}
	began := now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, to.Method, to.URI, bytes.NewReader(text))
	if err != nil {
		return nil, Attempt{At: wire.Time(began), Error: "the URI cannot be called: " + err.Error()}, nil
	}
	r.Header.Set("Content-Type", media)
	r.Header.Set("User-Agent", s.agent)
	if err := Sign(r.Header, to.Signing(began), e.ID, began, text); err != nil {
		return nil, Attempt{}, err
	}
	sent := &Sent{Method: to.Method, URI: to.URI, Headers: map[string]string{}}
	for name := range r.Header {
		sent.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	a := Attempt{At: wire.Time(began)}
	s.exchange(r, &a)
	a.Duration = wall.Since(began).Milliseconds()
	return sent, a, nil
}

func (s *sender) exchange(r *http.Request, a *Attempt) {
	res, err := s.client.Do(r)
	if err != nil {
		a.Error = s.explain(err)
		return
	}
	defer res.Body.Close()
	a.Status = res.StatusCode
	shown, err := io.ReadAll(io.LimitReader(res.Body, answerShown))
	a.Body = strings.ToValidUTF8(strings.ReplaceAll(string(shown), "\x00", ""), "")
	if err == nil {
		_, err = io.CopyN(io.Discard, res.Body, answerRead)
	}
	a.asked = retryAfter(res.Header, wall.Now())
	switch {
	case a.Status >= 300 && a.Status < 400:
		a.Error = fmt.Sprintf("it answered %d: redirects are not followed, give the final address", a.Status)
	case a.Status < 200 || a.Status > 299:
		a.Error = fmt.Sprintf("it answered %d: only 2xx is a success", a.Status)
	case err != nil && !errors.Is(err, io.EOF):
		a.Error = s.explain(err)
	}
}

// explain says what went wrong without the URL, which the delivery has anyway.
func (s *sender) explain(err error) string {
	switch {
	case errors.Is(err, target.ErrRefused):
		return target.ErrRefused.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no complete answer within %v", s.timeout)
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
		if inner.Error() != "" {
			return inner.Error()
		}
	}
	return err.Error()
}
