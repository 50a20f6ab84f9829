package server

import (
	"fmt"
	"net/netip"
	"strconv"

	"parley/internal/sip"
	"parley/internal/sip/certificate"
	"parley/internal/sip/digest"
	"parley/internal/sip/registrar"
	"parley/internal/sip/sanity"
)

// openPhones makes the SIP door with authentication, registrar and checks.
func (p *parts) openPhones() (err error) {
	s := p.c.Session
	p.registrar = registrar.New(registrar.Options{
		Authority: digest.New(digest.Options{Realm: s.Realm, Life: s.NonceLife}),
		Lookup:    registrar.Stored(p.store),
	})
	secure, err := p.openTLS()
	if err != nil {
		return err
	}
	p.phones, err = sip.Open(sip.Options{
		Addr: p.c.SIP, TLS: secure, Exchange: sip.Lines(p.lines), Log: p.log,
		Check: sanity.Check, Authenticate: p.authenticate, Register: p.registrar.Register, Message: p.message, Contacts: p.registrar.Contacts,
		Timing: sip.Timing{SessionExpires: s.Expires, MinSE: s.MinExpires},
		Limits: sip.Limits{InviteRate: p.c.Limits.InviteRate, Idle: p.c.Limits.SIPIdle},
	})
	if err == nil {
		p.lines.Use(p.phones)
		p.registerAtTrunks()
	}
	return err
}

// openTLS reads the certificate of SIP over TLS. In --dev there is one of our own, which nobody vouches for.
func (p *parts) openTLS() (o sip.TLS, err error) {
	c := p.c.TLS
	o.Addr = c.Addr
	if c.CA != "" {
		if o.Roots, err = certificate.Roots(c.CA); err != nil {
			return o, fmt.Errorf("setting sip_tls.ca: %w", err)
		}
	}
	cert, key := c.Cert, c.Key
	switch {
	case cert == "" && !p.c.Dev:
		return o, nil
	case cert == "":
		o.Spare = c.Addr == ""
		at, err := netip.ParseAddrPort(p.c.SIP)
		if err != nil {
			return o, fmt.Errorf("setting sip: %w", err)
		}
		if cert, key, err = certificate.Own(p.c.Data, at.Addr()); err != nil {
			return o, fmt.Errorf("certificate of SIP over TLS: %w", err)
		}
	}
	files, err := certificate.Open(cert, key, p.log)
	if err != nil {
		return o, fmt.Errorf("settings sip_tls.cert, sip_tls.key: %w", err)
	}
	o.Certificate = files.Get
	return o, nil
}

// samples are the figures of all parts at a scrape.
func (p *parts) samples() []sample {
	out := mediaSamples(p.engine.Stats())
	st := p.store.database.Stats()
	rooms := p.rooms.Stats()
	phones := p.phones.Stats()
	out = append(
		out,
		gauge("conferences_live", "Conferences with a room on this node.", float64(rooms.Rooms)),
		gauge("participants", "Participants in them.", float64(rooms.Seats)),
		gauge("calls", "Live calls.", float64(p.lines.Live())),
		gauge("flows", "Runs of flows, on calls and on none.", float64(p.flows.Live())),
		gauge("sip_dialogs", "Live SIP dialogs.", float64(phones.Dialogs)),
		counter("sip_invites_refused_total", "INVITEs turned away by limits or while stopping.", phones.Refused),
		counter("sip_messages_dropped_total", "Datagrams, messages and connections thrown away before parsing.", phones.Dropped),
		counter("sip_messages_checked_total", "Malformed messages that were answered before parsing.", phones.Checked),
		counter("sip_responses_stray_total", "Responses that belong to no request of ours.", phones.Strays),
		counter("store_appends_total", "Changes committed.", st.Appends),
		counter("store_refused_total", "Changes that a rule of the store refused.", st.Refused),
		counter("store_failed_total", "Changes that could not be written.", st.Failed),
		counter("store_transactions_total", "Transactions that wrote changes.", st.Batches),
		counter("store_append_microseconds_total", "Sum of the time from an append to its end.", st.Latency.Microseconds()),
		gauge("store_queue", "Changes waiting to be written.", float64(st.Queue)),
	)
	for method, n := range phones.Requests {
		out = append(out, counter("sip_requests_total", "SIP requests received, by method.", n, "method", method))
	}
	for class, n := range phones.Responses {
		if n > 0 {
			out = append(out, counter("sip_responses_total", "SIP responses sent, by class.", n, "class", strconv.Itoa(class)+"xx"))
		}
	}
	out = append(out, p.webhookSamples()...)
	out = append(out, p.trunkSamples()...)
	out = append(out, p.guestSamples()...)
	out = append(out, p.recordingSamples()...)
	answers, inFlight, panics := p.door.Stats()
	out = append(out, gauge("api_requests_in_flight", "API requests under way.", float64(inFlight)), counter("api_panics_total", "API requests that failed by a fault of ours.", panics))
	for _, a := range answers {
		out = append(out, counter("api_requests_total", "API answers, by route and status.", a.Answers, "route", a.Route, "status", fmt.Sprint(a.Status)))
	}
	return out
}
