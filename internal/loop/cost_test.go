package loop

import (
	"context"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/loop/pace"
)

// crowd fills a room with phones, some of which talk.
func crowd(t testing.TB, n, talking int, codec string) (*rig, []*peer) {
	t.Helper()
	r := newRig(t, 1)
	room := r.e.NewRoom()
	var peers []*peer
	for i := range n {
		p := newPeer(t, 0)
		p.open(codec)
		if i < talking {
			p.tone = toneAt(400+100*float64(i), p.format.Rate(8000))
		}
		peers = append(peers, p)
		r.enter(room, r.session(p, codec), PortOptions{})
	}
	return r, peers
}

func TestTickAllocatesNothing(t *testing.T) {
	r, peers := crowd(t, 40, 3, "PCMU")
	r.talk(120, peers...)
	// A few packets wait at each socket; they are read by the ticks that are measured.
	for range 10 {
		for _, p := range peers {
			p.speak()
		}
	}
	if n := testing.AllocsPerRun(60, r.frame); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// BenchmarkRoom300 is the cost of the server's side alone: the thread's CPU time in its ticks, per participant and frame of 20 ms.
// 16 us would be 0.8 ms of CPU per participant-second.
func BenchmarkRoom300(b *testing.B) { benchmarkRoom(b, 300, "PCMU") }

// BenchmarkRoom100Opus is the same with opus, all listeners of one encoding.
func BenchmarkRoom100Opus(b *testing.B) { benchmarkRoom(b, 100, "opus") }

func benchmarkRoom(b *testing.B, n int, codec string) {
	const talking = 3
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, peers := crowd(b, n, talking, codec)
	packets := make([][]byte, n)
	fds := make([]int, n)
	to := make([]unix.Sockaddr, n)
	for i, p := range peers {
		packets[i] = p.packet()
		fds[i] = p.fd()
		to[i] = &unix.SockaddrInet4{Port: p.to.Port, Addr: [4]byte(p.to.IP.To4())}
	}
	buf := make([]byte, 2048)
	step := func() (spent time.Duration) {
		for i, p := range peers {
			if i < talking {
				packets[i] = p.packet()
			} else {
				p.step(packets[i])
			}
			if err := unix.Sendto(fds[i], packets[i], 0, to[i]); err != nil {
				b.Fatal(err)
			}
		}
		begin := threadTime()
		r.frame()
		spent = threadTime() - begin
		for _, fd := range fds {
			for err := error(nil); err == nil; {
				_, err = unix.Read(fd, buf)
			}
		}
		return spent
	}
	for range 100 {
		step()
	}
	var spent time.Duration
	for b.Loop() {
		spent += step()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/1000/float64(b.N)/float64(n), "us/participant-frame")
}

func threadTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts)
	return time.Duration(ts.Nano())
}

// BenchmarkLate runs a loop in real time, one iteration a frame of 20 ms, and tells which share of its slots began more than 1 and
// more than 5 ms late.
func BenchmarkLate(b *testing.B) {
	const n = 100
	e := openEngine(b, 1, 1000)
	ctx, cancel := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	room := e.NewRoom()
	for i := range n {
		p := newPeer(b, 0)
		s, err := e.NewSession()
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Apply(p.media("PCMU")); err != nil {
			b.Fatal(err)
		}
		if _, err := room.Enter(s, PortOptions{}); err != nil {
			b.Fatal(i, err)
		}
	}
	ticker := time.NewTicker(pace.Frame)
	defer ticker.Stop()
	for b.Loop() {
		<-ticker.C
	}
	cancel()
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
	late := &e.loops[0].load
	var all, ms1, ms5 uint64
	for i, count := range late.Late {
		all += count
		if i > 3 {
			ms1 += count
		}
		if i > 5 {
			ms5 += count
		}
	}
	b.ReportMetric(100*float64(ms1)/float64(all), "%>1ms")
	b.ReportMetric(100*float64(ms5)/float64(all), "%>5ms")
	b.ReportMetric(float64(late.LateSum.Microseconds())/float64(all), "us-late")
	b.ReportMetric(100*e.loops[0].load.Share(), "%busy")
}
