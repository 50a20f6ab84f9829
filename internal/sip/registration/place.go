package registration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/digest"
	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

// place is one running trunk.
type place struct {
	c     *Client
	trunk Trunk
	stop  context.CancelFunc
	gone  chan struct{}

	// of the registering goroutine only
	keys *digest.Keys
	id   sip.CallIDHeader
	tag  string
	cseq uint32
	wish time.Duration

	mu    sync.Mutex // guards state
	state State
}

func (p *place) get() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// note changes the state and marks when it turned.
func (p *place) note(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.state
	change(&p.state)
	if before.Registered != p.state.Registered || before.Reachable != p.state.Reachable {
		p.state.Changed = time.Now()
		p.c.log.Info("trunk changed", "trunk", p.trunk.ID, "registered", p.state.Registered, "reachable", p.state.Reachable, "reason", p.state.Reason)
	}
}

// run does what the trunk asks for until ctx ends.
func (p *place) run(ctx context.Context) {
	var pinging sync.WaitGroup
	if p.trunk.Ping > 0 {
		pinging.Go(func() { p.ping(ctx) })
	}
	if p.trunk.AOR != "" {
		p.register(ctx)
	}
	<-ctx.Done()
	pinging.Wait()
}

// register keeps the registration.
func (p *place) register(ctx context.Context) {
	p.keys = digest.NewKeys(p.trunk.User, p.trunk.Password)
	p.id, p.tag = sip.CallIDHeader(sip.GenerateTagN(32)), sip.GenerateTagN(20)
	if p.wish = p.trunk.Expires; p.wish < time.Second {
		p.wish = p.c.t.Expires
	}
	failures := 0
	for ctx.Err() == nil {
		lives, again, err := p.once(p.wish)
		wait := lives * 8 / 10
		if err != nil {
			failures++
			wait = max(again, p.patience(failures))
		} else {
			failures = 0
		}
		p.note(func(s *State) {
			switch {
			case err == nil:
				s.Registered, s.Status, s.Reason, s.Until = true, 200, "", time.Now().Add(lives)
			case time.Now().After(s.Until) || err.status/100 == 4: // until then it is still known there, unless it is told otherwise
				s.Registered, s.Status, s.Reason = false, err.status, err.Error()
			default:
				s.Status, s.Reason = err.status, err.Error()
			}
		})
		pause(ctx, wait-time.Duration(rand.Int64N(int64(wait/20)+1)))
	}
	if p.get().Registered {
		_, _, _ = p.once(0)
		p.note(func(s *State) { s.Registered, s.Reason = false, "deregistered" })
	}
}

// patience is the wait after so many failures in a row (RFC 5626 section 4.5): half of it at least is certain.
func (p *place) patience(failures int) time.Duration {
	most := p.c.t.Retry << min(failures-1, 20)
	if most > p.c.t.Most || most <= 0 {
		most = p.c.t.Most
	}
	return most/2 + time.Duration(rand.Int64N(int64(most/2)+1))
}

func pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// failed is a REGISTER that did not do.
type failed struct {
	status int
	text   string
}

func (f *failed) Error() string { return f.text }

// once registers, or deregisters with a wish of 0, and returns for how long. again is what a refusal asks to wait.
func (p *place) once(wish time.Duration) (lives, again time.Duration, err *failed) {
	for range 2 {
		var contact *sip.ContactHeader
		_, res, _, e := p.c.s.AskAs(p.keys, func() (*sip.Request, error) {
			req, c, e := p.request(wish)
			contact = c
			return req, e
		})
		switch {
		case e != nil && contact == nil:
			return 0, 0, &failed{503, fmt.Sprintf("cannot be sent: %v", e)}
		case e != nil:
			return 0, 0, &failed{408, "no answer"}
		case res.IsSuccess():
			return granted(res, contact, wish), 0, nil
		case res.StatusCode == 423 && wish > 0:
			least, _, ok := field.Interval(field.First(res, "min-expires"))
			if ok && least > wish {
				p.wish, wish = least, least
				continue
			}
		}
		if after, _, ok := field.Interval(strings.ReplaceAll(field.First(res, "retry-after"), "(", ";")); ok {
			again = min(after, p.c.t.Most)
		}
		return 0, again, &failed{res.StatusCode, strconv.Itoa(res.StatusCode) + " " + res.Reason}
	}
	return 0, 0, &failed{423, "423 Interval Too Brief"}
}

