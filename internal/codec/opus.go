package codec

/*
#cgo LDFLAGS: -l:libopus.a -lm
#cgo noescape parley_opus_encode
#cgo nocallback parley_opus_encode
#cgo noescape parley_opus_decode
#cgo nocallback parley_opus_decode
#cgo noescape parley_opus_redundant
#cgo nocallback parley_opus_redundant
#cgo noescape parley_opus_encoder_set
#cgo nocallback parley_opus_encoder_set
#include <opus/opus.h>

// The controls of libopus are variadic, which Go cannot call.
static int parley_opus_encoder_set(void *e, int request, int value) { return opus_encoder_ctl((OpusEncoder *)e, request, value); }
static int parley_opus_encoder_reset(void *e) { return opus_encoder_ctl((OpusEncoder *)e, OPUS_RESET_STATE); }
static int parley_opus_decoder_reset(void *d) { return opus_decoder_ctl((OpusDecoder *)d, OPUS_RESET_STATE); }

static int parley_opus_encode(void *e, const opus_int16 *pcm, int samples, unsigned char *out, int room) {
	return opus_encode((OpusEncoder *)e, pcm, samples, out, room);
}

// With no bytes it conceals; with fec it decodes what the packet carries of the one before.
static int parley_opus_decode(void *d, const unsigned char *in, int bytes, opus_int16 *pcm, int samples, int fec) {
	return opus_decode((OpusDecoder *)d, bytes ? in : 0, bytes, pcm, samples, fec);
}

// Samples of the frame that the packet repeats at this rate, 0 when it repeats none (RFC 6716 sections 4.2.3 and 4.2.4): the
// first frame begins with one voice flag for each 20 ms and then the redundancy flag, per channel.
static int parley_opus_redundant(const unsigned char *in, int bytes, int rate) {
	const unsigned char *frames[48];
	opus_int16 sizes[48];
	int flags, bit, samples;
	if (bytes < 1 || (in[0] & 0x80)) return 0; // CELT has none
	if (opus_packet_parse(in, bytes, 0, frames, sizes, 0) < 1 || sizes[0] < 2) return 0;
	samples = opus_packet_get_samples_per_frame(in, rate);
	flags = samples * 50 / rate;
	if (flags < 1) flags = 1;
	bit = frames[0][0] >> (7 - flags) & 1;
	if (in[0] & 4) bit |= frames[0][0] >> (6 - 2 * flags) & 1;
	return bit ? samples : 0;
}
*/
import "C"

import (
	"unsafe"

	"parley/internal/fault"
)

// opusRate reports whether libopus takes audio at this rate.
func opusRate(rate int) bool {
	switch rate {
	case 8000, 12000, 16000, 24000, 48000:
		return true
	}
	return false
}

// opusState is a codec's memory of libopus, which holds no Go pointers: Go's collector frees it, and no finalizer is needed.
// Words rather than bytes, because libopus wants alignment.
type opusState []uint64

func newOpusState(bytes C.int) opusState { return make(opusState, (bytes+7)/8) }

func (s opusState) ptr() unsafe.Pointer { return unsafe.Pointer(&s[0]) }

type opusDecoder struct {
	state  opusState
	rate   int
	made   int  // samples concealed since the last packet
	speech bool // the last packet was of a mode that can be continued from redundancy
}

func newOpusDecoder(rate int) (*opusDecoder, error) {
	d := &opusDecoder{state: newOpusState(C.opus_decoder_get_size(1)), rate: rate}
	if code := C.opus_decoder_init((*C.OpusDecoder)(d.state.ptr()), C.opus_int32(rate), 1); code != C.OPUS_OK {
		return nil, opusFault("make the decoder", code)
	}
	return d, nil
}

func opusFault(what string, code C.int) error {
	return fault.New(fault.Internal, "OPUS_FAILED", "opus: %s: %s", what, C.GoString(C.opus_strerror(code)))
}

// Reset forgets the stream.
func (d *opusDecoder) Reset() {
	C.parley_opus_decoder_reset(d.state.ptr())
	d.made, d.speech = 0, false
}

