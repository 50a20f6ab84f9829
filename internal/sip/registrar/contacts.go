package registrar

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/emiago/sipgo/sip"

	"parley/internal/fault"
	"parley/internal/line"
)

// Contacts is for sip.Options: where an extension of the customer can be called, the most preferred first. An extension that is gone is
// forgotten.
func (r *Registrar) Contacts(ctx context.Context, customerID, extension string) ([]line.Outgoing, error) {
	ext, err := r.o.Lookup(ctx, extension)
	switch {
	case fault.KindOf(err) == fault.NotFound && err != nil:
		r.Forget(extension)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look up extension %q: %w", extension, err)
	case ext.CustomerID != customerID:
		return nil, nil
	}
	bindings := r.Lookup(extension)
	out := make([]line.Outgoing, 0, len(bindings))
	for i := range bindings {
		o := bindings[i].outgoing()
		o.Secure, o.Plain = ext.SRTP == "optional" || ext.SRTP == "required", ext.SRTP == "optional"
		out = append(out, o)
	}
	return out, nil
}

// outgoing is how to call a binding: the Contact, by the connection that it registered over, or by the address that it registered from when
// its Contact cannot be reached.
func (b *Binding) outgoing() line.Outgoing {
	to := b.Contact.Clone()
	to.Headers = nil
	out := line.Outgoing{To: to.String()}
	if b.Source.IsValid() && (b.Transport != "UDP" || b.behind()) {
		host := b.Source.Addr().Unmap()
		via := sip.Uri{Scheme: "sip", Host: host.String(), Port: int(b.Source.Port())}
		if host.Is6() {
			via.Host = "[" + via.Host + "]"
		}
		via.UriParams.Add("transport", strings.ToLower(b.Transport))
		out.Via = via.String()
	}
	return out
}

// behind tells that a phone stands behind a translator: its Contact names another address than the one that it sends from.
func (b *Binding) behind() bool {
	ip, err := netip.ParseAddr(strings.Trim(b.Contact.Host, "[]"))
	return err != nil || ip.Unmap() != b.Source.Addr().Unmap()
}
