package line

import (
	"strings"
	"unicode"

	"parley/internal/call"
)

// nameMax is how many characters of a display name a participant takes.
const nameMax = 255

// nameOf is how the participant is called: as the caller calls itself, else its address.
func nameOf(a call.Address) string {
	name := a.TargetName
	if name == "" {
		name = a.Target
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if r := []rune(clean); len(r) > nameMax {
		clean = string(r[:nameMax])
	}
	return clean
}
