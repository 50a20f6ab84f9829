package loop

import (
	"math"
	"net/netip"
	"time"

	"parley/internal/codec"
	"parley/internal/loop/shield"
	"parley/internal/loop/udp"
	"parley/internal/rtp"
	"parley/internal/sdp"
)

// Figures of reading and housekeeping.
const (
	packetsPerTick = 16 // read of one socket in a frame; the rest waits in its buffer
	lookTicks      = 8  // a steady stream's socket is read to its end each 160 ms
	rtcpTicks      = 10 // RTCP is read and written each 200 ms
	statsTicks     = 50 // statistics are shown each second
	neverHeard     = time.Duration(-1)
)

// leg is the loop's side of a session: it reads and writes the sockets. It implements mixer.Leg, and belongs to the thread of the loop that
// it is in.
type leg struct {
	session *Session
	pair    *udp.Pair
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
	loss   int           // percent of what was sent, as the peer reports
	steady bool          // the last look at the RTP socket found exactly one packet
	sends  bool          // to the peer, as agreed

	shield *shield.Shield // nil: plain RTP

	keyings []*keying // what is pressed, the first of them now
}

// apply takes over new media.
func (s *leg) apply(m sdp.Media) error {
	if !s.agreed {
		s.pair.RTP.Drain() // what arrived before anyone was to listen
		s.pair.RTCP.Drain()
	}
	if err := s.protect(m.SRTP); err != nil {
		return err
	}
	if err := s.rtp.Configure(m, s.rate); err != nil {
		return err
	}
	f, ok := formatOf(m.Codec)
	s.format, s.agreed, s.mux, s.sends = f, ok, m.RTCPMux, ok && m.Direction.Sends()
	if peer := s.pair.RTP.Peer(); peer.IsValid() && peer != s.rtp.RTPTarget() {
		s.pair.RTP.Disconnect()
	}
	if err := s.fitKeyings(); err != nil || s.loop == nil {
		return err
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
	if s.sends && s.pair.RTP.Peer().IsValid() {
		return true // a socket that is connected has whom to send to
	}
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

// Loss implements mixer.Leg.
func (s *leg) Loss() int { return s.loss }

// Send implements mixer.Leg.
func (s *leg) Send(payload []byte) {
	for ; s.missed < s.loop.lost; s.missed++ {
		s.rtp.Skip()
	}
	if len(s.keyings) > 0 && s.Ready() && s.press() {
		return
	}
	if payload == nil {
		s.rtp.Skip()
		return
	}
	s.write(s.rtp.Packet(s.loop.out, payload))
}

// write sends an RTP packet to the peer.
func (s *leg) write(packet []byte) {
	if s.shield != nil {
		packet = s.shield.Seal(packet)
	}
	socket, to := &s.pair.RTP, netip.AddrPort{}
	if !socket.Peer().IsValid() {
		to = s.rtp.RTPTarget()
	}
	s.loop.counts.sent(socket.Send(packet, to))
}

// rest is the tick of a session without a room: it listens, for latch, statistics and RTCP, and says nothing.
func (s *leg) rest(now time.Duration) {
	s.Pull(s.loop.scratch[:s.rate/50], now)
	for _, ok := s.rtp.Digit(); ok; _, ok = s.rtp.Digit() {
		// Keys pressed outside of a room are for nobody.
	}
	s.Send(nil)
}

// read takes the packets from the RTP socket: all of them, but while one comes in each frame only that one, without a look for a second that is
// hardly ever there, and which a later look then finds.
//
// A packet counts as having come at the tick that reads it. The system could stamp arrivals, for 1 to 3 % of the cost of a packet; but since frames are
// taken at ticks only, a packet that is not there at its tick is missed whenever it came, and none could wait less. Only the jitter in
// the statistics is coarser: what stays within a tick does not show.
func (s *leg) read(now time.Duration) {
	most := packetsPerTick
	if s.steady && (s.ticks+s.turn)%lookTicks != 0 {
		most = 1
	}
	c := &s.loop.counts
	for n := range most {
		packet, from, v := s.pair.RTP.Receive(s.loop.in)
		if v == udp.Empty {
			s.steady = n == 1
			return
		}
		if v != udp.Done {
			c.BadReads++
			continue
		}
		c.PacketsIn++
		control := s.mux && isRTCP(packet)
		switch packet, ok := s.open(packet, control); {
		case !ok:
			c.Refused++
		case control:
			s.rtp.ReceiveRTCP(packet, from, now)
		case s.rtp.Receive(packet, from, now):
			s.hear(now)
		default:
			c.Refused++
		}
	}
}

// hear notes that a believed packet came.
func (s *leg) hear(now time.Duration) {
	if now != s.last {
		s.last = now
		s.session.heard.Store(int64(now))
	}
}

// protect has the stream protected as agreed on. The same agreement again, as in a re-INVITE, changes nothing: packet counts go on.
func (s *leg) protect(a *sdp.SRTP) (err error) {
	switch {
	case a == nil:
		s.shield = nil
	case s.shield == nil || !s.shield.Fits(a):
		s.shield, err = shield.New(a, udp.MaxPacket)
	}
	return err
}

// open returns the packet without its protection, if there is one.
func (s *leg) open(packet []byte, control bool) ([]byte, bool) {
	switch {
	case s.shield == nil:
		return packet, true
	case control:
		return s.shield.OpenControl(packet)
	}
	return s.shield.Open(packet)
}

// isRTCP tells RTCP from RTP on one socket (RFC 5761 section 4).
func isRTCP(packet []byte) bool { return len(packet) > 1 && packet[1] >= 192 && packet[1] <= 223 }

// keepHouse reads and writes RTCP, shows statistics, and connects the socket when the peer has spoken from where signalling said: that makes packets
// cheaper. (A guess behind NAT stays open: the signalled address may still take it back.)
func (s *leg) keepHouse(now time.Duration) {
	for range packetsPerTick {
		packet, from, v := s.pair.RTCP.Receive(s.loop.in)
		if v == udp.Empty {
			break
		}
		packet, ok := s.open(packet, true)
		if v == udp.Done && ok {
			// Reports measure the way there and back; how long they wait here must not count.
			s.rtp.ReceiveRTCP(packet, from, max(now-s.pair.RTCP.Age(), 0))
		}
	}
	if packet := s.rtp.RTCP(s.loop.out, now); len(packet) > 0 {
		s.writeRTCP(packet)
	}
	if s.rtp.Sure() && !s.pair.RTP.Peer().IsValid() {
		s.pair.RTP.Connect(s.rtp.Stats().Latched) // when the system refuses, it goes on as before
	}
	if (s.ticks+s.turn)%statsTicks == 0 {
		s.show()
	}
}

func (s *leg) writeRTCP(packet []byte) {
	socket := &s.pair.RTCP
	if s.mux {
		socket = &s.pair.RTP
	}
	if s.shield != nil {
		packet = s.shield.SealControl(packet)
	}
	if to := s.rtp.RTCPTarget(); to.IsValid() {
		s.loop.counts.sent(socket.Send(packet, to))
	}
}

// show makes the session's statistics readable for others. The lock is only tried: while someone reads, the snapshot of a second ago stays.
func (s *leg) show() {
	stats := s.rtp.Stats()
	s.loss = int(math.Round(stats.RemoteLossPercent))
	if s.session.statsMu.TryLock() {
		s.session.stats = stats
		s.session.statsMu.Unlock()
	}
}

// bye ends the stream for the peer.
func (s *leg) bye() {
	if packet := s.rtp.Bye(s.loop.out); len(packet) > 0 {
		s.writeRTCP(packet)
	}
}
