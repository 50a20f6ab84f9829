package dialog

import (
	"errors"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/peer"
	"parley/internal/sip/stack"
)

var errNoOffer = errors.New("the line makes no offer")

// request makes the next request to the peer (RFC 3261 section 12.2.1.1).
func (d *Dialog) request(method sip.RequestMethod, c peer.Content, headers ...sip.Header) (*sip.Request, error) {
	d.mu.Lock()
	d.cseq++
	cseq, leg := d.cseq, d.leg
	d.mu.Unlock()
	return d.as.Make(&leg, sip.CSeqHeader{SeqNo: cseq, MethodName: method}, c, headers...)
}

// ask sends the next request and returns its final response, see stack.Stack.AskAs. It goes on when the dialog is over, so that a BYE finds
// its answer.
func (d *Dialog) ask(method sip.RequestMethod, c peer.Content, headers ...sip.Header) (*sip.Request, *sip.Response, *sip.ClientTx, error) {
	return d.s.AskAs(d.keys, func() (*sip.Request, error) { return d.request(method, c, headers...) })
}

// bye ends the dialog from our side; it returns at once.
func (d *Dialog) bye(status int, reason string) {
	if _, first := d.end("local", status); !first {
		return
	}
	d.s.Work.Run(func() {
		if _, _, _, err := d.ask(sip.BYE, peer.Content{}, reasonHeader(status, reason)...); err != nil {
			d.s.Log.Debug("BYE got no answer", "sip_call_id", d.req.CallID().Value(), "error", err)
		}
	})
}

// reasonHeader says why (RFC 3326).
func reasonHeader(status int, reason string) []sip.Header {
	if reason == "" {
		return nil
	}
	if status == 0 {
		status = 200
	}
	return []sip.Header{sip.NewHeader("Reason", "SIP;cause="+strconv.Itoa(status)+";text="+field.Quoted(reason))}
}

// reinvite sends an INVITE with our offer inside the dialog and acknowledges it. The offers' turn is ours when it is called.
func (d *Dialog) reinvite(offer []byte, headers ...sip.Header) (*sip.Response, error) {
	req, res, tx, err := d.ask(sip.INVITE, peer.SDP(offer), headers...)
	if err != nil || !res.IsSuccess() {
		return res, err
	}
	d.mu.Lock()
	leg := d.leg
	d.mu.Unlock()
	ack, err := d.Ack(&leg, req)
	if err != nil {
		return nil, err
	}
	again := func(*sip.Response) { _ = d.s.Write(ack) }
	tx.OnRetransmission(again) // of the 2xx, for as long as the transaction remembers
	again(res)
	return res, nil
}

// Ack makes the ACK of a 2xx: a transaction of its own with the number and the credentials of the INVITE (RFC 3261 section 13.2.2.4).
func (d *Dialog) Ack(leg *peer.Leg, invite *sip.Request) (*sip.Request, error) {
	ack, err := d.as.Make(leg, sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.ACK}, peer.Content{})
	if err != nil {
		return nil, err
	}
	sip.CopyHeaders("Authorization", invite, ack)
	sip.CopyHeaders("Proxy-Authorization", invite, ack)
	return ack, nil
}

func answerOf(m sip.Message) []byte { return stack.SDP(m) }
