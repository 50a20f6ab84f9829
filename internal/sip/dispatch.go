package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/field"
	"parley/internal/sip/replaces"
	"parley/internal/sip/stack"
)

// fresh marks an INVITE that starts a dialog. The field is free in requests that were received.
const fresh = "fresh"

// seen is where the transport layer hands each message over first, in the order of each connection.
func (s *Server) seen(m sip.Message) {
	if res, ok := m.(*sip.Response); ok {
		if cseq := res.CSeq(); cseq != nil && cseq.MethodName == sip.INVITE && res.StatusCode < 300 {
			if c := s.book.caller(res); c != nil {
				c.Heard(res)
			}
		}
		return
	}
	tagInvite(m)
}

// tagInvite gives an INVITE without To tag the tag of the dialog that it may become, before the transaction layer sees it: every response,
// the layer's own 487 to a CANCEL included, then carries the same tag (RFC 3261 section 8.2.6.2), and nothing changes the request later.
func tagInvite(m sip.Message) {
	req, ok := m.(*sip.Request)
	if !ok || req.Method != sip.INVITE {
		return
	}
	if to := req.To(); to != nil && field.Tag(to.Params) == "" {
		to.Params.Add("tag", sip.GenerateTagN(20))
		req.Laddr.Hostname = fresh
	}
}

// serve is where the transaction layer hands requests over, each in a goroutine of its own.
func (s *Server) serve(req *sip.Request, tx *sip.ServerTx) {
	if !s.stack.Work.Enter() {
		tx.Terminate()
		return
	}
	defer s.stack.Work.Leave()
	s.stats.request(string(req.Method))
	s.dispatch(req, tx)
	tx.TerminateGracefully() // also frees what was not answered, as ACK
}

func (s *Server) dispatch(req *sip.Request, tx *sip.ServerTx) {
	if req.Method == sip.ACK {
		if d := s.book.find(req); d != nil {
			d.Acked(req)
		}
		return
	}
	if v := s.inspect(req); v != nil {
		s.stack.Reply(req, tx, v.Code, v.Headers...)
		return
	}
	d := s.book.find(req)
	switch {
	case req.Method == sip.INVITE && req.Laddr.Hostname == fresh:
		s.invite(req, tx)
	case d != nil:
		d.Within(req, tx)
	case field.Tag(req.To().Params) != "" || !opens[req.Method]:
		s.stack.Reply(req, tx, 481)
	case req.Method == sip.MESSAGE:
		s.message(req, tx)
	case req.Method == sip.REFER: // whom it concerns it does not say
		s.stack.Reply(req, tx, 403)
	case req.Method == sip.OPTIONS:
		s.stack.Reply(req, tx, 200, s.stack.Abilities()...)
	case req.Method == sip.REGISTER:
		res := s.o.Register(req, field.Source(req))
		_ = s.stack.Send(tx, res)
	}
}

// opens are the methods that make sense outside a dialog.
var opens = map[sip.RequestMethod]bool{sip.OPTIONS: true, sip.REGISTER: true, sip.MESSAGE: true, sip.REFER: true}

// inspect refuses what no method can do anything with, in the order of RFC 3261 section 8.2. Max-Forwards is not looked at: it binds who
// forwards, and this server is always the target.
func (s *Server) inspect(req *sip.Request) *stack.Verdict {
	switch {
	case !strings.EqualFold(req.SipVersion, "SIP/2.0"):
		return stack.Refuse(505)
	case req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil:
		return stack.Refuse(400)
	case !strings.EqualFold(string(req.CSeq().MethodName), string(req.Method)): // the parser has raised the one of the request line
		return stack.Refuse(400)
	case !understood[string(req.Method)]:
		return stack.Refuse(501, s.stack.Allow())
	case !s.takes(req.Method):
		return stack.Refuse(405, s.stack.Allow())
	case req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips":
		return stack.Refuse(416)
	case req.Method == sip.CANCEL: // RFC 3261 section 9.2: no Require in it
		return nil
	}
	var unknown []string
	for _, tag := range field.Values(req, "require") {
		if !strings.EqualFold(tag, "100rel") && !strings.EqualFold(tag, "timer") && !strings.EqualFold(tag, replaces.Tag) {
			unknown = append(unknown, tag)
		}
	}
	if len(unknown) > 0 {
		return stack.Refuse(420, sip.NewHeader("Unsupported", strings.Join(unknown, ", ")))
	}
	return s.inspectBody(req)
}

func (s *Server) takes(m sip.RequestMethod) bool {
	switch m {
	case sip.INVITE, sip.CANCEL, sip.BYE, sip.OPTIONS, sip.INFO, sip.PRACK, sip.UPDATE, sip.REFER, sip.NOTIFY, sip.MESSAGE:
		return true
	case sip.REGISTER:
		return s.o.Register != nil
	}
	return false
}

// inspectBody refuses bodies that the method has no use for (RFC 3261 section 8.2.3).
func (s *Server) inspectBody(req *sip.Request) *stack.Verdict {
	want := ""
	switch req.Method {
	case sip.INVITE, sip.UPDATE:
		want = field.SDP
		if !field.AcceptsSDP(req) {
			return stack.Refuse(406)
		}
	case sip.INFO:
		want = field.DTMFRelay + ", " + field.DTMF
	case sip.MESSAGE:
		if len(req.Body()) > s.o.Limits.Message {
			return stack.Refuse(413)
		}
	}
	if len(req.Body()) == 0 || want == "" && req.Method != sip.MESSAGE {
		return nil
	}
	if enc := field.First(req, "content-encoding", "e"); enc != "" && !strings.EqualFold(enc, "identity") {
		return stack.Refuse(415, sip.NewHeader("Accept-Encoding", "identity"))
	}
	for t := range strings.SplitSeq(want, ", ") {
		if field.MediaType(req) == t || want == "" {
			return nil
		}
	}
	return stack.Refuse(415, sip.NewHeader("Accept", want))
}
