package sip

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/line"
)

// callLine is what a call of ours asks.
type callLine struct {
	fakeLine
	mu    sync.Mutex
	refer []string
	texts []string
	fail  error
}

func (l *callLine) Refer(_ context.Context, to, replaces string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refer = append(l.refer, to+"|"+replaces)
	return l.fail
}

func (l *callLine) Message(_ context.Context, contentType string, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, contentType+"|"+string(body))
	return l.fail
}

// fails makes the line refuse from now on.
func (l *callLine) fails(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

// took is what the line was asked for.
func (l *callLine) took() (refer, texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refer, l.texts
}

// placed is a call that the server places to a phone of text.
type placed struct {
	*phone
	d    line.Departure
	l    *callLine
	call *sip.Request // the INVITE
}

// place dials the phone and waits for the INVITE.
func place(t *testing.T, s *Server, network string, change func(*line.Outgoing)) *placed {
	t.Helper()
	var p *phone
	if network == "UDP" {
		p = newPhone(t, s, network, "bob")
	} else {
		p = listenPhone(t)
	}
	c := dialTo(t, s, p, change)
	c.call = p.expectRequest("INVITE", 0, "")
	return c
}

func dialTo(t *testing.T, s *Server, p *phone, change func(*line.Outgoing)) *placed {
	t.Helper()
	to := "sip:bob@" + p.local()
	if p.network != "UDP" {
		to += ";transport=" + strings.ToLower(p.network)
	}
	o := line.Outgoing{To: to, Offer: []byte(ourOffer), Timeout: 20 * time.Second, From: "sip:4711@example.com", FromName: `A "b"`}
	if change != nil {
		change(&o)
	}
	for end := time.Now().Add(5 * time.Second); !s.running.Load() && time.Now().Before(end); time.Sleep(time.Millisecond) {
	}
	l := &callLine{}
	d, err := s.dial(t.Context(), o, l)
	if err != nil {
		t.Fatal(err)
	}
	return &placed{phone: p, d: d, l: l}
}

// reply answers a request with a To tag of the phone.
func (c *placed) reply(req *sip.Request, status int, tag, body string, extra ...string) {
	c.t.Helper()
	res := sip.NewResponseFromRequest(req, status, "Phrase", []byte(body))
	if to := res.To(); tag != "" {
		to.Params.Add("tag", tag)
	}
	if body != "" {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	if res.Contact() == nil && status != 100 {
		contact := "<sip:bob@" + c.local()
		if c.network != "UDP" {
			contact += ";transport=" + strings.ToLower(c.network)
		}
		if !slices.ContainsFunc(extra, func(e string) bool { return strings.HasPrefix(e, "Contact:") }) {
			extra = append(extra, "Contact: "+contact+">")
		}
		extra = append(extra, "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, MESSAGE, REFER, NOTIFY, INFO, PRACK")
	}
	for _, e := range extra {
		name, v, _ := strings.Cut(e, ": ")
		res.AppendHeader(sip.NewHeader(name, v))
	}
	c.write(res.String())
}

// news waits for a response at the line.
func (c *placed) news(status int) line.Progress {
	c.t.Helper()
	select {
	case p, ok := <-c.d.Progress():
		if !ok || p.Status != status {
			c.t.Fatalf("progress %d %t, want %d", p.Status, ok, status)
		}
		return p
	case <-time.After(8 * time.Second):
		c.t.Fatalf("no %d in progress", status)
	}
	return line.Progress{}
}

// last waits for the final response and the end of progress.
func (c *placed) last(status int) {
	c.t.Helper()
	c.news(status)
	if p, ok := <-c.d.Progress(); ok {
		c.t.Fatalf("%d after the final response", p.Status)
	}
}

// answerIt answers the INVITE and waits for the ACK; the phone then sends requests in the dialog.
func (c *placed) answerIt(extra ...string) *sip.Request {
	c.t.Helper()
	c.reply(c.call, 200, "bob-1", answerSDP, extra...)
	ack := c.expectRequest("ACK", 0, "")
	if p := c.news(200); string(p.Body) != answerSDP {
		c.t.Errorf("answer %q", p.Body)
	}
	if _, ok := <-c.d.Progress(); ok {
		c.t.Error("progress goes on after the final response")
	}
	c.inside()
	return ack
}

// inside makes the phone's own requests belong to the dialog, as seen from the callee.
func (c *placed) inside() {
	c.toTag = c.call.From().Params.GetOr("tag", "")
	c.callID = c.call.CallID().Value()
	c.seq = 100
	contact := c.call.Contact()
	c.target = contact.Address.String()
}

// in writes a request inside the dialog.
func (c *placed) in(method, body string, extra ...string) string {
	return c.request(method, body, append([]string{"From: <sip:bob@127.0.0.1>;tag=bob-1", "To: <sip:4711@example.com>;tag=" + c.toTag}, extra...)...)
}

// ended waits for the end of the dialog.
func (c *placed) ended(by string, status int) {
	c.t.Helper()
	select {
	case <-c.d.Done():
	case <-time.After(10 * time.Second):
		c.t.Fatal("the dialog does not end")
	}
	if b, s := c.d.Cause(); b != by || s != status {
		c.t.Errorf("ended by %s with %d, want %s with %d", b, s, by, status)
	}
}
