// Package sdp turns offers into answers (RFC 3264) as functions of values: it parses, chooses codecs and
// directions, and prints. It owns no socket, starts no goroutine and reads no clock.
package sdp

import "net/netip"

// Codec is one payload type of a media description.
type Codec struct {
	Name        string // encoding name as in a=rtpmap
	PayloadType uint8
	ClockRate   int // Hz
	Channels    int // 1 when absent
	Fmtp        string
}

// Direction of a stream, from the point of view of whoever says it (RFC 4566 section 6).
type Direction string

// The directions.
const (
	SendRecv Direction = "sendrecv"
	SendOnly Direction = "sendonly"
	RecvOnly Direction = "recvonly"
	Inactive Direction = "inactive"
)

// Sends reports whether whoever says d may send; Receives whether it wants to receive.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether whoever says d wants to receive.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Media is what offer and answer agreed on for the one audio stream, from our point of view.
type Media struct {
	Remote     netip.AddrPort // where we send RTP; unspecified address while the peer is on old-style hold (c=0.0.0.0)
	RemoteRTCP netip.AddrPort // where we send RTCP (RFC 3605, else port+1, or Remote with rtcp-mux)
	RTCPMux    bool
	Codec      Codec   // what we send
	Accept     []Codec // every payload type that may arrive, Codec first
	DTMF       uint8   // payload type of telephone-event, 0 when not agreed
	DTMFRate   int     // its clock rate in Hz
	Direction  Direction
	Ptime      int   // milliseconds of audio per packet that the peer asks for, 20 when absent
	SRTP       *SRTP // how both directions are protected; nil: not at all
	// Source is the IP address that the peer's signalling comes from, set by whoever received it; zero when that is not known. A peer
	// behind NAT signals a private address, and its audio comes from this one.
	Source netip.Addr
}
