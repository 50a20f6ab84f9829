package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"

	"parley/internal/trunk/route"
)

// invalid says which key is wrong, with what, and what it wants.
func invalid(key, value, want string) error {
	return fmt.Errorf("setting %s is %q: %s", key, value, want)
}

// Check returns the first setting that cannot work, with what to write instead.
func (c *Config) Check() error {
	for _, a := range []struct{ key, addr string }{{"http", c.HTTP}, {"sip", c.SIP}, {"admin", c.Admin}} {
		if err := checkAddr(c.Dev, a.key, a.addr); err != nil {
			return err
		}
	}
	ip, _, _, err := c.Media()
	if err != nil {
		return err
	}
	if c.Dev && !ip.IsLoopback() {
		return invalid("media.ip", ip.String(), "--dev is for loopback addresses only: leave out --dev to be reachable from outside")
	}
	if c.TLS.Addr != "" {
		if err := checkAddr(c.Dev, "sip_tls.addr", c.TLS.Addr); err != nil {
			return err
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return invalid("sip_tls.cert, sip_tls.key", c.TLS.Cert+c.TLS.Key, "want both files or neither")
	}
	if n := len(c.AccessKey); n > 0 && n < 16 {
		return fmt.Errorf("setting access_key has %d characters: want 16 or more", n)
	}
	if n := len(c.API.TokenKey); n > 0 && n < 32 {
		return fmt.Errorf("setting api.token_key has %d bytes: want 32 or more", n)
	}
	if c.Data == "" {
		return invalid("data", "", "want a folder")
	}
	if err := c.checkWebhooks(); err != nil {
		return err
	}
	if err := c.checkCallsOut(); err != nil {
		return err
	}
	if err := c.checkChat(); err != nil {
		return err
	}
	return c.checkFigures()
}

func (c *Config) checkChat() error {
	if n := c.Chat.Text; n < 1 || n > 65536 {
		return invalid("chat.text", strconv.Itoa(n), "want 1 to 65536")
	}
	for key, n := range map[string]int{
		"chat.per_sender": c.Chat.PerSender, "chat.per_conference": c.Chat.PerConference, "api.media_streams_per_key": c.API.MediaStreamsPerKey,
	} {
		if n < 1 || n > 100_000 {
			return invalid(key, strconv.Itoa(n), "want 1 to 100000")
		}
	}
	return nil
}

func (c *Config) checkWebhooks() error {
	for _, text := range c.Webhooks.AllowTargets {
		if _, err := netip.ParsePrefix(text); err != nil {
			return invalid("webhooks.allow_targets", text, "want networks as ADDRESS/BITS, for example 10.1.0.0/16")
		}
	}
	if len(c.Webhooks.Schedule) == 0 {
		return invalid("webhooks.schedule", "", "want at least one wait, for example 0s,5s,5m")
	}
	for _, d := range c.Webhooks.Schedule {
		if d < 0 {
			return invalid("webhooks.schedule", d.String(), "want waits of 0s or more")
		}
	}
	for key, n := range map[string]int{"webhooks.workers": c.Webhooks.Workers, "webhooks.pending": c.Webhooks.Pending, "api.streams_per_key": c.API.StreamsPerKey} {
		if n < 1 {
			return invalid(key, strconv.Itoa(n), "want 1 or more")
		}
	}
	return nil
}

func (c *Config) checkCallsOut() error {
	for _, text := range c.CallsOut.AllowNumbers {
		if _, err := route.NewPolicy([]string{text}, nil, false); err != nil {
			return invalid("calls_out.allow_numbers", text, "want the beginning of numbers as +49, ! before it to deny, + for all")
		}
	}
	for _, text := range c.CallsOut.AllowSIP {
		if _, err := route.NewPolicy(nil, []string{text}, false); err != nil {
			return invalid("calls_out.allow_sip", text, "want a host name, *.example.com, an address, ADDRESS/BITS, or *")
		}
	}
	for key, n := range map[string]int{
		"calls_out.calls_per_minute": c.CallsOut.CallsPerMinute, "calls_out.concurrent": c.CallsOut.Concurrent, "calls_out.minutes_per_day": c.CallsOut.MinutesPerDay,
	} {
		if n < 0 {
			return invalid(key, strconv.Itoa(n), "want 0 (no limit) or more")
		}
	}
	return nil
}

func checkAddr(dev bool, key, addr string) error {
	if addr == "" && key == "admin" {
		return nil
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return invalid(key, addr, "want IP:PORT, for example 127.0.0.1:8080")
	}
	if dev && !at.Addr().IsLoopback() {
		return invalid(key, addr, "--dev is for loopback addresses only: leave out --dev to be reachable from outside")
	}
	return nil
}

func (c *Config) checkFigures() error {
	var level slog.Level
	switch {
	case level.UnmarshalText([]byte(c.Log.Level)) != nil:
		return invalid("log.level", c.Log.Level, "want debug, info, warn or error")
	case c.Log.Format != "text" && c.Log.Format != "json":
		return invalid("log.format", c.Log.Format, "want text or json")
	case c.Limits.MediaBusy <= 0 || c.Limits.MediaBusy > 1:
		return invalid("limits.media_busy", fmt.Sprint(c.Limits.MediaBusy), "want a share above 0 and at most 1")
	case c.Room.MaxParticipants < 1:
		return invalid("room.max_participants", fmt.Sprint(c.Room.MaxParticipants), "want 1 or more")
	case c.S3.Bucket != "" && c.S3.Endpoint == "":
		return invalid("s3.endpoint", "", "want host and port of the store that has the bucket")
	case c.Recording.MinFree < 1:
		return invalid("recording.min_free", fmt.Sprint(c.Recording.MinFree), "want 1 or more MiB")
	case c.Prompts.MaxSize < 1 || c.Prompts.Kept < 1:
		return invalid("prompts.max_size, prompts.kept", fmt.Sprintf("%d, %d", c.Prompts.MaxSize, c.Prompts.Kept), "want 1 or more MiB")
	case c.Room.HealthRetries < 0:
		return invalid("room.health_retries", fmt.Sprint(c.Room.HealthRetries), "want 0 or more")
	case c.Limits.Calls < 0:
		return invalid("limits.calls", fmt.Sprint(c.Limits.Calls), "want 0 (no limit) or more")
	case c.API.RateAddress < 0 || c.API.RateCustomer < 0:
		return invalid("api.rate_per_address, api.rate_per_customer", "negative", "want 0 (no limit) or more")
	}
	for key, d := range c.durations() {
		if d == 0 && key == "recording.retention" {
			continue // until they are deleted
		}
		if d <= 0 {
			return invalid(key, d.String(), "want a time above zero, for example 5s")
		}
	}
	return nil
}

// portRange reads LOW-HIGH with room for at least one pair of an even and an odd port.
func portRange(text string) (low, high uint16, err error) {
	a, b, ok := strings.Cut(text, "-")
	lo, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	hi, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if !ok || err1 != nil || err2 != nil || lo < 1024 || hi <= lo {
		return 0, 0, invalid("media.ports", text, "want LOW-HIGH, both between 1024 and 65535, for example 20000-29999")
	}
	return uint16(lo), uint16(hi), nil
}
