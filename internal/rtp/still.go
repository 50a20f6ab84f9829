package rtp

// still knows a short payload that was decoded to nothing but zeros several times in a row. Decoding it once more would change neither the
// zeros nor, by then, the decoder: Opus sets the memory of its bands and filters to the same values for each frame of silence (RFC 6716
// section 4.3.2.1). So the first frame after the silence sounds as if all had been decoded.
type still struct {
	payload [stillBytes]byte
	length  int // of payload
	samples int // that it stands for
	times   int // decoded in a row
}

const (
	stillBytes = 16 // silence is shorter
	stillTimes = 4  // the longest memory of a decoder's bands is of three frames
)

// same reports whether payload need not be decoded.
func (s *still) same(payload []byte) bool {
	return s.times >= stillTimes && string(payload) == string(s.payload[:s.length])
}

// decoded takes note of what a payload was decoded to.
func (s *still) decoded(payload []byte, samples []int16) {
	if len(payload) > stillBytes || !zeros(samples) {
		s.times = 0
		return
	}
	if string(payload) != string(s.payload[:s.length]) {
		s.times, s.length = 0, copy(s.payload[:], payload)
	}
	s.samples = len(samples)
	s.times++
}

func zeros(samples []int16) bool {
	for _, v := range samples {
		if v != 0 {
			return false
		}
	}
	return true
}
