package loop

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/internal/audio"
	"parley/internal/fault"
	"parley/internal/loop/pace"
)

func toneAt(hz float64, rate int) *audio.Tone { return audio.NewTone(hz, -20, rate, 0) }

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      Options
		reason string
	}{
		{"no address", Options{Low: 20000, High: 20010}, "MEDIA_ADDRESS_INVALID"},
		{"unspecified", Options{IP: netip.IPv4Unspecified(), Low: 20000, High: 20010}, "MEDIA_ADDRESS_INVALID"},
		{"no ports", Options{IP: loopback}, "MEDIA_PORTS_INVALID"},
		{"no pair", Options{IP: loopback, Low: 20001, High: 20002}, "MEDIA_PORTS_INVALID"},
		{"reversed", Options{IP: loopback, Low: 20010, High: 20000}, "MEDIA_PORTS_INVALID"},
		{"loops", Options{IP: loopback, Low: 20000, High: 20010, Loops: -1}, "MEDIA_LOOPS_INVALID"},
		{"busy below", Options{IP: loopback, Low: 20000, High: 20010, Busy: -0.1}, "MEDIA_BUSY_INVALID"},
		{"busy above", Options{IP: loopback, Low: 20000, High: 20010, Busy: 1.1}, "MEDIA_BUSY_INVALID"},
	} {
		if _, err := Open(c.o); fault.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if e, err := Open(Options{IP: loopback, Low: 65533, High: 65535}); err != nil || e.ports.Len() != 1 || len(e.loops) == 0 || e.loops[0].load.Limit != 0.75 {
		t.Errorf("the highest pair: %v", err)
	}
}

// TestPorts hands out even ports in turn, around those that others hold, until none is left.
func TestPorts(t *testing.T) {
	e := openEngine(t, 1, 10)
	defer e.closeSockets()
	first := uint16(nextPorts - 10)
	taken, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(first) + 3}) // the RTCP port of the second pair
	if err != nil {
		t.Skip(err)
	}
	var sessions []*Session
	for _, want := range []uint16{0, 4, 6, 8} {
		s, err := e.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if s.Local() != netip.AddrPortFrom(loopback, first+want) {
			t.Errorf("local %v, want port %d", s.Local(), first+want)
		}
		sessions = append(sessions, s)
	}
	_, err = e.NewSession()
	if fault.KindOf(err) != fault.Exhausted || fault.ReasonOf(err) != "MEDIA_PORTS_EXHAUSTED" {
		t.Errorf("a fifth session: %v", err)
	}
	sessions[2].Close()
	sessions[2].Close()
	taken.Close()
	for _, want := range []uint16{6, 2} { // in turn after the last that was tried
		s, err := e.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if s.Local().Port() != first+want {
			t.Errorf("port %v, want %d", s.Local(), first+want)
		}
	}
	if e.counted() != 5 {
		t.Errorf("%d sessions", e.counted())
	}
}

// TestLostFrames gives frames up: the stream's clock goes on as if they had been played, and nothing is sent twice.
func TestLostFrames(t *testing.T) {
	r := newRig(t, 1)
	p := newPeer(t, 440)
	r.enter(r.e.NewRoom(), r.session(p, "PCMU"), PortOptions{})
	r.talk(3, p)
	r.e.loops[0].lost += 7
	r.talk(3, p)
	want := []uint32{0, 160, 320, 160 * 10, 160 * 11, 160 * 12}
	if len(p.stamps) != len(want) {
		t.Fatalf("%d packets", len(p.stamps))
	}
	for i, ts := range p.stamps {
		if ts-p.stamps[0] != want[i] {
			t.Errorf("packet %d at %d, want %d", i, ts-p.stamps[0], want[i])
		}
	}
}

