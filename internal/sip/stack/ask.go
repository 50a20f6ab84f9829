package stack

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/digest"
	"parley/internal/sip/field"
)

// Errors of Ask.
var (
	ErrNoAnswer = errors.New("no answer came")
	ErrStopping = errors.New("the server stops")
)

// Ask sends a request and returns its final response; for INVITE it acknowledges a failure, not a success. It waits 64 T1 and as long as
// the server runs.
func (s *Stack) Ask(req *sip.Request) (*sip.Response, *sip.ClientTx, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 64*s.Timing.T1)
	defer cancel()
	tx, err := s.Begin(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				continue
			}
			if !req.IsInvite() {
				tx.Terminate()
			}
			return res, tx, nil
		case <-tx.Done():
			return nil, nil, errors.Join(ErrNoAnswer, tx.Err())
		case <-ctx.Done():
			tx.Terminate()
			return nil, nil, ErrNoAnswer
		case <-s.Quit:
			tx.Terminate()
			return nil, nil, ErrStopping
		}
	}
}

// Begin sends a request as a transaction. The library takes the UDP socket out of service for a moment now and then (see socket.Packets), so
// what cannot be sent is tried again for a tenth of a second.
func (s *Stack) Begin(ctx context.Context, req *sip.Request) (tx *sip.ClientTx, err error) {
	for range 10 {
		tx, err = s.Transactions.Request(ctx, req)
		if err == nil || sip.IsReliable(req.Transport()) {
			return tx, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, err
}

// Write sends an ACK, trying again as Begin does.
func (s *Stack) Write(ack *sip.Request) (err error) {
	for range 3 {
		// The library writes into what it sends.
		if err = s.Transport.WriteMsg(ack.Clone()); err == nil || sip.IsReliable(ack.Transport()) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// AskAs asks, and asks again where the answer is a challenge that the credentials meet (RFC 3261 section 22). make makes the request
// anew for each try, with a number of its own; keys may be nil.
func (s *Stack) AskAs(keys *digest.Keys, make func() (*sip.Request, error)) (*sip.Request, *sip.Response, *sip.ClientTx, error) {
	for try := 0; ; try++ {
		req, err := make()
		if err != nil {
			return nil, nil, nil, err
		}
		Sign(req, keys)
		res, tx, err := s.Ask(req)
		if err != nil || !Challenged(res, keys, try) {
			return req, res, tx, err
		}
	}
}

// Sign puts credentials into a request, for the challenges that are known.
func Sign(req *sip.Request, keys *digest.Keys) {
	if keys == nil {
		return
	}
	for name, value := range keys.Sign(string(req.Method), req.Recipient.String()) {
		req.AppendHeader(sip.NewHeader(name, value))
	}
}

// Challenged tells that a response to the try (0 is the first) asks for credentials that we have and has not refused yet.
func Challenged(res *sip.Response, keys *digest.Keys, try int) bool {
	if keys == nil || res.StatusCode != 401 && res.StatusCode != 407 || try > 1 {
		return false
	}
	name := "WWW-Authenticate"
	if res.StatusCode == 407 {
		name = "Proxy-Authenticate"
	}
	var offers []string
	for _, h := range res.GetHeaders(name) {
		offers = append(offers, h.Value())
	}
	return keys.Learn(res.StatusCode == 407, offers, try > 0)
}

// SDP is the body of a message if it is one, nil if not.
func SDP(m sip.Message) []byte {
	if len(m.Body()) == 0 || field.MediaType(m) != field.SDP {
		return nil
	}
	return m.Body()
}
