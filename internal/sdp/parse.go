package sdp

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	psdp "github.com/pion/sdp/v3"

	"parley/internal/fault"
)

const eventName = "telephone-event" // RFC 4733

// description is what one audio stream of the other side says.
type description struct {
	addr, rtcp netip.AddrPort
	mux        bool
	codecs     []Codec // in its order, telephone-event included
	direction  Direction
	ptime      int
	mid        string
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "INVALID_SDP", format, args...)
}

// parse reads a description within limits on size and lines.
func parse(text []byte) (*psdp.SessionDescription, error) {
	if len(text) > MaxSize || bytes.Count(text, []byte("\n")) > 1000 {
		return nil, invalid("the description is too large: at most %d bytes and 1000 lines", MaxSize)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, invalid("the description is empty")
	}
	d := &psdp.SessionDescription{}
	if err := d.Unmarshal(text); err != nil {
		return nil, invalid("the description cannot be read: %v", err)
	}
	if len(d.MediaDescriptions) > 32 {
		return nil, invalid("the description has %d streams: at most 32", len(d.MediaDescriptions))
	}
	return d, nil
}

// audioLine returns the index of the audio stream to use: the first one over plain RTP that is not rejected.
func audioLine(d *psdp.SessionDescription) (int, error) {
	secured := false
	for i, m := range d.MediaDescriptions {
		if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
			continue
		}
		switch strings.Join(m.MediaName.Protos, "/") {
		case "RTP/AVP", "RTP/AVPF":
			return i, nil
		}
		secured = true
	}
	if secured {
		return 0, fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "only RTP/AVP and RTP/AVPF are spoken here: switch SRTP off for this call")
	}
	return 0, fault.New(fault.Invalid, "NOT_ACCEPTABLE_MEDIA", "no audio stream in the description: offer one with RTP/AVP")
}

func read(d *psdp.SessionDescription, m *psdp.MediaDescription) (description, error) {
	out := description{direction: SendRecv, ptime: 20}
	for _, list := range [][]psdp.Attribute{d.Attributes, m.Attributes} {
		for _, a := range list {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				out.direction = Direction(a.Key)
			case "ptime":
				if n, err := strconv.Atoi(strings.TrimSpace(a.Value)); err == nil && n >= 10 && n <= 120 {
					out.ptime = n
				}
			case "rtcp-mux":
				out.mux = true
			case "mid":
				out.mid = a.Value
			}
		}
	}
	if err := out.addresses(d, m); err != nil {
		return out, err
	}
	out.codecs = codecsOf(m)
	return out, nil
}

// addresses reads where media goes. An unspecified address is hold as RFC 2543 wrote it.
func (out *description) addresses(d *psdp.SessionDescription, m *psdp.MediaDescription) error {
	c := m.ConnectionInformation
	if c == nil {
		c = d.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return invalid("the audio stream has no connection (c=) line")
	}
	ip, err := netip.ParseAddr(strings.SplitN(c.Address.Address, "/", 2)[0])
	if err != nil || ip.IsMulticast() || ip.Zone() != "" {
		return invalid("connection address %.64q is not a unicast IP address", c.Address.Address)
	}
	port := m.MediaName.Port.Value
	if port < 1 || port > 65535 {
		return invalid("port %d of the audio stream does not exist", port)
	}
	out.addr = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	if ip.IsUnspecified() {
		out.direction = Inactive
	}
	switch {
	case out.mux:
		out.rtcp = out.addr
	case port < 65535:
		out.rtcp = netip.AddrPortFrom(out.addr.Addr(), uint16(port+1))
	}
	if value, ok := m.Attribute("rtcp"); ok && !out.mux { // RFC 3605: port [nettype addrtype address]
		fields := strings.Fields(value)
		if len(fields) > 0 {
			if n, err := strconv.ParseUint(fields[0], 10, 16); err == nil && n > 0 {
				out.rtcp = netip.AddrPortFrom(out.addr.Addr(), uint16(n))
			}
		}
	}
	return nil
}

// static are the payload types that need no rtpmap (RFC 3551 table 4) and that we know.
var static = map[uint8]Codec{
	0: {Name: "PCMU", ClockRate: 8000, Channels: 1}, 8: {Name: "PCMA", ClockRate: 8000, Channels: 1},
	9: {Name: "G722", ClockRate: 8000, Channels: 1}, 13: {Name: "CN", ClockRate: 8000, Channels: 1},
}

// codecsOf lists the payload types of a stream in its order; those that say nothing usable are left out.
func codecsOf(m *psdp.MediaDescription) []Codec {
	var out []Codec
	seen := map[uint8]bool{}
	for _, format := range m.MediaName.Formats {
		n, err := strconv.ParseUint(format, 10, 7)
		if err != nil || seen[uint8(n)] {
			continue
		}
		pt := uint8(n)
		seen[pt] = true
		c, known := static[pt]
		for _, a := range m.Attributes {
			number, rest, ok := strings.Cut(a.Value, " ")
			if !ok || strings.TrimSpace(number) != format {
				continue
			}
			switch a.Key {
			case "rtpmap":
				var got Codec
				if got, known = rtpmap(rest); known {
					got.Fmtp, c = c.Fmtp, got
				}
			case "fmtp":
				c.Fmtp = strings.TrimSpace(rest)
			}
		}
		if known {
			c.PayloadType = pt
			out = append(out, c)
		}
	}
	return out
}

// rtpmap reads "name/rate[/channels]".
func rtpmap(text string) (Codec, bool) {
	parts := strings.Split(strings.TrimSpace(text), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
		return Codec{}, false
	}
	rate, err := strconv.Atoi(parts[1])
	if err != nil || rate < 1000 || rate > 192000 {
		return Codec{}, false
	}
	c := Codec{Name: parts[0], ClockRate: rate, Channels: 1}
	if len(parts) == 3 {
		if c.Channels, err = strconv.Atoi(parts[2]); err != nil || c.Channels < 1 || c.Channels > 8 {
			return Codec{}, false
		}
	}
	return c, true
}

func isEvent(c Codec) bool { return strings.EqualFold(c.Name, eventName) }

// same reports whether two descriptions name one codec: name, clock rate and channels (RFC 3264 section 6.1).
func same(a, b Codec) bool {
	return strings.EqualFold(a.Name, b.Name) && a.ClockRate == b.ClockRate && max(a.Channels, 1) == max(b.Channels, 1)
}
