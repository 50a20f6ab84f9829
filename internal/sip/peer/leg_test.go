package peer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"parley/internal/sip/stack"
)

func invite(t *testing.T, rows ...string) *sip.Request {
	t.Helper()
	m, err := sip.ParseMessage([]byte("INVITE sip:room@127.0.0.1 SIP/2.0\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\n" + strings.Join(rows, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	m.SetTransport("UDP")
	m.SetSource("203.0.113.9:40000")
	return m.(*sip.Request)
}

// TestWayBack checks where a request in the dialog goes, as request line, Route headers, transport and destination.
func TestWayBack(t *testing.T) {
	const via = "Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKx;rport"
	cases := []struct {
		name string
		rows []string
		want string
	}{
		{"straight", []string{"Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKx", "Contact: <sip:a@203.0.113.9:5070>"}, "sip:a@203.0.113.9:5070 [] UDP 203.0.113.9:5070"},
		{"default port", []string{via, "Contact: <sip:a@203.0.113.9>"}, "sip:a@203.0.113.9 [] UDP 203.0.113.9:5060"},
		{"another host, not translated", []string{"Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKx", "Contact: <sip:a@10.0.0.5>"}, "sip:a@10.0.0.5 [] UDP 10.0.0.5:5060"},
		{"translated", []string{via, "Contact: <sip:a@10.0.0.5:5060>"}, "sip:a@10.0.0.5:5060 [] UDP 203.0.113.9:40000"},
		{"name", []string{via, "Contact: <sip:a@phone.example.com;transport=tcp>"}, "sip:a@phone.example.com;transport=tcp [] TCP phone.example.com:5060"},
		{"by a proxy", []string{via, "Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKy", "Contact: <sip:a@10.0.0.5>"}, "sip:a@10.0.0.5 [] UDP 10.0.0.5:5060"},
		{
			"loose routes",
			[]string{via, "Record-Route: <sip:p1@192.0.2.1:5062;lr;transport=TCP>, <sip:192.0.2.2;lr>", "Contact: <sip:a@10.0.0.5>"},
			"sip:a@10.0.0.5 [<sip:p1@192.0.2.1:5062;lr;transport=TCP> <sip:192.0.2.2;lr>] TCP 192.0.2.1:5062",
		},
		{
			"a strict router",
			[]string{via, "Record-Route: <sip:192.0.2.1>", "Record-Route: <sip:192.0.2.2;lr>", "Contact: <sip:a@10.0.0.5>"},
			"sip:192.0.2.1 [<sip:192.0.2.2;lr> <sip:a@10.0.0.5>] UDP 192.0.2.1:5060",
		},
		{"IPv6", []string{via, "Contact: <sip:a@[2001:db8::9]:5070>", "Record-Route: <sip:[2001:db8::1];lr>"}, "sip:a@[2001:db8::9]:5070 [<sip:[2001:db8::1];lr>] UDP [2001:db8::1]:5060"},
	}
	for _, c := range cases {
		p := Of(invite(t, c.rows...))
		req := sip.NewRequest(sip.BYE, sip.Uri{})
		p.address(req)
		var routes []string
		for _, h := range req.GetHeaders("route") {
			routes = append(routes, h.Value())
		}
		hop := p.Hop()
		if hop.Port == 0 {
			hop.Port = sip.DefaultPort(hop.Network)
		}
		if got := fmt.Sprintf("%s %v %s %s", req.Recipient.String(), routes, hop.Network, stack.Address(hop.Host, hop.Port)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestAllowDecidesOnUPDATE(t *testing.T) {
	const rest = "Contact: <sip:a@203.0.113.9>"
	p := Of(invite(t, "Via: SIP/2.0/UDP h;branch=z9hG4bKx", rest))
	if p.Update {
		t.Error("UPDATE without Allow")
	}
	p.Refresh(invite(t, "Via: SIP/2.0/UDP h;branch=z9hG4bKx", rest, "Allow: INVITE, update", "Allow: BYE"))
	if !p.Update {
		t.Error("Allow names UPDATE")
	}
	p.Refresh(invite(t, "Via: SIP/2.0/UDP h;branch=z9hG4bKx", rest))
	if !p.Update {
		t.Error("a request without Allow says nothing")
	}
}
