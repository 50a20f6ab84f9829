package loop

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/codec"
	"parley/internal/rtp"
	"parley/internal/sdp"
)

// Figures of reading and housekeeping.
const (
	packetSize     = 2048
	packetsPerTick = 16             // read of one socket in a frame; the rest waits in its buffer
	rtcpTicks      = 10             // RTCP is read and written each 200 ms
	statsTicks     = 50             // statistics are shown each second
	staleDrain     = rtpQueue / 256 // packets that came before the media was agreed on
	neverHeard     = time.Duration(-1)
)

// leg is the loop's side of a session: it reads and writes the sockets. It implements mixer.Leg, and belongs to the thread of the loop that
// it is in.
type leg struct {
	session *Session
	pair    *pair
	rtp     *rtp.Session
	loop    *loop // nil before Apply and Enter
	room    *Room // nil while idle

	format codec.Format // what the peer decodes
	agreed bool
	mux    bool // RTCP comes and goes through the RTP socket
	rate   int
	phase  int    // among the loop's idle
	turn   uint64 // number on its first loop: spreads housekeeping
	ticks  uint64
	missed int           // frames of the loop's lost ones that are made up for
	last   time.Duration // of a believed packet
	to     sockaddr      // of RTP
	toRTCP sockaddr
	from   sockaddr
	peer   netip.AddrPort // to whom the RTP socket is connected
}

// apply takes over new media.
func (s *leg) apply(m sdp.Media) error {
	if !s.agreed {
		s.drain()
	}
	if err := s.rtp.Configure(m, s.rate); err != nil {
		return err
	}
	f, ok := formatOf(m.Codec)
	s.format, s.agreed, s.mux = f, ok, m.RTCPMux
	if s.peer.IsValid() && s.peer != s.rtp.RTPTarget() {
		s.release()
	}
	if s.loop == nil {
		return nil
	}
	if s.room != nil {
		return s.room.refresh(s)
	}
	return nil
}

// formatOf finds the codec that the mixer is to encode.
func formatOf(c sdp.Codec) (codec.Format, bool) {
	first, ok := codec.Find(c.Name)
	if !ok {
		return codec.Format{}, false
	}
	for _, f := range codec.Formats {
		if f.Name == first.Name && f.ClockRate == c.ClockRate {
			return f, true
		}
	}
	return first, true
}

// drain drops what arrived before anyone was to listen.
func (s *leg) drain() {
	var buf [packetSize]byte
	for _, fd := range []int{s.pair.rtp, s.pair.rtcp} {
		for range staleDrain {
			if _, err := receiveConnected(fd, buf[:]); err == unix.EAGAIN {
				break
			}
		}
	}
}

// SetRate implements mixer.Source.
func (s *leg) SetRate(rate int) error {
	if rate == s.rate {
		return nil
	}
	if err := s.rtp.SetRate(rate); err != nil {
		return err
	}
	s.rate = rate
	return nil
}

// Format implements mixer.Leg.
func (s *leg) Format() (codec.Format, bool) { return s.format, s.agreed }

// Ready implements mixer.Leg.
func (s *leg) Ready() bool {
	_, ok := s.rtp.Sending()
	return ok
}

// Pull implements mixer.Source: it reads what has come and takes the frame that is due.
func (s *leg) Pull(dst []int16, now time.Duration) bool {
	s.read(now)
	if s.ticks++; (s.ticks+s.turn)%rtcpTicks == 0 {
		s.keepHouse(now)
	}
	return s.rtp.Pull(dst, now).Audio
}

// Send implements mixer.Leg.
func (s *leg) Send(payload []byte) {
	for ; s.missed < s.loop.lost; s.missed++ {
		s.rtp.Skip()
	}
	if payload == nil {
		s.rtp.Skip()
		return
	}
	s.write(s.rtp.Packet(s.loop.out, payload))
}

// rest is the tick of a session without a room: it listens, for latch, statistics and RTCP, and says nothing.
func (s *leg) rest(now time.Duration) {
	s.Pull(s.loop.scratch[:s.rate/50], now)
	for _, ok := s.rtp.Digit(); ok; _, ok = s.rtp.Digit() {
		// Keys pressed outside of a room are for nobody.
	}
	s.Send(nil)
}

