package dialog

import (
	"context"
	"errors"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/stack"
)

var errNoOffer = errors.New("the line makes no offer")

// content is a body and its type.
type content struct {
	kind string
	body []byte
}

func sdp(body []byte) content { return content{field.SDP, body} }

// request makes the next request to the peer (RFC 3261 section 12.2.1.1).
func (d *Dialog) request(method sip.RequestMethod, c content, headers ...sip.Header) (*sip.Request, error) {
	d.mu.Lock()
	d.cseq++
	cseq, leg := d.cseq, d.leg
	d.mu.Unlock()
	return d.requestTo(&leg, sip.CSeqHeader{SeqNo: cseq, MethodName: method}, c, headers...)
}

// requestTo makes a request to one leg. It may have to connect first.
func (d *Dialog) requestTo(leg *Leg, cseq sip.CSeqHeader, c content, headers ...sip.Header) (*sip.Request, error) {
	way, err := d.s.Route(context.Background(), leg.hop())
	if err != nil {
		return nil, err
	}
	req := sip.NewRequest(cseq.MethodName, sip.Uri{})
	leg.address(req)
	from, to, id, forwards := d.from, leg.to, *d.req.CallID(), sip.MaxForwardsHeader(70)
	req.AppendHeader(&from)
	req.AppendHeader(&to)
	req.AppendHeader(&id)
	req.AppendHeader(&cseq)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.NewHeader("User-Agent", d.s.UserAgent))
	for _, h := range headers {
		req.AppendHeader(h)
	}
	if len(c.body) > 0 {
		req.AppendHeader(sip.NewHeader("Content-Type", c.kind))
	}
	req.SetBody(c.body)
	d.s.Lead(req, way)
	return req, nil
}

// ask sends the next request and returns its final response, see stack.Stack.AskAs. It goes on when the dialog is over, so that a BYE finds
// its answer.
func (d *Dialog) ask(method sip.RequestMethod, c content, headers ...sip.Header) (*sip.Request, *sip.Response, *sip.ClientTx, error) {
	return d.s.AskAs(d.keys, func() (*sip.Request, error) { return d.request(method, c, headers...) })
}

// bye ends the dialog from our side; it returns at once.
func (d *Dialog) bye(status int, reason string) {
	if _, first := d.end("local", status); !first {
		return
	}
	d.s.Work.Run(func() {
		if _, _, _, err := d.ask(sip.BYE, content{}, reasonHeader(status, reason)...); err != nil {
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
	req, res, tx, err := d.ask(sip.INVITE, sdp(offer), headers...)
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
func (d *Dialog) Ack(leg *Leg, invite *sip.Request) (*sip.Request, error) {
	ack, err := d.requestTo(leg, sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.ACK}, content{})
	if err != nil {
		return nil, err
	}
	sip.CopyHeaders("Authorization", invite, ack)
	sip.CopyHeaders("Proxy-Authorization", invite, ack)
	return ack, nil
}

func answerOf(m sip.Message) []byte { return stack.SDP(m) }
