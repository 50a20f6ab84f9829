package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// place is one address that the server wants to listen at.
type place struct{ setting, network, addr string }

func (v *visit) places() []place {
	c := &v.c
	out := []place{{"http", "tcp", c.HTTP}, {"sip", "udp", c.SIP}, {"sip", "tcp", c.SIP}}
	if c.Admin != "" {
		out = append(out, place{"admin", "tcp", c.Admin})
	}
	if c.TLS.Cert != "" {
		addr := c.TLS.Addr
		if at, err := netip.ParseAddrPort(c.SIP); addr == "" && err == nil {
			addr = netip.AddrPortFrom(at.Addr(), at.Port()+1).String()
		}
		out = append(out, place{"sip_tls.addr", "tcp", addr})
	}
	return out
}

// addresses looks whether each address is free, or who has it.
func (v *visit) addresses() {
	for _, p := range v.places() {
		check := p.setting + " " + p.addr + "/" + p.network
		err := bind(p.network, p.addr)
		switch {
		case err == nil:
			v.ok(check, "free")
		case errors.Is(err, syscall.EADDRINUSE):
			who, pid := v.holder(p.network, p.addr)
			switch {
			case who == "parley":
				v.ok(check, "parley listens (process %d)", pid)
			case who != "":
				v.fail(check, fmt.Sprintf("stop it, or name another address with the setting %s", p.setting), "taken by %s (process %d)", who, pid)
			default:
				v.warn(check, "see who has it with: ss -lntup; if that is not this server, stop it or change the setting "+p.setting, "taken, by a process of another user or network namespace")
			}
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			v.fail(check, "name an address that 'ip addr' shows, with the setting "+p.setting, "not an address of this machine")
		case errors.Is(err, syscall.EACCES):
			v.fail(check, "take a port above 1023, or give the server CAP_NET_BIND_SERVICE", "this user may not have the port")
		default:
			v.fail(check, "change the setting "+p.setting, "%v", err)
		}
	}
}

// bind tries to have an address, and gives it back.
func bind(network, addr string) error {
	if network == "udp" {
		c, err := net.ListenPacket(network, addr)
		if err == nil {
			c.Close()
		}
		return err
	}
	l, err := net.Listen(network, addr)
	if err == nil {
		l.Close()
	}
	return err
}

// holder finds the process that listens at an address: its socket by the kernel's table, then who has that open.
func (v *visit) holder(network, addr string) (name string, pid int) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return "", 0
	}
	inodes := map[string]bool{}
	for _, file := range []string{network, network + "6"} {
		for _, s := range v.sockets(file) {
			if s.port == at.Port() && (network == "udp" || s.state == "0A") {
				inodes["socket:["+s.inode+"]"] = true
			}
		}
	}
	links, _ := filepath.Glob(filepath.Join(v.proc, "[0-9]*/fd/*"))
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || !inodes[to] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
		pid, _ = strconv.Atoi(filepath.Base(dir))
		return strings.TrimSpace(string(comm)), pid
	}
	return "", 0
}

// socket is a line of /proc/net/tcp or udp.
type socket struct {
	port         uint16
	state, inode string
}

func (v *visit) sockets(file string) (out []socket) {
	text, err := os.ReadFile(filepath.Join(v.proc, "net", file))
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		_, port, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(port, 16, 16); err == nil {
			out = append(out, socket{uint16(n), f[3], f[9]})
		}
	}
	return out
}

// reach looks whether phones can get at the addresses that they are told.
func (v *visit) reach() {
	media, _, _, err := v.c.Media()
	if err != nil {
		v.fail("reach", "set media.ip", "%v", err)
		return
	}
	sip, err := netip.ParseAddrPort(v.c.SIP)
	if err != nil {
		v.fail("reach", "set sip", "%v", err)
		return
	}
	if err := bind("udp", netip.AddrPortFrom(media, 0).String()); err != nil {
		v.fail("reach", "set media.ip to an address that 'ip addr' shows; behind a NAT, give this machine the public address or a route to the phones", "media.ip %s is not an address of this machine", media)
		return
	}
	switch {
	case media.IsLoopback() && !sip.Addr().IsLoopback():
		v.fail("reach", "set media.ip to an address that phones reach", "phones reach SIP at %s, but are told to send audio to %s, which is themselves", sip, media)
	case media.IsLoopback() && v.c.Dev:
		v.ok("reach", "only from this machine (%s): --dev", media)
	case media.IsLoopback():
		v.warn("reach", "set --sip and --http to an address of this machine: 'parley serve --sip 192.0.2.10:5060 …'", "only from this machine: a phone elsewhere cannot reach %s", media)
	case media.IsPrivate() || media.IsLinkLocalUnicast():
		v.warn("reach", "for phones elsewhere: a VPN, or an address of this machine that they reach", "only from networks that reach %s: it is a private address", media)
	default:
		v.ok("reach", "phones are told %s", media)
	}
}

// mediaPorts looks at the width of the range, and who else is in it.
func (v *visit) mediaPorts() {
	_, low, high, err := v.c.Media()
	if err != nil {
		return // told by reach
	}
	pairs := (int(high) - int(low) + 1) / 2
	others := 0
	for _, s := range append(v.sockets("udp"), v.sockets("udp6")...) {
		if s.port >= low && s.port <= high {
			others++
		}
	}
	for _, p := range v.places() {
		if at, err := netip.ParseAddrPort(p.addr); err == nil && p.network == "udp" && at.Port() >= low && at.Port() <= high {
			v.fail("media ports", "move "+p.setting+" or media.ports", "%s is within %d-%d", p.addr, low, high)
			return
		}
	}
	most := v.c.Limits.Calls
	switch {
	case most > pairs:
		v.warn("media ports", "widen media.ports, or lower limits.calls", "%d-%d is enough for %d calls, limits.calls is %d", low, high, pairs, most)
	case pairs < 100:
		v.warn("media ports", "widen media.ports", "%d-%d is enough for %d calls", low, high, pairs)
	default:
		v.ok("media ports", "%d-%d is enough for %d calls; %d in use just now", low, high, pairs, others)
	}
	if text, err := os.ReadFile(filepath.Join(v.proc, "sys/net/ipv4/ip_local_port_range")); err == nil {
		var from, to int
		if _, err := fmt.Sscan(string(text), &from, &to); err == nil && from <= int(high) && to >= int(low) {
			v.warn("media ports", "move media.ports, or set net.ipv4.ip_local_reserved_ports", "other programs are given ports %d-%d by the kernel, which overlap", from, to)
		}
	}
}
