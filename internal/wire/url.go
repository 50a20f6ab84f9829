package wire

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// URLMax is how many characters an address on the web may have.
const URLMax = 2048

// HTTP refuses what is not an http or https URL with a host and without user and password.
func HTTP(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || utf8.RuneCountInString(s) > URLMax {
		return errors.New("it must be an http or https URL with a host and without a password")
	}
	return nil
}

// Sound refuses what is neither an http or https URL nor blob:<key>, the address of a sound in the customer's part of the blob store.
func Sound(s string) error {
	if key, kept := strings.CutPrefix(s, "blob:"); kept && key != "" {
		return Text(key, URLMax)
	}
	if HTTP(s) != nil {
		return errors.New("it must be an http or https URL with a host and without a password, or blob:<key>")
	}
	return nil
}
