package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"parley/internal/line"
	"parley/internal/line/leg"
	"parley/internal/webhook/target"
)

// openCalls makes what performs flows, and the exchange of calls.
func (p *parts) openCalls() {
	p.openFlows()
	p.lines = line.New(line.Options{
		Store: p.store, Rooms: p.rooms, Media: leg.Engine(p.engine), Flows: p.flows, Prompts: p.prompts, Tapes: p.desk, Trunks: p.trunks, Chat: texts{p.guests.chat}, Log: p.log,
		Outside: target.New(p.allowed()), AllowAnonymous: p.c.Dev, Local: p.local, MaxCalls: p.c.Limits.Calls, MediaTimeout: p.c.Room.MediaTimeout,
	})
}

// recoverCalls ends calls of a dead process, and the flows that ran on them.
func (p *parts) recoverCalls(ctx context.Context) error {
	if err := p.lines.Recover(ctx); err != nil {
		return fmt.Errorf("recover calls: %w", err)
	}
	if err := p.flows.Recover(ctx); err != nil {
		return fmt.Errorf("recover flows: %w", err)
	}
	return nil
}

// local reports whether the host of a SIP address is this server: the address that it listens on, or one of the machine's when that is any.
func (p *parts) local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	own, err := netip.ParseAddrPort(p.c.SIP)
	if err != nil {
		return false
	}
	given, err := netip.ParseAddr(strings.Trim(host, "[]"))
	switch {
	case err != nil:
		return strings.EqualFold(host, "localhost") && own.Addr().IsLoopback()
	case !own.Addr().IsUnspecified():
		return given.Unmap() == own.Addr().Unmap()
	}
	addrs, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addrs, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(given.AsSlice())
	})
}
