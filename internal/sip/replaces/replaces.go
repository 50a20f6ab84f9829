// Package replaces reads and writes the Replaces header (RFC 3891): which dialog a call takes the place of. Finding that dialog, and what taking its
// place means, is left to others. It starts no goroutine.
package replaces

import (
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Tag is the option tag of Supported and Require.
const Tag = "replaces"

// textMax bounds what is read.
const textMax = 1024

// Header names a dialog, as whoever gets it has it (RFC 3891 section 3): ToTag is the tag on its side, FromTag the one of the other side.
type Header struct {
	CallID, ToTag, FromTag string
	EarlyOnly              bool // only while nobody has answered
}

// Parse reads the value of a Replaces header (RFC 3891 section 6.1): a Call-ID, one to-tag, one from-tag, perhaps early-only, perhaps parameters that
// nobody knows.
func Parse(value string) (h Header, ok bool) {
	if len(value) > textMax {
		return h, false
	}
	id, params, _ := strings.Cut(value, ";")
	if h.CallID = strings.TrimSpace(id); !word(h.CallID) {
		return h, false
	}
	for param := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(param, "=")
		v = strings.TrimSpace(v)
		var tag *string
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			tag = &h.ToTag
		case "from-tag":
			tag = &h.FromTag
		case "early-only":
			h.EarlyOnly = true
			continue
		default:
			continue
		}
		if *tag != "" || !word(v) {
			return h, false
		}
		*tag = v
	}
	return h, h.ToTag != "" && h.FromTag != ""
}

// word tells whether a text can stand in the header without ending what it is part of.
func word(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`;,=`, r) })
}

// Of reads the header of an INVITE. there tells whether it has one; not ok that it has more than one, one that cannot be read, or a Join beside it
// (RFC 3891 section 3, RFC 3911).
func Of(req *sip.Request) (h Header, there, ok bool) {
	hs := req.GetHeaders("replaces")
	if len(hs) == 0 {
		return h, false, true
	}
	if len(hs) > 1 || len(req.GetHeaders("join")) > 0 || strings.Contains(hs[0].Value(), ",") {
		return h, true, false
	}
	h, ok = Parse(hs[0].Value())
	return h, true, ok
}

// String is the header's value.
func (h Header) String() string {
	value := h.CallID + ";to-tag=" + h.ToTag + ";from-tag=" + h.FromTag
	if h.EarlyOnly {
		value += ";early-only"
	}
	return value
}

// In returns the URI with the header among its own, escaped, as Refer-To has it (RFC 3515 section 2.1).
func (h Header) In(uri string) string {
	sep := "?"
	if strings.Contains(uri, "?") {
		sep = "&"
	}
	return uri + sep + "Replaces=" + strings.ReplaceAll(url.QueryEscape(h.String()), "+", "%20")
}