// request makes the next REGISTER (RFC 3261 section 10.2). The contact is nil when there is no way to the server.
func (p *place) request(wish time.Duration) (*sip.Request, *sip.ContactHeader, error) {
	aor, err := parse(p.trunk.AOR)
	if err != nil {
		return nil, nil, err
	}
	registrar := sip.Uri{Scheme: aor.Scheme, Host: aor.Host, Port: aor.Port}
	p.cseq++
	req, way, err := p.c.begun(sip.REGISTER, p.trunk.Server, registrar)
	if err != nil {
		return nil, nil, err
	}
	from := &sip.FromHeader{Address: aor}
	from.Params.Add("tag", p.tag)
	id := p.id
	contact := &sip.ContactHeader{Address: p.c.s.Self(way)}
	contact.Address.User = aor.User
	expires := sip.ExpiresHeader(wish / time.Second)
	for _, h := range []sip.Header{
		from, &sip.ToHeader{Address: aor}, &id, &sip.CSeqHeader{SeqNo: p.cseq, MethodName: sip.REGISTER}, contact, &expires, p.c.s.Allow(),
	} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	return req, contact, nil
}

// begun is the beginning of a request to the server of a trunk.
func (c *Client) begun(method sip.RequestMethod, server string, target sip.Uri) (*sip.Request, stack.Way, error) {
	at, err := parse(server)
	if err != nil {
		return nil, stack.Way{}, err
	}
	way, err := c.s.Route(context.Background(), stack.HopOf(&at, "UDP"))
	if err != nil {
		return nil, stack.Way{}, err
	}
	req := sip.NewRequest(method, target)
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.NewHeader("User-Agent", c.s.UserAgent))
	c.s.Lead(req, way)
	return req, way, nil
}

func parse(text string) (u sip.Uri, err error) {
	if !field.URI(text) {
		return u, fmt.Errorf("%q is not a SIP URI", text)
	}
	err = sip.ParseUri(text, &u)
	return u, err
}

// granted is how long the registrar keeps our contact: as it says there, or in Expires, or as we wished.
func granted(res *sip.Response, ours *sip.ContactHeader, wish time.Duration) time.Duration {
	if d, _, ok := field.Interval(field.First(res, "expires")); ok {
		wish = d
	}
	for _, h := range res.GetHeaders("contact") {
		c, ok := h.(*sip.ContactHeader)
		if !ok || c.Address.User != ours.Address.User || !strings.EqualFold(c.Address.Host, ours.Address.Host) || c.Address.Port != ours.Address.Port {
			continue
		}
		if d, _, ok := field.Interval(c.Params.GetOr("expires", "")); ok {
			wish = d
		}
	}
	return max(wish, time.Second)
}

// ping looks whether the server is there. Any answer says so but those of who cannot work.
func (p *place) ping(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		status := p.c.options(p.trunk.Server)
		if ctx.Err() != nil {
			return
		}
		p.note(func(s *State) {
			s.Reachable = status != 0 && status != 408 && status != 502 && status != 503 && status != 504
			s.RTT = time.Since(began)
			if !s.Reachable && p.trunk.AOR == "" {
				s.Reason = "no answer to OPTIONS"
				if status != 0 {
					s.Reason = "OPTIONS is answered with " + strconv.Itoa(status)
				}
			} else if p.trunk.AOR == "" {
				s.Reason = ""
			}
		})
		pause(ctx, p.trunk.Ping-time.Duration(rand.Int64N(int64(p.trunk.Ping/20)+1)))
	}
}

// options asks a server what it can, and returns the status of its answer; 0 for none.
func (c *Client) options(server string) int {
	target, err := parse(server)
	if err != nil {
		return 0
	}
	target.UriParams, target.Headers = nil, nil
	req, way, err := c.begun(sip.OPTIONS, server, target)
	if err != nil {
		return 0
	}
	self := c.s.Self(way)
	from := &sip.FromHeader{Address: sip.Uri{Scheme: "sip", User: "parley", Host: self.Host}}
	from.Params.Add("tag", sip.GenerateTagN(20))
	id := sip.CallIDHeader(sip.GenerateTagN(32))
	for _, h := range []sip.Header{
		from, &sip.ToHeader{Address: target}, &id, &sip.CSeqHeader{SeqNo: 1, MethodName: sip.OPTIONS}, &sip.ContactHeader{Address: self},
		sip.NewHeader("Accept", field.SDP),
	} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	res, _, err := c.s.Ask(req)
	if err != nil {
		return 0
	}
	return res.StatusCode
}
