package rtp

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"
)

// receiver keeps what RFC 3550 appendix A asks of a receiver of one stream.
type receiver struct {
	any, changed   bool
	ssrc           uint32
	switched       time.Duration
	base, highest  int64
	received       uint64
	jitter         float64 // in timestamp units
	transit        uint32
	clock          int // of transit and jitter; 0: no packet yet
	expectedBefore int64
	receivedBefore uint64
	remoteLoss     float64
	rtt            time.Duration
	reportMiddle   uint32 // middle bits of the NTP time of the peer's last report
	reportAt       time.Duration
}

func (r *receiver) reset() { *r = receiver{switched: never, reportAt: never} }

// stream reports whether the packet is of the stream or starts a new one; a new SSRC is taken once a second at most.
func (r *receiver) stream(h header, now time.Duration) bool {
	if r.any && h.ssrc == r.ssrc {
		return true
	}
	if r.any {
		if now-r.switched < time.Second {
			return false
		}
		r.changed = true
	}
	r.switched, r.any, r.ssrc = now, true, h.ssrc
	r.restart(h)
	return true
}

// restart begins to count with the packet.
func (r *receiver) restart(h header) {
	r.base, r.highest = int64(h.seq), int64(h.seq)-1
	r.received, r.receivedBefore, r.expectedBefore = 0, 0, 0
	r.clock = 0
}

// count counts a packet.
func (r *receiver) count(h header) {
	r.highest = max(r.highest, r.highest+int64(int16(h.seq-uint16(r.highest))))
	r.received++
}

// measure updates the interarrival jitter (appendix A.8) by a packet of audio.
func (r *receiver) measure(h header, now time.Duration, clock int) {
	arrival := int64(now) / 1000 * int64(clock) / 1_000_000
	transit := uint32(arrival) - h.stamp
	if r.clock == clock {
		d := math.Abs(float64(int32(transit - r.transit)))
		r.jitter += (d - r.jitter) / 16
	} else {
		r.jitter = 0
	}
	r.transit, r.clock = transit, clock
}

func (r *receiver) expected() int64 { return r.highest - r.base + 1 }

// reports says when RTCP is due.
type reports struct{ last time.Duration }

const reportEvery = 5 * time.Second

// RTCP writes a compound packet (sender or receiver report, and the CNAME) to dst when one is due, else it returns nil: the first after 2.5 s,
// then each 5 s, spread by SSRC (RFC 3550 section 6.2).
func (s *Session) RTCP(dst []byte, now time.Duration) []byte {
	spread := time.Duration(s.out.ssrc%1000) * time.Millisecond
	switch {
	case s.buffer == nil || !s.RTCPTarget().IsValid():
		return nil
	case s.rtcp.last == never:
		s.rtcp.last = now - reportEvery/2 + spread
		return nil
	case now-s.rtcp.last < reportEvery:
		return nil
	}
	s.rtcp.last = now
	return s.report(dst, now, false)
}

// Bye writes the packets that end our stream, nil when nothing was ever sent.
func (s *Session) Bye(dst []byte) []byte {
	if s.out.packets == 0 || !s.RTCPTarget().IsValid() {
		return nil
	}
	return s.report(dst, max(s.rtcp.last, 0), true)
}

func (s *Session) report(dst []byte, now time.Duration, bye bool) []byte {
	b := dst[:0]
	blocks := byte(0)
	if s.in.any {
		blocks = 1
	}
	if s.out.packets > 0 {
		ntp := ntpTime(now)
		b = append(b, 0x80|blocks, 200, 0, 6+6*blocks)
		b = binary.BigEndian.AppendUint32(b, s.out.ssrc)
		b = binary.BigEndian.AppendUint64(b, ntp)
		b = binary.BigEndian.AppendUint32(b, s.out.stamp)
		b = binary.BigEndian.AppendUint32(b, s.out.packets)
		b = binary.BigEndian.AppendUint32(b, s.out.octets)
	} else {
		b = append(b, 0x80|blocks, 201, 0, 1+6*blocks)
		b = binary.BigEndian.AppendUint32(b, s.out.ssrc)
	}
	if blocks > 0 {
		b = s.in.block(b, now)
	}
	b = append(b, 0x81, 202, 0, 4) // SDES with a CNAME of 8 characters
	b = binary.BigEndian.AppendUint32(b, s.out.ssrc)
	b = append(b, 1, 8)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[s.out.ssrc>>shift&15])
	}
	b = append(b, 0, 0)
	if bye {
		b = append(b, 0x81, 203, 0, 1)
		b = binary.BigEndian.AppendUint32(b, s.out.ssrc)
	}
	return b
}

