package way

import (
	"strings"

	"parley/internal/call"
)

// Caller returns whom a call is shown to come from. Of what it says of itself a phone with the credentials of an extension may choose the display name, and
// to be anonymous: under any other name than its own it is shown as that extension. An extension of "" is none, and the source stays.
func Caller(source call.Address, extension string) call.Address {
	user, _, _ := strings.Cut(source.Target, "@")
	if extension == "" || source.Type == "sip" && (user == extension || strings.EqualFold(user, "anonymous")) {
		return source
	}
	return Phone(source, extension)
}

// Phone is Caller for one who is shown as the extension that it is in any case.
func Phone(source call.Address, extension string) call.Address {
	if extension == "" {
		return source
	}
	return call.Address{Type: "extension", Target: extension, TargetName: source.TargetName}
}
