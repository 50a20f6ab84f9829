// Package codec holds the audio codecs of the media floor behind one pair of interfaces: G.711, G.722, Opus and L16.
// It owns the table of formats that signalling negotiates. It starts no goroutine and never logs. An Encoder or a Decoder
// belongs to one goroutine at a time.
package codec

// Format describes one codec as it is negotiated in SDP (RFC 3551, RFC 7587) and run by the mixer.
type Format struct {
	Name        string // encoding name as in a=rtpmap, for example "PCMU", "G722", "opus"
	PayloadType uint8  // static number, or the dynamic number that we offer
	ClockRate   int    // RTP clock in Hz (8000 for G722, RFC 3551 section 4.5.2; 48000 for opus)
	SampleRate  int    // native audio rate in Hz
	Channels    int    // as written in a=rtpmap; audio is mono inside the server whatever stands here
	Fmtp        string // our a=fmtp parameters, empty when there are none
}

// MaxPayload is the largest payload in bytes that any Encoder writes for one frame of 20 ms.
const MaxPayload = 1275

// Decoder turns payloads into mono 16-bit samples at the rate that it was made for. It never allocates after construction.
type Decoder interface {
	// Decode decodes one payload into dst and returns the number of samples. dst holds at least 120 ms. A malformed payload
	// is an error and leaves the decoder usable.
	Decode(dst []int16, payload []byte) (int, error)
	// Conceal fills dst (its whole length is the time to conceal, 10 or 20 ms) for a lost packet and fades out when called repeatedly.
	Conceal(dst []int16)
	// Recover fills dst with the frame that preceded next, from the redundancy in next (Opus in-band FEC, RFC 6716 section 2.1.7).
	// It reports false, without touching dst, when next carries none.
	Recover(dst []int16, next []byte) bool
	// Reset forgets the stream, as when the SSRC changes.
	Reset()
}

// Encoder turns frames of 20 ms of mono samples, at the rate that it was made for, into payloads. It never allocates after construction.
type Encoder interface {
	// Encode writes the payload of one frame to dst, which holds MaxPayload bytes, and returns its length.
	Encode(dst []byte, frame []int16) (int, error)
	// Reset forgets the stream: the next frame is encoded so that a decoder in any state recovers quickly.
	Reset()
}
