package registrar

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/wall"
)

const longest = 1024 // bytes of a Contact, and of what is kept of a User-Agent

// refusal is a final response other than 2xx.
type refusal struct {
	code   int
	reason string
}

// wish is what a REGISTER asks for.
type wish struct {
	clear  bool // Contact: *
	adds   []Binding
	callID string
	cseq   uint32
	at     time.Time
}

// Register is for sip.Options: it answers a REGISTER as RFC 3261 section 10.3 says, all of it or nothing.
func (r *Registrar) Register(req *sip.Request, source netip.AddrPort) *sip.Response {
	who, res := r.Authenticate(req, source)
	if res != nil {
		return res
	}
	to := req.To().Address
	if to.Scheme != "sip" && to.Scheme != "sips" || plain(to.User) != who.Extension {
		return r.respond(req, 403, "To Is Not The Authenticated Extension")
	}
	w, bad := r.read(req, source)
	if bad != nil {
		if bad.code == 423 {
			return r.respond(req, bad.code, bad.reason, sip.NewHeader("Min-Expires", strconv.Itoa(int(r.o.Least/time.Second))))
		}
		return r.respond(req, bad.code, bad.reason)
	}
	all, bad := r.apply(who.Extension, w)
	if bad != nil {
		return r.respond(req, bad.code, bad.reason)
	}
	res = r.respond(req, 200, "OK", sip.NewHeader("Date", w.at.UTC().Format(http.TimeFormat)))
	for i := range all {
		res.AppendHeader(sip.NewHeader("Contact", all[i].value(w.at)))
	}
	return res
}

// read turns a REGISTER into a wish.
func (r *Registrar) read(req *sip.Request, source netip.AddrPort) (wish, *refusal) {
	w := wish{callID: req.CallID().Value(), cseq: req.CSeq().SeqNo, at: wall.Now()}
	general := r.o.Most
	if h := req.GetHeader("expires"); h != nil {
		general = seconds(h.Value(), r.o.Most)
	}
	contacts := req.GetHeaders("contact")
	if len(contacts) > r.o.Bindings {
		return w, &refusal{403, "Too Many Contacts"}
	}
	for _, h := range contacts {
		c, ok := h.(*sip.ContactHeader)
		switch {
		case !ok || len(h.Value()) > longest:
			return w, &refusal{400, "Bad Contact"}
		case c.Address.Wildcard:
			if len(contacts) > 1 || general != 0 { // section 10.2.2
				return w, &refusal{400, "Contact * Needs Expires 0 And No Other Contact"}
			}
			w.clear = true
			return w, nil
		}
		b, bad := r.binding(c, general, w)
		if bad != nil {
			return w, bad
		}
		b.Transport, b.Source = req.Transport(), source
		if ua := req.GetHeader("user-agent"); ua != nil {
			b.UserAgent = ua.Value()[:min(len(ua.Value()), longest)]
		}
		w.adds = append(w.adds, b)
	}
	return w, nil
}

// binding reads one Contact. One that expires at once takes a binding away.
func (r *Registrar) binding(c *sip.ContactHeader, general time.Duration, w wish) (Binding, *refusal) {
	if c.Address.Scheme != "sip" && c.Address.Scheme != "sips" || c.Address.Host == "" {
		return Binding{}, &refusal{400, "Contact Is No SIP URI"}
	}
	q, ok := quality(c.Params)
	if !ok {
		return Binding{}, &refusal{400, "Bad q In Contact"}
	}
	life := general
	if v, own := c.Params.Get("expires"); own {
		life = seconds(v, r.o.Most)
	}
	if 0 < life && life < r.o.Least {
		return Binding{}, &refusal{423, "Interval Too Brief"}
	}
	params := c.Params.Clone()
	params.Remove("expires")
	params.Remove("q")
	return Binding{
		Contact: *c.Address.Clone(), Params: params, Q: q, Expires: w.at.Add(min(life, r.o.Most)),
		updated: w.at, callID: w.callID, cseq: w.cseq,
	}, nil
}

// apply does what is wished and returns the bindings that are there then.
func (r *Registrar) apply(extension string, w wish) ([]Binding, *refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(w.at)
	before := live(r.users[extension], w.at)
	now := slices.Clone(before)
	if w.clear {
		if slices.ContainsFunc(before, w.outdated) {
			return nil, outOfOrder
		}
		now = nil
	}
	for _, add := range w.adds {
		is := func(b Binding) bool { return same(&b.Contact, &add.Contact) }
		if i := slices.IndexFunc(before, is); i >= 0 && w.outdated(before[i]) {
			return nil, outOfOrder
		}
		now = slices.DeleteFunc(now, is)
		if add.Expires.After(w.at) {
			now = append(now, add)
		}
	}
	now = now[max(0, len(now)-r.o.Bindings):]
	if len(now) == 0 {
		delete(r.users, extension)
	} else {
		r.users[extension] = now
	}
	return now, nil
}

var outOfOrder = &refusal{500, "REGISTER Out Of Order"}

// outdated tells that a binding was made by a later request of the same phone.
func (w *wish) outdated(b Binding) bool { return b.callID == w.callID && w.cseq <= b.cseq }

// sweep throws away, once a minute, what has expired of extensions that nobody asks for.
func (r *Registrar) sweep(now time.Time) {
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for user, all := range r.users {
		if left := live(all, now); len(left) > 0 {
			r.users[user] = left
		} else {
			delete(r.users, user)
		}
	}
}
