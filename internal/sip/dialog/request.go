package dialog

import (
	"context"
	"errors"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
)

var (
	errNoAnswer = errors.New("no answer came")
	errNoOffer  = errors.New("the line makes no offer")
)

// request makes the next request of the dialog (RFC 3261 section 12.2.1.1).
func (d *Dialog) request(method sip.RequestMethod, body []byte, headers ...sip.Header) *sip.Request {
	d.mu.Lock()
	d.cseq++
	cseq, p := d.cseq, d.peer
	d.mu.Unlock()
	req := sip.NewRequest(method, sip.Uri{})
	req.AppendHeader(d.via(&p))
	p.address(req)
	from, to, id, forwards := d.req.To().AsFrom(), d.req.From().AsTo(), *d.req.CallID(), sip.MaxForwardsHeader(70)
	req.AppendHeader(&from)
	req.AppendHeader(&to)
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: cseq, MethodName: method})
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.NewHeader("User-Agent", d.s.UserAgent))
	for _, h := range headers {
		req.AppendHeader(h)
	}
	if len(body) > 0 {
		req.AppendHeader(sip.NewHeader("Content-Type", field.SDP))
	}
	req.SetBody(body)
	d.s.leadOut(req, p.source)
	return req
}

func (d *Dialog) via(p *peer) *sip.ViaHeader {
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: p.transport, Host: d.s.HostFor(p.source), Port: int(d.s.Local.Port())}
	via.Params.Add("branch", sip.GenerateBranch())
	via.Params.Add("rport", "")
	return via
}

// leadOut picks the socket: UDP leaves by the listening one, TCP by the connection that the peer opened, as long as it is there, since many
// a Contact cannot be connected to.
func (s *Stack) leadOut(req *sip.Request, source string) {
	req.Via().Transport = req.Transport()
	if !sip.IsReliable(req.Transport()) {
		req.Laddr = sip.Addr{IP: s.Local.Addr().AsSlice(), Port: int(s.Local.Port())}
		return
	}
	if c, err := s.Transport.GetConnection(req.Transport(), source); err == nil {
		req.SetDestination(source)
		_, _ = c.TryClose() // only gives the reference back
	}
}

// ask sends a request and returns its final response; for INVITE it acknowledges a failure, not a success. It waits 64 T1 and as long as
// the server runs, also when the dialog is over, so that a BYE finds its answer.
func (d *Dialog) ask(req *sip.Request) (*sip.Response, *sip.ClientTx, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 64*d.s.Timing.T1)
	defer cancel()
	tx, err := d.s.Transactions.Request(ctx, req)
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
			return nil, nil, errors.Join(errNoAnswer, tx.Err())
		case <-ctx.Done():
			tx.Terminate()
			return nil, nil, errNoAnswer
		case <-d.s.Quit:
			tx.Terminate()
			return nil, nil, errStopping
		}
	}
}

// bye ends the dialog from our side; it returns at once.
func (d *Dialog) bye(status int, reason string) {
	if _, first := d.end("local", status); !first {
		return
	}
	d.sendBye(status, reason)
}

func (d *Dialog) sendBye(status int, reason string) {
	var headers []sip.Header
	if reason != "" { // RFC 3326
		cause := "200"
		if status != 0 {
			cause = strconv.Itoa(status)
		}
		headers = append(headers, sip.NewHeader("Reason", "SIP;cause="+cause+";text="+field.Quoted(reason)))
	}
	d.s.Work.Run(func() {
		if _, _, err := d.ask(d.request(sip.BYE, nil, headers...)); err != nil {
			d.s.Log.Debug("BYE got no answer", "sip_call_id", d.req.CallID().Value(), "error", err)
		}
	})
}

// reinvite sends an INVITE with our offer inside the dialog, acknowledges it and gives the answer to the line. The offers' turn is ours
// when it is called.
func (d *Dialog) reinvite(offer []byte, headers ...sip.Header) (*sip.Response, error) {
	req := d.request(sip.INVITE, offer, headers...)
	res, tx, err := d.ask(req)
	if err != nil || !res.IsSuccess() {
		return res, err
	}
	ack := d.ack(req)
	again := func(*sip.Response) { _ = d.s.Transport.WriteMsg(ack) }
	tx.OnRetransmission(again) // of the 2xx, for as long as the transaction remembers
	again(res)
	if answer := sdpOf(res); answer != nil {
		ctx, cancel := d.asking()
		defer cancel()
		if err := d.line.Answered(ctx, answer); err != nil { // the session stays as it was
			d.s.Log.Warn("answer to our re-INVITE cannot be used", "sip_call_id", d.req.CallID().Value(), "error", err)
		}
	}
	return res, nil
}

// ack makes the ACK of a 2xx: a transaction of its own with the number of the INVITE (RFC 3261 section 13.2.2.4).
func (d *Dialog) ack(invite *sip.Request) *sip.Request {
	d.mu.Lock()
	p := d.peer
	d.mu.Unlock()
	ack := sip.NewRequest(sip.ACK, sip.Uri{})
	ack.AppendHeader(d.via(&p))
	p.address(ack)
	for _, name := range []string{"From", "To", "Call-ID", "Max-Forwards", "User-Agent"} {
		sip.CopyHeaders(name, invite, ack)
	}
	ack.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.ACK})
	ack.SetBody(nil)
	d.s.leadOut(ack, p.source)
	return ack
}
