package callee

import (
	"net/url"
	"strings"

	"parley/internal/trunk"
	"parley/internal/trunk/guard"
)

// Hop is one way to a callee, with what the guard has to be asked before it is tried. One goroutine uses it.
type Hop struct {
	Outgoing
	guarded *trunk.Request // nil: nobody has to be asked
	pass    *guard.Pass    // of one that is tried
}

// Replace has the callee's phone take the call in place of the one that a Replaces header names (RFC 3891); "" does not.
func (h *Hop) Replace(header string) {
	if header == "" {
		return
	}
	sep := "?"
	if strings.Contains(h.To, "?") {
		sep = "&"
	}
	h.To += sep + "Replaces=" + strings.ReplaceAll(url.QueryEscape(header), "+", "%20")
}

// Admit asks the guard, unless it has let the hop pass already. A hop that was let pass is given back with Release.
func (h *Hop) Admit(t Trunks) (err error) {
	if h.guarded != nil && h.pass == nil {
		h.pass, err = t.Admit(*h.guarded)
	}
	return err
}

// Failover tells whether the next way may be tried when the callee has ended the call with this SIP status; rang: a phone has rung.
func (h *Hop) Failover(status int, rang bool) bool {
	if h.Secure && h.Plain { // RFC 3261 sections 21.4.13, 21.4.26, 21.6.4: it does not understand the offer
		return status == 415 || status == 488 || status == 606
	}
	return trunk.Failover(status, rang)
}

// Answered tells the guard that the callee has answered.
func (h *Hop) Answered() {
	if h.pass != nil {
		h.pass.Answered()
	}
}

// Over is closed when the guard wants the call to end; nil when it never will.
func (h *Hop) Over() <-chan struct{} {
	if h.pass == nil {
		return nil
	}
	return h.pass.Over()
}

// Why is the rule by which the guard wants the call to end.
func (h *Hop) Why() string {
	if h.pass != nil {
		if why := h.pass.Why(); why != nil {
			return why.Rule
		}
	}
	return "the guard has ended the call"
}

// Release tells the guard that the way is not used any more.
func (h *Hop) Release() {
	if h.pass != nil {
		h.pass.Release()
		h.pass = nil
	}
}
