// Package prack is our side of reliable provisional responses (RFC 3262): their numbers, and which of them a PRACK is for. It starts no goroutine;
// repeating a response until its PRACK has come is left to package dialog.
package prack

import (
	"math/rand/v2"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
)

// Response is a provisional response that waits for its PRACK.
type Response struct {
	rseq, cseq uint32
	came       chan *sip.Request // capacity 1
}

// Next is the one that follows another of the INVITE with this number; before is nil for the first one.
func Next(before *Response, cseq uint32) *Response {
	r := &Response{rseq: rand.Uint32N(1<<30) + 1, cseq: cseq, came: make(chan *sip.Request, 1)}
	if before != nil {
		r.rseq = before.rseq + 1
	}
	return r
}

// Headers make a response reliable.
func (r *Response) Headers() []sip.Header {
	return []sip.Header{sip.NewHeader("Require", "100rel"), sip.NewHeader("RSeq", strconv.FormatUint(uint64(r.rseq), 10))}
}

// Came brings the PRACK.
func (r *Response) Came() <-chan *sip.Request { return r.came }

// Take looks whether a PRACK is for the response, which may be nil, and returns the status of its answer. An offer in a PRACK is refused: re-INVITE
// and UPDATE carry those.
func (r *Response) Take(req *sip.Request) (status int) {
	ack, ok := field.ParseRAck(field.First(req, "rack"))
	switch {
	case !ok:
		return 400
	case r == nil || ack.RSeq != r.rseq || ack.CSeq != r.cseq || ack.Method != string(sip.INVITE):
		return 481
	case len(req.Body()) > 0:
		return 488
	}
	select {
	case r.came <- req:
	default: // repeated
	}
	return 200
}
