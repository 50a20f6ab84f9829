package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"parley/internal/flow"
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

// The failures of requests.
const (
	fetchUnreachable reason = "FETCH_UNREACHABLE"
	fetchRefused     reason = "FETCH_REFUSED"
	fetchInvalid     reason = "FETCH_ANSWER_INVALID"
	webhookFailed    reason = "WEBHOOK_FAILED"
	webhookBusy      reason = "WEBHOOKS_BUSY"
)

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

// fetch gets actions from outside or from another flow.
func (w *walk) fetch(ctx context.Context, t action.Type, o *action.Fetching) (out outcome, err error) {
	if t == action.FetchFlow {
		f, err := w.p.Flow(ctx, w.plan.CustomerID, o.FlowID)
		out.Actions, out.FlowID = f.Actions, f.ID
		return out, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.p.o.Timeout)
	defer cancel()
	list, err := w.p.ask(ctx, o, w.plan.Env.ActiveflowID, w.plan.Env.ReferenceID)
	if err != nil {
		return out, err
	}
	out.Actions, err = flow.ReadActions(list, flow.Reading{NewID: uuid.NewString, Fragment: true})
	return out, err
}

// ask sends the ids, as JSON or in the query of a GET, and returns the JSON that is answered.
func (p *Performer) ask(ctx context.Context, o *action.Fetching, activeflowID, referenceID string) ([]byte, error) {
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
	res, err := p.fetches.Do(r)
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

// send makes the request of a webhook_send, or leaves it to a sender.
func (w *walk) send(ctx context.Context, o *action.Webhook) error {
	if o.Sync {
		return w.p.post(ctx, o)
	}
	select {
	case w.p.pending <- request{w.id(), o}:
		return nil
	default:
		return webhookBusy
	}
}

// sendPending makes requests until ctx ends.
func (p *Performer) sendPending(ctx context.Context) {
	for {
		select {
		case r := <-p.pending:
			if err := p.post(ctx, r.option); err != nil {
				p.o.Log.Info("a webhook of a flow was not taken", "activeflow", r.activeflow, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// post makes one request. Its answer is not used.
func (p *Performer) post(ctx context.Context, o *action.Webhook) error {
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
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
	res, err := p.sends.Do(r)
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