// TestRun runs real threads: audio flows, the end says goodbye, and afterwards nothing hangs.
func TestRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := openEngine(t, 2, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	s, err := e.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	p, q := newPeer(t, 440), newPeer(t, 0)
	p.to = net.UDPAddrFromAddrPort(s.Local())
	applied := make(chan error, 1)
	go func() { applied <- s.Apply(p.media("PCMU")) }() // asked for before Run
	go func() { ran <- e.Run(ctx) }()
	wait(t, applied)
	room := e.NewRoom()
	port, err := room.Enter(s, PortOptions{Tag: "p"})
	if err != nil {
		t.Fatal(err)
	}
	s2, err := e.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s2.Apply(q.media("PCMU")); err != nil {
		t.Fatal(err)
	}
	if _, err := room.Enter(s2, PortOptions{Tag: "q"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Admit(); err != nil {
		t.Errorf("two sessions are too much: %v", err)
	}
	buf := make([]byte, 2048)
	for len(q.stamps) < 25 { // each packet that comes triggers the next frame, so it is paced by the loop
		p.speak()
		if !q.take(buf, 10*time.Second) {
			t.Fatal("no audio for ten seconds")
		}
	}
	if err := e.Run(ctx); fault.ReasonOf(err) != "MEDIA_ENGINE_RAN" {
		t.Errorf("ran twice: %v", err)
	}
	cancel()
	if err := wait(t, ran); err != nil {
		t.Error(err)
	}
	for q.other == 0 {
		if !q.take(buf, 10*time.Second) {
			t.Fatal("no goodbye")
		}
	}
	port.Set(PortOptions{})
	port.Leave()
	if err := s.Apply(p.media("PCMU")); fault.ReasonOf(err) != "MEDIA_STOPPED" {
		t.Errorf("applied after the end: %v", err)
	}
	if _, err := e.NewSession(); fault.ReasonOf(err) != "MEDIA_STOPPED" {
		t.Errorf("a session after the end: %v", err)
	}
	room.Close()
	for range room.Facts() {
	}
	s.Close()
	s2.Close()
	if stats := e.Stats(); stats.Sessions != 0 || len(stats.Loops) != 2 {
		t.Errorf("stats %+v", stats)
	}
	p.conn.Close()
	q.conn.Close()
}

func wait(t *testing.T, c <-chan error) error {
	t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("nothing happens")
		return nil
	}
}

// TestQueueFull has nobody's command dropped.
func TestQueueFull(t *testing.T) {
	l := newLoop(pace.Clock{}, busyLimit)
	n := 0
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		for range queueLength + 10 {
			l.post(func() error { n++; return nil })
		}
	}()
	for n < queueLength+10 {
		if l.queue.Len() == queueLength || n > 0 {
			before := n
			l.obey()
			if n-before > commandsPerSlot {
				t.Fatalf("%d commands in a slot", n-before)
			}
		}
	}
	<-posted
	if l.queue.Waits() == 0 {
		t.Error("waiting was not counted")
	}
}

func TestAdmit(t *testing.T) {
	e := openEngine(t, 2, 20)
	defer e.closeSockets()
	if err := e.Admit(); err != nil {
		t.Fatal(err)
	}
	busy := func(l *loop, share float64, late time.Duration) {
		for range 3000 {
			l.load.Account(late, time.Duration(share*float64(pace.Slot)), 0, 100)
		}
	}
	busy(e.loops[0], 0.95, 0)
	if err := e.Admit(); err != nil {
		t.Errorf("one loop is free: %v", err)
	}
	if l := e.NewRoom().loop; l != e.loops[1] {
		t.Error("a room on the busy loop")
	}
	s, err := e.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	full := &Room{loop: e.loops[0]}
	if _, err := full.Enter(s, PortOptions{}); fault.ReasonOf(err) != "OVERLOADED" {
		t.Errorf("entered a full loop: %v", err)
	}
	busy(e.loops[1], 0.749, 0)
	if err := e.Admit(); fault.KindOf(err) != fault.Unavailable || fault.ReasonOf(err) != "OVERLOADED" {
		t.Errorf("both are busy: %v", err)
	}
	busy(e.loops[1], 0.1, 30*time.Millisecond)
	if err := e.Admit(); fault.ReasonOf(err) != "OVERLOADED" {
		t.Errorf("slots are late: %v", err)
	}
	busy(e.loops[1], 0.1, time.Millisecond)
	if err := e.Admit(); err != nil {
		t.Errorf("recovered: %v", err)
	}
	busy(e.loops[1], 0.93, 0)
	for _, limit := range []float64{0.5, 0.9, 0.95, 1} {
		e.loops[1].load.Limit = limit
		if err := e.Admit(); (err == nil) != (limit > 0.93) {
			t.Errorf("93 %% busy, limit %v: %v", limit, err)
		}
		if got := e.loops[1].load.Full(); got != (limit <= 0.9) {
			t.Errorf("93 %% busy, limit %v: full is %v", limit, got)
		}
	}
}

