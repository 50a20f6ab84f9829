package prompt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/prompt/decode"
	"parley/internal/webhook/target"
)

// Reasons of refusals.
const (
	refused  = "PROMPT_REFUSED"
	noAnswer = "PROMPT_UNREACHABLE"
)

const (
	mostRedirects = 5
	// usuallyFresh is for answers that do not say how long they are good for: a hundred calls at once fetch once, and a change is heard soon.
	usuallyFresh = time.Minute
	longestFresh = 24 * time.Hour
	// stillGood is for how long a sound may be used whose server does not answer (RFC 5861 section 4).
	stillGood = 24 * time.Hour
)

// meta is what is known of something fetched.
type meta struct {
	ETag     string    `json:"etag,omitempty"`
	Modified string    `json:"modified,omitempty"`
	Checked  time.Time `json:"checked"` // when the server said last that it is so
	Fresh    time.Time `json:"fresh"`   // until when it need not be asked again
	Private  bool      `json:"-"`       // it must not be kept beyond the call
}

func unreachable(format string, args ...any) error {
	return fault.New(fault.Unavailable, noAnswer, format, args...)
}

// newClient returns a client that calls only where the guard lets it, also after redirects. Its connections end with the calls.
func newClient(o Options) *http.Client {
	transport := o.Guard.Transport(o.Timeout)
	transport.DisableKeepAlives = true
	return &http.Client{Transport: transport, CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if len(before) > mostRedirects {
			return unreachable("it was redirected more than %d times", mostRedirects)
		}
		if o.Guard.URL(next.URL.String()) != nil {
			return target.ErrRefused
		}
		return nil
	}}
}

// fetched returns what is at a URL: from memory or disk while it is fresh, or else asks the server, with what is known.
func (s *Shelf) fetched(ctx context.Context, key, address string) (Sound, error) {
	have, body := s.known(key)
	now := s.now()
	if body == nil && have.sound.Samples == nil {
		have.meta = meta{} // nothing to be asked about
	} else if now.Before(have.meta.Fresh) {
		return s.again(ctx, key, have, body)
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	answer, err := s.ask(ctx, address, have.meta)
	if err != nil {
		if fault.ReasonOf(err) == noAnswer && now.Before(have.meta.Checked.Add(stillGood)) {
			return s.again(ctx, key, have, body)
		}
		return Sound{}, err
	}
	defer answer.Body.Close()
	m := s.judge(answer.Header)
	if answer.StatusCode == http.StatusNotModified {
		if m.ETag == "" {
			m.ETag, m.Modified = have.meta.ETag, have.meta.Modified
		}
		have.meta = m
		file := body
		if file == nil { // what is in memory may be on disk too, with what was known before
			_, file, _ = s.disk.get(key)
		}
		if file != nil {
			s.disk.put(key, head{Fetch: m}, file)
		}
		return s.again(ctx, key, have, body)
	}
	data, err := s.receive(answer)
	if err != nil {
		return Sound{}, err
	}
	return s.take(ctx, key, m, data)
}

// known returns what is kept of the URL: the sound, or else its file.
func (s *Shelf) known(key string) (kept, []byte) {
	if k, ok := s.memory.get(key); ok {
		return k, nil
	}
	if h, body, ok := s.disk.get(key); ok && h.Rate == 0 {
		return kept{meta: h.Fetch}, body
	}
	return kept{}, nil
}

// again returns what is kept.
func (s *Shelf) again(ctx context.Context, key string, have kept, body []byte) (Sound, error) {
	if body != nil {
		var err error
		if have.sound, err = s.decode(ctx, body); err != nil {
			return Sound{}, err
		}
	}
	s.keep(key, have)
	return have.sound, nil
}

// take decodes what was fetched and keeps it.
func (s *Shelf) take(ctx context.Context, key string, m meta, data []byte) (Sound, error) {
	sound, err := s.decode(ctx, data)
	if err != nil {
		return Sound{}, err
	}
	if m.Private {
		s.memory.remove(key)
		s.disk.files.remove(key)
		return sound, nil
	}
	s.disk.put(key, head{Fetch: m}, data)
	s.keep(key, kept{sound, m})
	return sound, nil
}

// ask sends the request and returns an answer with a file or with the word that nothing has changed.
func (s *Shelf) ask(ctx context.Context, address string, known meta) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fault.New(fault.Denied, refused, "the sound's URL cannot be read: correct it")
	}
	request.Header.Set("Accept", "audio/ogg, audio/wav, audio/mpeg, audio/*;q=0.5, */*;q=0.1")
	request.Header.Set("User-Agent", "parley")
	if known.ETag != "" {
		request.Header.Set("If-None-Match", known.ETag)
	} else if known.Modified != "" {
		request.Header.Set("If-Modified-Since", known.Modified)
	}
	answer, err := s.client.Do(request)
	switch {
	case err == nil && answer.StatusCode == http.StatusOK, err == nil && answer.StatusCode == http.StatusNotModified && known != meta{}:
		return answer, nil
	case err == nil:
		answer.Body.Close()
		return nil, unreachable("%s answers %d instead of a sound", short(address), answer.StatusCode)
	case errors.Is(err, target.ErrRefused):
		return nil, fault.New(fault.Denied, refused, "%s leads to an address that is not public: use another one, or let webhooks.allow_targets have it", short(address))
	case errors.Is(err, context.Canceled):
		return nil, err
	}
	return nil, unreachable("%s cannot be fetched (%v)", short(address), reason(err))
}

// receive reads the file.
func (s *Shelf) receive(answer *http.Response) ([]byte, error) {
	if answer.ContentLength > s.o.MaxSize {
		return nil, s.tooLarge()
	}
	if e := answer.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, fault.New(fault.Invalid, decode.Unreadable, "the sound comes with Content-Encoding %.20q: send it as it is", e)
	}
	data, err := s.readAll(answer.Body)
	switch {
	case err == nil || errors.Is(err, context.Canceled) || fault.ReasonOf(err) == decode.TooLarge:
		return data, err
	}
	return nil, unreachable("%s broke off (%v)", short(answer.Request.URL.String()), reason(err))
}

// judge says how long an answer is good for (RFC 9111 section 4.2).
func (s *Shelf) judge(h http.Header) meta {
	now := s.now().UTC()
	m := meta{ETag: h.Get("ETag"), Modified: h.Get("Last-Modified"), Checked: now}
	fresh := usuallyFresh
	for part := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "no-store":
			m.Private, fresh = true, 0
		case "no-cache":
			fresh = 0
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil && fresh > 0 {
				fresh = min(time.Duration(n)*time.Second, longestFresh)
			}
		}
	}
	m.Fresh = now.Add(fresh)
	return m
}

// short is a URL for messages: without its query, which may be a secret.
func short(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "the URL"
	}
	text := u.Scheme + "://" + u.Host + u.Path
	return text[:min(len(text), 120)]
}

// reason is an error without the URL that net/http puts in front of it.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it took too long"
	}
	return fmt.Sprint(err)
}
