package server

import (
	"net/netip"

	apichat "parley/internal/api/chat"
	"parley/internal/api/feed"
	"parley/internal/api/hooks"
	"parley/internal/api/rest"
	"parley/internal/webhook"
)

// allowed are the networks that are called although they are not public.
func (p *parts) allowed() []netip.Prefix {
	list := p.c.Webhooks.AllowTargets
	allow := make([]netip.Prefix, 0, len(list)+2)
	for _, text := range list {
		allow = append(allow, netip.MustParsePrefix(text)) // checked by config
	}
	if p.c.Dev {
		allow = append(allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return allow
}

// openReaders makes the readers of the log: webhooks and live streams. It returns their routes.
func (p *parts) openReaders() []rest.Route {
	c := p.c.Webhooks
	p.webhooks = webhook.New(webhook.Options{
		Store: p.store, Log: p.log, Allow: p.allowed(), Schedule: c.Schedule, Timeout: c.Timeout, DisableAfter: c.DisableAfter, Keep: c.Keep,
		Workers: c.Workers, Pending: c.Pending,
	})
	p.feed = feed.New(feed.Options{Store: p.store, Log: p.log, PerKey: p.c.API.StreamsPerKey, Say: apichat.New(p.guests.chat).Say})
	return append(hooks.New(p.store, p.webhooks).Routes(), p.feed.Routes()...)
}

// webhookSamples are the figures of webhooks and streams.
func (p *parts) webhookSamples() []sample {
	s := p.webhooks.Stats()
	return []sample{
		gauge("webhook_endpoints", "Webhook endpoints that are served.", float64(s.Endpoints)),
		gauge("webhook_endpoints_failing", "Those of them whose last attempt failed.", float64(s.Failing)),
		gauge("webhook_pending", "Events that wait for an endpoint.", float64(s.Pending)),
		gauge("webhook_backlog_seconds", "Age of the oldest of them.", s.Backlog.Seconds()),
		counter("webhook_attempts_total", "Attempts to deliver, by outcome.", s.Delivered, "outcome", "delivered"),
		counter("webhook_attempts_total", "Attempts to deliver, by outcome.", s.Failed, "outcome", "failed"),
		counter("webhook_dead_letters_total", "Deliveries that were given up.", s.Dead),
		gauge("event_streams", "Open WebSockets and event streams.", float64(p.feed.Open())),
	}
}