// read takes all packets from the RTP socket.
func (s *leg) read(now time.Duration) {
	c := &s.loop.counts
	for range packetsPerTick {
		n, err := s.receive()
		if err == unix.EAGAIN {
			return
		}
		if err != 0 || n > len(s.loop.in) {
			c.BadReads++
			continue
		}
		c.PacketsIn++
		packet, from := s.loop.in[:n], s.from.of
		if s.mux && isRTCP(packet) {
			s.rtp.ReceiveRTCP(packet, from, now)
		} else if s.rtp.Receive(packet, from, now) {
			s.hear(now)
		} else {
			c.Refused++
		}
	}
}

func (s *leg) receive() (int, unix.Errno) {
	if s.peer.IsValid() {
		return receiveConnected(s.pair.rtp, s.loop.in)
	}
	n, err := receive(s.pair.rtp, s.loop.in, &s.from)
	s.from.of = s.from.addr()
	return n, err
}

// hear notes that a believed packet came.
func (s *leg) hear(now time.Duration) {
	if now != s.last {
		s.last = now
		s.session.heard.Store(int64(now))
	}
}

// isRTCP tells RTCP from RTP on one socket (RFC 5761 section 4).
func isRTCP(packet []byte) bool { return len(packet) > 1 && packet[1] >= 192 && packet[1] <= 223 }

// write sends an RTP packet.
func (s *leg) write(packet []byte) {
	var err unix.Errno
	if s.peer.IsValid() {
		err = sendConnected(s.pair.rtp, packet)
	} else {
		if to := s.rtp.RTPTarget(); to != s.to.of {
			s.to.set(to, s.pair.local.Addr().Is6())
		}
		err = send(s.pair.rtp, packet, &s.to)
	}
	s.loop.counts.sent(err)
}

// keepHouse reads and writes RTCP, fixes the peer once it is known for good, and shows statistics.
func (s *leg) keepHouse(now time.Duration) {
	for range packetsPerTick {
		n, err := receive(s.pair.rtcp, s.loop.in, &s.from)
		if err == unix.EAGAIN {
			break
		}
		if err == 0 && n <= len(s.loop.in) {
			s.rtp.ReceiveRTCP(s.loop.in[:n], s.from.addr(), now)
		}
	}
	if packet := s.rtp.RTCP(s.loop.out, now); len(packet) > 0 {
		s.writeRTCP(packet)
	}
	if (s.ticks+s.turn)%statsTicks == 0 {
		s.show()
	}
}

func (s *leg) writeRTCP(packet []byte) {
	to := s.rtp.RTCPTarget()
	if to != s.toRTCP.of {
		s.toRTCP.set(to, s.pair.local.Addr().Is6())
	}
	fd := s.pair.rtcp
	if s.mux {
		fd = s.pair.rtp
	}
	if s.toRTCP.len != 0 {
		s.loop.counts.sent(send(fd, packet, &s.toRTCP))
	}
}

// show makes the session's statistics readable for others and connects the socket when the peer is latched. The lock is
// only tried: while someone reads, the snapshot of a second ago stays.
func (s *leg) show() {
	stats := s.rtp.Stats()
	if stats.Latched.IsValid() && !s.peer.IsValid() && stats.Latched == s.rtp.RTPTarget() {
		s.fix(stats.Latched)
	}
	if s.session.statsMu.TryLock() {
		s.session.stats = Stats(stats)
		s.session.statsMu.Unlock()
	}
}

func (s *leg) fix(peer netip.AddrPort) {
	s.to.set(peer, s.pair.local.Addr().Is6())
	if connect(s.pair.rtp, &s.to) == 0 {
		s.peer, s.from.of = peer, peer
	}
}

// release lets the socket hear everyone again.
func (s *leg) release() {
	disconnect(s.pair.rtp)
	s.peer, s.to = netip.AddrPort{}, sockaddr{}
}

// bye ends the stream for the peer.
func (s *leg) bye() {
	if packet := s.rtp.Bye(s.loop.out); len(packet) > 0 {
		s.writeRTCP(packet)
	}
}
