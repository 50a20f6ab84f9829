package sdp

import (
	"strconv"
	"strings"
)

const eventName = "telephone-event" // RFC 4733

// static are the payload types that need no rtpmap (RFC 3551 table 4) and that we know.
var static = map[uint8]Codec{
	0: {Name: "PCMU", ClockRate: 8000, Channels: 1}, 8: {Name: "PCMA", ClockRate: 8000, Channels: 1},
	9: {Name: "G722", ClockRate: 8000, Channels: 1}, 13: {Name: "CN", ClockRate: 8000, Channels: 1},
}

// codecs lists the payload types of a stream in its order; those that say nothing usable are left out.
func (s *stream) codecs() []Codec {
	var out []Codec
	seen := map[uint8]bool{}
	for _, format := range s.formats {
		n, err := strconv.ParseUint(format, 10, 7)
		if err != nil || seen[uint8(n)] {
			continue
		}
		pt := uint8(n)
		seen[pt] = true
		c, known := static[pt]
		for _, a := range s.attributes {
			number, rest, ok := strings.Cut(a.value, " ")
			if !ok || strings.TrimSpace(number) != format {
				continue
			}
			switch a.key {
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

// find returns the codec of a list that is the same, the zero Codec when there is none.
func find(list []Codec, c Codec) (Codec, bool) {
	for _, have := range list {
		if same(have, c) {
			return have, true
		}
	}
	return Codec{}, false
}

// eventsFor chooses among the telephone-events of a list: that of the codec's clock, as RFC 4733 section 2.5.1 wants it; else that of 8000 Hz, which many
// phones offer beside every codec; else any.
func eventsFor(clock int, list []Codec) (best Codec, ok bool) {
	for _, c := range list {
		switch {
		case !isEvent(c):
		case c.ClockRate == clock:
			return c, true
		case !ok || c.ClockRate == 8000 && best.ClockRate != 8000:
			best, ok = c, true
		}
	}
	return best, ok
}

// number gives the codecs, and telephone-event in their clock rates, payload types for an offer: those that theirs has for them (RFC 3264 section 8.3.2: a
// number never changes its meaning), else their own, else free ones.
func number(codecs, theirs []Codec) []Codec {
	used := map[uint8]bool{}
	for _, c := range theirs {
		used[c.PayloadType] = true
	}
	var out []Codec
	add := func(c Codec) {
		if have, ok := find(theirs, c); ok {
			c.PayloadType = have.PayloadType
			out = append(out, c)
			return
		}
		for pt, tries := c.PayloadType, 0; tries < 32; pt, tries = 96+(pt-95)%32, tries+1 {
			if !used[pt] {
				used[pt], c.PayloadType = true, pt
				out = append(out, c)
				return
			}
		}
	}
	rates := map[int]bool{}
	for _, c := range codecs {
		add(c)
		rates[c.ClockRate] = true
	}
	for _, rate := range []int{8000, 16000, 48000} {
		if rates[rate] {
			add(Codec{Name: eventName, PayloadType: 101, ClockRate: rate, Channels: 1, Fmtp: "0-15"})
		}
	}
	return out
}

func names(codecs []Codec) string {
	var list []string
	for _, c := range codecs {
		if !isEvent(c) {
			list = append(list, c.Name+"/"+strconv.Itoa(c.ClockRate))
		}
	}
	return strings.Join(list, ", ")
}
