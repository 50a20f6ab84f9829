package chat

import (
	"bufio"
	"bytes"
	"mime"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"parley/internal/fault"
)

// bodyMost bounds what is looked at, in bytes: more than the longest text with its CPIM headers.
const bodyMost = 64 << 10

// ReadBody returns the text in the body of a SIP MESSAGE (RFC 3428): text/plain, or message/cpim (RFC 3862) around such. Another type is refused with
// UNSUPPORTED_MEDIA_TYPE (415), a body that is not what it says, or larger than 64 KiB, with INVALID_ARGUMENT.
func ReadBody(contentType string, body []byte) (string, error) {
	if len(body) > bodyMost {
		return "", invalid("the body has %d bytes; at most %d are read", len(body), bodyMost)
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", unsupported(contentType)
	}
	if media == "message/cpim" {
		if contentType, body, err = unwrap(body); err != nil {
			return "", err
		}
		if media, params, err = mime.ParseMediaType(contentType); err != nil {
			return "", unsupported(contentType)
		}
	}
	if media != "text/plain" {
		return "", unsupported(contentType)
	}
	return decode(params["charset"], body)
}

// decode turns a body into UTF-8, which is the default of SIP (RFC 3261 section 7.4.1).
func decode(charset string, body []byte) (string, error) {
	switch strings.ToLower(charset) {
	case "", "utf-8", "us-ascii":
		if !utf8.Valid(body) {
			return "", invalid("text: it is not UTF-8")
		}
		return string(body), nil
	case "iso-8859-1":
		runes := make([]rune, len(body))
		for i, b := range body {
			runes[i] = rune(b)
		}
		return string(runes), nil
	}
	return "", unsupported("text/plain; charset=" + charset)
}

// unwrap returns type and content of what a CPIM message holds: its own headers, an empty line, MIME headers, an empty line, the content.
func unwrap(body []byte) (contentType string, content []byte, err error) {
	rest := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	_, rest, ok := bytes.Cut(rest, []byte("\n\n"))
	head, content, whole := bytes.Cut(rest, []byte("\n\n"))
	if !ok || !whole {
		return "", nil, invalid("the CPIM message has no content: headers, an empty line, MIME headers, an empty line, text")
	}
	fields, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\n\n"...)))).ReadMIMEHeader()
	if err != nil {
		return "", nil, invalid("the MIME headers in the CPIM message cannot be read")
	}
	if contentType = fields.Get("Content-Type"); contentType == "" {
		contentType = "text/plain"
	}
	return contentType, content, nil
}

func unsupported(contentType string) error {
	if len(contentType) > 64 {
		contentType = contentType[:64]
	}
	return fault.New(fault.Invalid, "UNSUPPORTED_MEDIA_TYPE", "messages are text/plain or message/cpim with text/plain in it, not %q", contentType)
}