func (d *opusDecoder) Decode(dst []int16, payload []byte) (int, error) {
	if len(payload) == 0 {
		return 0, errEmpty
	}
	if len(dst) == 0 {
		return 0, errLong
	}
	n := d.decode(dst, payload, 0)
	switch {
	case n == C.OPUS_BUFFER_TOO_SMALL:
		return 0, errLong
	case n <= 0:
		return 0, errOdd
	}
	d.made, d.speech = 0, payload[0]&0x80 == 0
	return n, nil
}

func (d *opusDecoder) decode(dst []int16, payload []byte, fec int) int {
	return int(C.parley_opus_decode(d.state.ptr(), (*C.uchar)(unsafe.SliceData(payload)), C.int(len(payload)),
		(*C.opus_int16)(&dst[0]), C.int(len(dst)), C.int(fec)))
}

// Conceal lets libopus continue the stream. libopus keeps some noise up for ever, so a long loss is faded out here.
func (d *opusDecoder) Conceal(dst []int16) {
	from, to := d.rate/1000*opusSteady, d.rate/1000*opusFaded
	if len(dst) == 0 || d.made >= to || d.decode(dst, nil, 0) != len(dst) {
		clear(dst)
		return
	}
	for i := range dst {
		if n := d.made + i; n >= from {
			dst[i] = int16(int(dst[i]) * max(to-n, 0) / (to - from))
		}
	}
	d.made += len(dst)
}

// A loss sounds at the level of libopus for 60 ms and is silent after 160 ms.
const (
	opusSteady = 60
	opusFaded  = 160
)

// Recover decodes the frame before next from the redundancy in next. After a frame of music mode libopus has no use for it.
func (d *opusDecoder) Recover(dst []int16, next []byte) bool {
	if len(dst) == 0 || len(next) == 0 || !d.speech {
		return false
	}
	carried := C.parley_opus_redundant((*C.uchar)(unsafe.SliceData(next)), C.int(len(next)), C.int(d.rate))
	if carried == 0 || int(carried) > len(dst) {
		return false
	}
	if d.decode(dst, next, 1) != len(dst) {
		clear(dst)
	}
	d.made = 0
	return true
}

// The calls of OpusEncoder into libopus.

func newOpusEncoderState(rate int) (opusState, error) {
	s := newOpusState(C.opus_encoder_get_size(1))
	code := C.opus_encoder_init((*C.OpusEncoder)(s.ptr()), C.opus_int32(rate), 1, C.OPUS_APPLICATION_AUDIO)
	if code != C.OPUS_OK {
		return nil, opusFault("make the encoder", code)
	}
	return s, nil
}

func (s opusState) encode(dst []byte, frame []int16) int {
	return int(C.parley_opus_encode(s.ptr(), (*C.opus_int16)(&frame[0]), C.int(len(frame)), (*C.uchar)(&dst[0]), C.int(len(dst))))
}

func (s opusState) resetEncoder() { C.parley_opus_encoder_reset(s.ptr()) }

// set changes a setting of an encoder. The values are ours and within libopus's limits, so that a refusal is a fault in here.
func (s opusState) set(request, value int) error {
	if code := C.parley_opus_encoder_set(s.ptr(), C.int(request), C.int(value)); code != C.OPUS_OK {
		return opusFault("set the encoder", code)
	}
	return nil
}

const (
	opusBitrate    = C.OPUS_SET_BITRATE_REQUEST
	opusComplexity = C.OPUS_SET_COMPLEXITY_REQUEST
	opusDepth      = C.OPUS_SET_LSB_DEPTH_REQUEST
	opusSignal     = C.OPUS_SET_SIGNAL_REQUEST
	opusFEC        = C.OPUS_SET_INBAND_FEC_REQUEST
	opusLoss       = C.OPUS_SET_PACKET_LOSS_PERC_REQUEST
	opusPlain      = C.OPUS_SET_PREDICTION_DISABLED_REQUEST
	opusMusic      = C.OPUS_SIGNAL_MUSIC
	opusVoice      = C.OPUS_SIGNAL_VOICE
)