func TestIPv6(t *testing.T) {
	e, err := Open(Options{IP: netip.IPv6Loopback(), Low: 30900, High: 30910, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.NewSession()
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	defer e.closeSockets()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		t.Skip(err)
	}
	defer conn.Close()
	p := &peer{t: t, conn: conn}
	p.open("PCMU")
	p.tone = toneAt(440, 8000)
	p.to = net.UDPAddrFromAddrPort(s.Local())
	r := &rig{t: t, e: e}
	r.do(func() { err = s.Apply(p.media("PCMU")) })
	if err != nil {
		t.Fatal(err)
	}
	r.enter(e.NewRoom(), s, PortOptions{})
	r.talk(60, p)
	if len(p.stamps) != 60 || s.Stats().Latched != p.addr() || !s.pair.RTP.Peer().IsValid() {
		t.Errorf("%d packets, latched %v", len(p.stamps), s.Stats().Latched)
	}
}

func TestStats(t *testing.T) {
	r := newRig(t, 1)
	p := newPeer(t, 440)
	s := r.session(p, "PCMU")
	r.enter(r.e.NewRoom(), s, PortOptions{})
	r.talk(60, p)
	p.to = net.UDPAddrFromAddrPort(s.Local())
	if _, err := p.conn.WriteToUDP([]byte{1}, p.to); err != nil {
		t.Fatal(err)
	}
	r.talk(60, p)
	got := r.e.Stats()
	l := got.Loops[0]
	if got.Sessions != 1 || l.Rooms != 1 || l.Ports != 1 || l.PacketsIn < 100 || l.PacketsOut < 100 || l.Refused == 0 {
		t.Errorf("stats %+v", got)
	}
	if one := s.Stats(); one.PacketsIn < 90 || one.PacketsOut < 90 {
		t.Errorf("session %+v", one)
	}
}

// TestEarlyPackets has what came before the media was agreed on played to nobody.
func TestEarlyPackets(t *testing.T) {
	r := newRig(t, 1)
	p, q := newPeer(t, 440), newPeer(t, 0)
	s, err := r.e.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	p.to = net.UDPAddrFromAddrPort(s.Local())
	for range 50 {
		p.speak()
	}
	r.do(func() { err = s.Apply(p.media("PCMU")) })
	if err != nil {
		t.Fatal(err)
	}
	room := r.e.NewRoom()
	r.enter(room, s, PortOptions{})
	r.enter(room, r.session(q, "PCMU"), PortOptions{})
	r.talk(10, q)
	q.hears("q", nil, 440)
	if s.Silence() >= 0 {
		t.Error("a packet from before was believed")
	}
}

// TestPhases spreads rooms and sessions without a room over the four slots of a frame.
func TestPhases(t *testing.T) {
	r := newRig(t, 1)
	for range 2 * pace.Phases {
		r.session(newPeer(t, 0), "PCMU")
		r.enter(r.e.NewRoom(), r.session(newPeer(t, 0), "PCMU"), PortOptions{})
	}
	l := r.e.loops[0]
	for phase := range pace.Phases {
		if rooms, idle := len(l.mixing[phase]), len(l.idle[phase]); rooms != 2 || idle != 2 {
			t.Errorf("phase %d has %d rooms and %d idle sessions", phase, rooms, idle)
		}
	}
}

// TestEmptySlots has the loop work in the slots of its rooms only, take steps at once between them, and count the rest as idle.
func TestEmptySlots(t *testing.T) {
	c, err := pace.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(c, busyLimit)
	l.mixing[2] = []*Room{{}}
	for want := uint64(2); want < 20; want += pace.Phases {
		slot, at, lost, _ := l.next()
		if slot != want || at != time.Duration(want)*pace.Slot || lost != 0 {
			t.Fatalf("slot %d at %v, %d lost, want slot %d", slot, at, lost, want)
		}
	}
	l.idle[3] = []*leg{{}}
	for _, want := range []uint64{19, 22, 23, 26} {
		if slot, _, _, _ := l.next(); slot != want {
			t.Fatalf("slot %d, want %d", slot, want)
		}
	}
	for range 2000 {
		l.load.Skipped(0, pace.Phases-1)
		l.load.Account(0, pace.Slot, 0, 1)
	}
	if got := l.load.Share(); got < 0.24 || got > 0.26 {
		t.Errorf("one slot of four used: busy %.2f", got)
	}

	// Far from the end of the sleep, the thread wakes for what is asked.
	l.load.Clear()
	woken := make(chan error)
	go func() {
		_, err := l.sleepUntil(c.Now() + time.Hour)
		woken <- err
	}()
	for range 100 {
		n := 0
		if err := l.do(func() error { n++; return nil }); err != nil || n != 1 {
			t.Fatalf("%d steps: %v", n, err)
		}
	}
	select {
	case err := <-woken:
		t.Fatalf("the sleep ended before its time: %v", err)
	default:
	}
	l.post(func() error { l.clock = pace.Clock{}; return nil })
	if err := wait(t, woken); err != nil {
		t.Error(err)
	}
}