// block writes the report on what we receive and starts a new interval of it.
func (r *receiver) block(b []byte, now time.Duration) []byte {
	expected := r.expected()
	lost := max(expected-int64(r.received), 0)
	wanted, got := expected-r.expectedBefore, int64(r.received-r.receivedBefore)
	fraction := 0.0
	if wanted > 0 {
		fraction = max(float64(wanted-got)/float64(wanted), 0)
	}
	r.expectedBefore, r.receivedBefore = expected, r.received
	b = binary.BigEndian.AppendUint32(b, r.ssrc)
	b = binary.BigEndian.AppendUint32(b, uint32(min(fraction*256, 255))<<24|uint32(min(lost, 0x7fffff)))
	b = binary.BigEndian.AppendUint32(b, uint32(r.highest))
	b = binary.BigEndian.AppendUint32(b, uint32(r.jitter))
	if r.reportAt == never {
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	b = binary.BigEndian.AppendUint32(b, r.reportMiddle)
	return binary.BigEndian.AppendUint32(b, uint32((now-r.reportAt)*65536/time.Second))
}

// ntpTime is our clock in NTP form: it runs right, but from the start of the engine, which is all that RTCP asks of it.
func ntpTime(now time.Duration) uint64 {
	seconds := uint64(now / time.Second)
	return seconds<<32 | uint64(now%time.Second)<<32/uint64(time.Second)
}

// ReceiveRTCP takes a compound packet. It reports false for one that is malformed or of an address that RTCP is not expected from. Nothing in it moves where
// we send to or whom we believe.
func (s *Session) ReceiveRTCP(packet []byte, from netip.AddrPort, now time.Duration) bool {
	if s.buffer == nil || from.Addr().Unmap() != s.RTPTarget().Addr() || !s.control.take(now, reporting) {
		s.stats.Refused++
		return false
	}
	for len(packet) > 0 {
		if len(packet) < 4 || packet[0]>>6 != 2 {
			s.stats.Refused++
			return false
		}
		length := 4 + 4*int(binary.BigEndian.Uint16(packet[2:]))
		if length > len(packet) {
			s.stats.Refused++
			return false
		}
		s.in.heed(packet[:length], s.out.ssrc, now)
		packet = packet[length:]
	}
	return true
}

// heed reads one packet of a compound: what the peer says of our stream, and when it said so.
func (r *receiver) heed(p []byte, ours uint32, now time.Duration) {
	at := 8
	switch {
	case p[1] == 200 && len(p) >= 28:
		if binary.BigEndian.Uint32(p[4:]) == r.ssrc {
			r.reportMiddle, r.reportAt = uint32(binary.BigEndian.Uint64(p[8:])>>16), now
		}
		at = 28
	case p[1] != 201:
		return
	}
	for range int(p[0] & 0x1f) {
		if len(p) < at+24 {
			return
		}
		if b := p[at : at+24]; binary.BigEndian.Uint32(b) == ours {
			r.remoteLoss = float64(b[4]) * 100 / 256
			last, since := binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:])
			if rtt := uint32(ntpTime(now)>>16) - last - since; last != 0 && rtt < 65536*10 {
				r.rtt = time.Duration(rtt) * time.Second / 65536
			}
		}
		at += 24
	}
}
