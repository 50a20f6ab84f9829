package call

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"parley/internal/wire"
)

// Address is one end of a call. Its JSON leaves out what is empty, as it always did: an empty address is {}.
type Address struct {
	Type       string `json:"type,omitempty"`   // sip, tel, extension, agent, conference, …; "" when unknown
	Target     string `json:"target,omitempty"` // user@host[;params] for sip, E.164 with + for tel, an id or name for the others
	TargetName string `json:"target_name,omitempty"`
	Name       string `json:"name,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// textMax is in characters. SIP sets no bound; no honest address comes near.
const textMax = 1024

// Check says what makes an address impossible to keep: an unknown type, or a text that is too long or not text. Whether it can be dialled is
// another question.
func (a *Address) Check() error { return a.check() }

func (a *Address) check() error {
	if _, err := wire.OneOf(a.Type, "", "agent", "ai", "ai_team", "conference", "email", "extension", "line", "sip", "tel",
		"webchat", "web_session", "whatsapp"); err != nil {
		return err
	}
	for _, s := range []string{a.Target, a.TargetName, a.Name, a.Detail} {
		if err := wire.Text(s, textMax); err != nil {
			return err
		}
	}
	return nil
}

// controls reports whether a text of the address has control characters in it.
func (a *Address) controls() bool {
	return strings.ContainsFunc(a.Target+a.TargetName+a.Name+a.Detail, unicode.IsControl)
}

// clean makes text from the network storable: nobody there could be told what is wrong with it.
func (a *Address) clean() {
	for _, s := range []*string{&a.Target, &a.TargetName, &a.Name, &a.Detail} {
		*s = cleanText(*s)
	}
}

func cleanText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if utf8.RuneCountInString(s) > textMax {
		s = string([]rune(s)[:textMax])
	}
	return s
}
