package sdp

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"parley/internal/fault"
)

// The limits of what is read.
const (
	MaxSize    = 64 << 10 // bytes
	maxLines   = 1000
	maxStreams = 32
)

// attribute is an a= line.
type attribute struct{ key, value string }

// part is the session's part of a description or that of one stream.
type part struct {
	connection string // c= without the leading "c="
	attributes []attribute
}

// stream is an m= line and what belongs to it.
type stream struct {
	part
	kind    string
	port    int
	proto   string
	formats []string
}

// refused is the m= line that turns the stream down (RFC 3264 section 6). Of the formats, which mean nothing then, one is enough.
func (s *stream) refused() string { return "m=" + s.kind + " 0 " + s.proto + " " + s.formats[0] }

// message is a description as far as an audio session looks at it.
type message struct {
	part
	streams []stream
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_SDP", format, args...)
}

func unacceptable(format string, args ...any) error {
	return fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", format, args...)
}

// parse reads a description (RFC 8866). Lines of unknown types, missing lines that nothing is wanted of, and other orders of lines than the
// grammar's are let pass, as phones have them all; what it cannot take apart is an error.
func parse(text []byte) (*message, error) {
	if len(text) > MaxSize || bytes.Count(text, []byte("\n")) > maxLines {
		return nil, invalid("the description is too large: at most %d bytes and %d lines", MaxSize, maxLines)
	}
	if i := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' && r != '\t' || r == 0x7f }); i >= 0 {
		return nil, invalid("the description holds a control character at byte %d", i)
	}
	m := &message{}
	at := &m.part
	lines := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if i == 0 && strings.TrimSpace(line) != "v=0" {
			return nil, invalid("the description does not begin with v=0")
		}
		if len(line) < 2 || line[1] != '=' || strings.Contains(line, "\r") {
			return nil, invalid("line %d of the description is not of the form x=value", i+1)
		}
		switch value := strings.TrimSpace(line[2:]); line[0] {
		case 'c':
			at.connection = value
		case 'a':
			key, value, _ := strings.Cut(value, ":")
			at.attributes = append(at.attributes, attribute{key, value})
		case 'm':
			s, err := readStream(value)
			if err != nil || len(m.streams) == maxStreams {
				return nil, invalid("line %d of the description is not a usable m= line", i+1)
			}
			m.streams = append(m.streams, s)
			at = &m.streams[len(m.streams)-1].part
		}
	}
	return m, nil
}

// readStream reads "kind port[/count] proto format ...".
func readStream(value string) (stream, error) {
	fields := strings.Fields(value)
	if len(fields) < 4 {
		return stream{}, invalid("too few fields")
	}
	port, _, _ := strings.Cut(fields[1], "/")
	n, err := strconv.ParseUint(port, 10, 16)
	return stream{kind: fields[0], port: int(n), proto: fields[2], formats: fields[3:]}, err
}

// audio returns the index of the audio stream to use: the first one over RTP, or SRTP if that is spoken, that is not turned down.
func (m *message) audio(srtp bool) (int, error) {
	other := false
	for i, s := range m.streams {
		if s.kind != "audio" || s.port == 0 {
			continue
		}
		if s.proto == "RTP/AVP" || s.proto == "RTP/AVPF" || srtp && secured(s.proto) {
			return i, nil
		}
		other = true
	}
	if other {
		return 0, unacceptable("only RTP/AVP, RTP/AVPF and, where it was agreed on, RTP/SAVP and RTP/SAVPF with a=crypto are spoken here")
	}
	return 0, unacceptable("no audio stream in the description: offer one with RTP/AVP")
}

// description is what the audio stream of the other side says.
type description struct {
	addr, rtcp netip.AddrPort // rtcp as it is without mux
	mux        bool
	codecs     []Codec // in its order, telephone-event included
	direction  Direction
	ptime      int
	mid        string
	crypto     []crypto // of the suites that are spoken here, in its order
}

// describe reads the stream at an index.
func (m *message) describe(index int) (description, error) {
	s := &m.streams[index]
	out := description{direction: SendRecv, ptime: 20, codecs: s.codecs()}
	rtcp := ""
	for _, list := range [][]attribute{m.attributes, s.attributes} {
		for _, a := range list {
			switch a.key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				out.direction = Direction(a.key)
			case "ptime":
				if n, err := strconv.Atoi(strings.TrimSpace(a.value)); err == nil && n >= 10 && n <= 120 {
					out.ptime = n
				}
			case "rtcp-mux":
				out.mux = true
			case "rtcp":
				rtcp, _, _ = strings.Cut(strings.TrimSpace(a.value), " ")
			case "crypto":
				if c, ok := readCrypto(a.value); ok {
					out.crypto = append(out.crypto, c)
				}
			case "mid":
				out.mid = strings.TrimSpace(a.value)
			}
		}
	}
	connection := s.connection
	if connection == "" {
		connection = m.connection
	}
	return out, out.addresses(connection, s.port, rtcp)
}

// addresses reads where media goes. An unspecified address is hold as RFC 2543 wrote it. Of a=rtcp (RFC 3605) only the port counts: reports go to the
// address that audio goes to.
func (out *description) addresses(connection string, port int, rtcp string) error {
	fields := strings.Fields(connection)
	if len(fields) != 3 || fields[0] != "IN" {
		return invalid("the audio stream has no usable connection (c=) line")
	}
	ip, err := netip.ParseAddr(fields[2])
	if err != nil || ip.IsMulticast() || ip.Zone() != "" || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return invalid("connection address %.64q is not a unicast IP address", fields[2])
	}
	ip = ip.Unmap()
	out.addr = netip.AddrPortFrom(ip, uint16(port))
	if ip.IsUnspecified() {
		out.direction = Inactive
	}
	n, err := strconv.ParseUint(rtcp, 10, 16)
	switch {
	case err == nil && n > 0:
		out.rtcp = netip.AddrPortFrom(ip, uint16(n))
	case port < 65535:
		out.rtcp = netip.AddrPortFrom(ip, uint16(port+1))
	}
	return nil
}
