package registrar

import (
	"net/netip"
	"strings"
	"testing"

	"parley/internal/fault"
)

func TestContacts(t *testing.T) {
	b := newBench(t)
	call := func(customer, extension string) string {
		t.Helper()
		got, err := b.r.Contacts(t.Context(), customer, extension)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, o := range got {
			text += o.To + " by " + o.Via + "; "
		}
		return text
	}
	if got := call("c-1001", "1001"); got != "" {
		t.Errorf("before it registers: %q", got)
	}
	b.register("Contact: <sip:far@192.168.1.2:5062>;q=0.5")
	b.register("Contact: <sip:near@127.0.0.1:5080;transport=udp?X=y>")
	want := "sip:near@127.0.0.1:5080;transport=udp by ; sip:far@192.168.1.2:5062 by sip:127.0.0.1:5070;transport=udp; "
	if got := call("c-1001", "1001"); got != want {
		t.Errorf("contacts\n%q, want\n%q", got, want)
	}
	req := b.request("Contact: <sip:tcp@127.0.0.1:5080;transport=tcp>", "Call-ID: two")
	req.SetTransport("TCP")
	b.r.Register(b.signed(req, "1001", "secret", 0), netip.MustParseAddrPort("[::ffff:127.0.0.1]:40000"))
	if got := call("c-1001", "1001"); !strings.HasPrefix(got, "sip:tcp@127.0.0.1:5080;transport=tcp by sip:127.0.0.1:40000;transport=tcp;") {
		t.Errorf("over TCP %q", got)
	}
	if got := call("c-1002", "1001") + call("c-1001", "nobody"); got != "" {
		t.Errorf("another customer sees %q", got)
	}
	b.down = fault.New(fault.Unavailable, "X", "down")
	if _, err := b.r.Contacts(t.Context(), "c-1001", "1001"); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a store: %v", err)
	}
	b.down = fault.New(fault.NotFound, "X", "deleted")
	if got := call("c-1001", "1001"); got != "" {
		t.Errorf("deleted: %q", got)
	}
	b.down = nil
	if got := call("c-1001", "1001"); got != "" {
		t.Errorf("deleted and made again: %q", got)
	}
}
