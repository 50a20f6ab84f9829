package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	frame    = 20 * time.Millisecond
	slots    = 20 // of a millisecond each
	lateness = 40 * time.Millisecond
)

// leg is one call's media: a connected UDP socket, PCMU both ways. It belongs to the wheel once added.
type leg struct {
	fd, port int
	talks    bool
	seq      uint16
	stamp    uint32
	speech   int // position in the shared speech
	in       counts
	last     uint16
	fastest  time.Duration
	heard    bool
	closed   atomic.Bool
}

// counts of a window.
type counts struct {
	received, missing, late uint64
	lag                     time.Duration
}

// newLeg binds a socket on a free port of 127.0.0.1.
func newLeg(talks bool) (*leg, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("load generator's media socket: %w", err)
	}
	l := &leg{fd: fd, talks: talks, seq: uint16(rand.Uint32()), stamp: rand.Uint32(), speech: rand.IntN(len(speech))}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("load generator's media socket: %w", err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	l.port = at.(*unix.SockaddrInet4).Port
	return l, nil
}

func (l *leg) to(at netip.AddrPort) error {
	return unix.Connect(l.fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
}

func (l *leg) close() { l.closed.Store(true) }

// wheel serves all legs from one thread: each leg has a slot of a millisecond in every 20, in which its socket is drained and its next frame sent.
type wheel struct {
	mu    sync.Mutex // guards legs and lag
	legs  [slots][]*leg
	count int
	lag   time.Duration
	done  chan struct{}
}

func newWheel() *wheel { return &wheel{done: make(chan struct{})} }

func (w *wheel) add(l *leg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.legs[w.count%slots] = append(w.legs[w.count%slots], l)
	w.count++
}

// remove takes a leg off the wheel and closes its socket. It returns how many packets have come; nobody else counts them any more.
func (w *wheel) remove(l *leg) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, legs := range w.legs {
		if at := slices.Index(legs, l); at >= 0 {
			w.legs[i] = slices.Delete(legs, at, at+1)
			l.drain(l.fastest, make([]byte, 1500))
			unix.Close(l.fd)
		}
	}
	return l.in.received
}

// reset starts a window of measurement; totals ends it.
func (w *wheel) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lag = 0
	for _, legs := range w.legs {
		for _, l := range legs {
			l.in = counts{}
		}
	}
}

func (w *wheel) totals() counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := counts{lag: w.lag}
	for _, legs := range w.legs {
		for _, l := range legs {
			sum.received += l.in.received
			sum.missing += l.in.missing
			sum.late += l.in.late
		}
	}
	return sum
}

func (w *wheel) run(ctx context.Context) {
	runtime.LockOSThread()
	defer close(w.done)
	start := time.Now()
	packet := make([]byte, 1500)
	for slot := 0; ctx.Err() == nil; slot++ {
		due := start.Add(time.Duration(slot) * frame / slots)
		if wait := time.Until(due); wait > 0 {
			ts := unix.NsecToTimespec(int64(wait))
			_ = unix.Nanosleep(&ts, nil)
		}
		now := time.Since(start)
		w.mu.Lock()
		w.lag = max(w.lag, time.Since(due))
		w.legs[slot%slots] = slices.DeleteFunc(w.legs[slot%slots], func(l *leg) bool { return l.turn(now, packet) })
		w.mu.Unlock()
	}
	for _, legs := range w.legs {
		for _, l := range legs {
			unix.Close(l.fd)
		}
	}
}

// turn drains the socket and sends the next frame; it reports true when the leg is closed for good.
func (l *leg) turn(now time.Duration, packet []byte) bool {
	if l.closed.Load() {
		unix.Close(l.fd)
		return true
	}
	l.drain(now, packet)
	l.seq++
	l.stamp += 160
	packet[0], packet[1] = 0x80, 0
	binary.BigEndian.PutUint16(packet[2:], l.seq)
	binary.BigEndian.PutUint32(packet[4:], l.stamp)
	binary.BigEndian.PutUint32(packet[8:], uint32(l.port))
	payload := packet[12:172]
	if l.talks {
		l.speech = (l.speech + 160) % (len(speech) - 160)
		copy(payload, speech[l.speech:])
	} else {
		for i := range payload {
			payload[i] = 0xff
		}
	}
	_, _ = unix.Write(l.fd, packet[:172])
	return false
}

// drain takes what has come.
func (l *leg) drain(now time.Duration, packet []byte) {
	for {
		n, err := unix.Read(l.fd, packet)
		if err != nil {
			return
		}
		l.take(packet[:n], now)
	}
}

// take counts a received packet.
func (l *leg) take(p []byte, now time.Duration) {
	if len(p) < 12 || p[0]>>6 != 2 {
		return
	}
	seq := binary.BigEndian.Uint16(p[2:])
	transit := now - time.Duration(binary.BigEndian.Uint32(p[4:]))*time.Second/8000
	if !l.heard {
		l.heard, l.last, l.fastest = true, seq-1, transit
	}
	l.in.received++
	if step := seq - l.last; step > 1 && step < 1000 {
		l.in.missing += uint64(step - 1)
	}
	l.last = seq
	l.fastest = min(l.fastest, transit)
	if transit-l.fastest > lateness {
		l.in.late++
	}
}

// speech is ten seconds of syllables of noise in μ-law, made once: loud enough to be talk, not a tone.
var speech = func() []byte {
	out := make([]byte, 80000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range out {
		t := float64(i) / 8000
		level := 3000 * math.Abs(math.Sin(2*math.Pi*2.3*t))
		out[i] = ulaw(int(level * (r.Float64()*2 - 1)))
	}
	return out
}()

// ulaw is G.711's μ-law, sample by sample (ITU-T G.711, table 2a).
func ulaw(x int) byte {
	sign := byte(0)
	if x < 0 {
		x, sign = -x, 0x80
	}
	x = min(x, 32635) + 132
	exponent := byte(7)
	for mask := 0x4000; x&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	return ^(sign | exponent<<4 | byte(x>>(exponent+3)&0x0f))
}

// quantiles sorts the sample and reads it off.
func quantiles(ms []float64) Quantiles {
	if len(ms) == 0 {
		return Quantiles{}
	}
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[int(q*float64(len(ms)-1))] }
	return Quantiles{at(.5), at(.95), at(.99), ms[len(ms)-1]}
}
