package sip

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/time/rate"

	"parley/internal/sip/dial"
	"parley/internal/sip/dialog"
	"parley/internal/sip/field"
)

// book finds dialogs by their ids, INVITEs that came twice by different ways, and the calls that we place.
type book struct {
	mu      sync.Mutex
	dialogs map[string]*dialog.Dialog
	invites map[string]bool
	placed  map[string]*dial.Call // alive, by dial.Key
	heard   map[string]*dial.Call // also those that may still be answered
}

func (b *book) init() {
	b.dialogs, b.invites = map[string]*dialog.Dialog{}, map[string]bool{}
	b.placed, b.heard = map[string]*dial.Call{}, map[string]*dial.Call{}
}

// dialogID names the dialog of a request as RFC 3261 section 12 does, seen from this side.
func dialogID(req *sip.Request) string {
	return dialogName(req.CallID().Value(), field.Tag(req.To().Params), field.Tag(req.From().Params))
}

func dialogName(callID, ours, theirs string) string {
	return strings.Join([]string{callID, ours, theirs}, "\x00")
}

// inviteID is equal for copies of one INVITE that differ in their Via only (RFC 3261 section 8.2.2.2).
func inviteID(req *sip.Request) string {
	return strings.Join([]string{req.CallID().Value(), field.Tag(req.From().Params), strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)}, "\x00")
}

// add enters the dialog of an INVITE, unless there are too many (503) or another copy of the INVITE is here already (482).
func (b *book) add(req *sip.Request, d *dialog.Dialog, most int) (code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.invites[inviteID(req)]:
		return 482
	case len(b.dialogs)+len(b.placed) >= most:
		return 503
	}
	b.dialogs[dialogID(req)], b.invites[inviteID(req)] = d, true
	return 0
}

func (b *book) remove(req *sip.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.dialogs, dialogID(req))
	delete(b.invites, inviteID(req))
}

// find returns the dialog that a request belongs to, nil when there is none.
func (b *book) find(req *sip.Request) *dialog.Dialog {
	if req.From() == nil || req.To() == nil || req.CallID() == nil {
		return nil
	}
	return b.known(req.CallID().Value(), field.Tag(req.To().Params), field.Tag(req.From().Params))
}

// known returns the dialog with a Call-ID, our tag and the peer's, nil when there is none.
func (b *book) known(callID, ours, theirs string) *dialog.Dialog {
	b.mu.Lock()
	d := b.dialogs[dialogName(callID, ours, theirs)]
	c := b.placed[dial.Key(callID, ours)]
	b.mu.Unlock()
	if d == nil && c != nil && c.Tag() == theirs {
		return c.Dialog
	}
	return d
}

// place enters a call of ours, unless there are too many.
func (b *book) place(c *dial.Call, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.dialogs)+len(b.placed) >= most || b.heard[c.Key()] != nil {
		return false
	}
	b.placed[c.Key()], b.heard[c.Key()] = c, c
	return true
}

// leave takes a call of ours that is over away; forget, all that is left of it.
func (b *book) leave(c *dial.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.placed, c.Key())
}

func (b *book) forget(c *dial.Call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.heard, c.Key())
}

// caller returns the call of ours that a response belongs to, nil for none.
func (b *book) caller(res *sip.Response) *dial.Call {
	if res.CallID() == nil || res.From() == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heard[dial.Key(res.CallID().Value(), field.Tag(res.From().Params))]
}

func (b *book) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.dialogs) + len(b.placed)
}

// maxFloodSources bounds the memory of the flood guard; when it is full it forgets all and starts afresh.
const maxFloodSources = 10000

// flood limits the INVITEs of each source address.
type flood struct {
	mu      sync.Mutex
	limits  Limits
	sources map[netip.Addr]*rate.Limiter
}

func (f *flood) init(l Limits) { f.limits, f.sources = l, map[netip.Addr]*rate.Limiter{} }

func (f *flood) admits(from netip.Addr) bool {
	if f.limits.InviteRate < 0 || from.IsLoopback() && !f.limits.Loopback {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.sources[from]
	if l == nil {
		if len(f.sources) >= maxFloodSources {
			clear(f.sources)
		}
		l = rate.NewLimiter(rate.Limit(f.limits.InviteRate), f.limits.InviteBurst)
		f.sources[from] = l
	}
	return l.Allow()
}
