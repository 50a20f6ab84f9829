package dial_test

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"

	"parley/internal/line"
	door "parley/internal/sip"
)

const (
	t1       = 80 * time.Millisecond // instead of 500 ms: all waits are shorter by the same factor
	forGhost = 80 * t1               // stands for 40 s
	offer    = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0\r\n"
)

func TestMain(m *testing.M) {
	sip.SetTimers(t1, 8*t1, 10*t1)
	goleak.VerifyTestMain(m)
}

// lossy drops a share of the datagrams that arrive.
type lossy struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	share float64
	lost  atomic.Int64
}

func (l *lossy) check(raw []byte, _ string) (fixed, answer []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rnd.Float64() < l.share {
		l.lost.Add(1)
		return nil, nil, false
	}
	return raw, nil, true
}

// phones answers calls after a while, and hangs up where the user part says so.
type phones struct{ calls atomic.Int64 }

func (p *phones) Accept(_ context.Context, in line.Invite, d line.Dialog) (door.Line, error) {
	p.calls.Add(1)
	return &phoneLine{in.Target, d}, nil
}

type phoneLine struct {
	user string
	d    line.Dialog
}

func (l *phoneLine) Offer(context.Context, []byte) ([]byte, error) { return []byte(offer), nil }
func (l *phoneLine) Answered(context.Context, []byte) error        { return nil }
func (l *phoneLine) Digit(context.Context, string)                 {}

func (l *phoneLine) Run(ctx context.Context) error {
	if l.d.Ring(context.Background(), nil) != nil {
		return nil
	}
	wait := time.NewTimer(5 * t1)
	if l.user == "quick" {
		wait.Reset(time.Duration(rand.IntN(20000)) * time.Microsecond)
	}
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-l.d.Done():
		return nil
	}
	if l.user == "busy" {
		return nil // refused
	}
	if l.user == "slow" {
		wait.Reset(time.Minute)
	}
	if l.user == "slow" {
		select {
		case <-wait.C:
		case <-l.d.Done():
		case <-ctx.Done():
		}
		return nil
	}
	if _, err := l.d.Answer(ctx, []byte(offer)); err != nil {
		return nil
	}
	wait.Reset(5 * t1)
	select {
	case <-wait.C:
		if l.user == "leaves" {
			l.d.Hangup("")
		}
		select {
		case <-l.d.Done():
		case <-ctx.Done():
			l.d.Hangup("")
		}
	case <-l.d.Done():
	case <-ctx.Done():
		l.d.Hangup("")
	}
	return nil
}

func open(t *testing.T, share float64, seed uint64) (*door.Server, *lossy) {
	t.Helper()
	l := &lossy{rnd: rand.New(rand.NewPCG(seed, 1)), share: share}
	s, err := door.Open(door.Options{Addr: "127.0.0.1:0", Exchange: &phones{}, Check: l.check, Timing: door.Timing{T1: t1, Drain: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, l
}

// dialled is how a call went.
type dialled struct {
	final  int
	by     string
	status int
}

func call(t *testing.T, s *door.Server, to netip.AddrPort, user string) (r dialled) {
	var d line.Departure
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		var err error
		d, err = s.Dial(t.Context(), line.Outgoing{To: "sip:" + user + "@" + to.String(), Offer: []byte(offer), Timeout: 150 * t1}, nil)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Error(err)
			return r
		}
	}
	if user == "slow" {
		impatient := time.AfterFunc(10*t1, func() { d.Cancel("changed my mind") })
		defer impatient.Stop()
	}
	for p := range d.Progress() {
		r.final = p.Status
	}
	if r.final == 200 && user != "leaves" {
		d.Hangup("")
	}
	select {
	case <-d.Done():
		r.by, r.status = d.Cause()
	case <-time.After(250 * t1):
		t.Errorf("the call to %s does not end", user)
	}
	return r
}

// TestLoss places calls while 30 % of all datagrams are lost, in both directions. Each comes to its proper end, and neither side keeps a ghost.
func TestLoss(t *testing.T) {
	a, lossA := open(t, 0.3, 1)
	b, lossB := open(t, 0.3, 2)
	want := map[string]dialled{
		"stays": {200, "local", 0}, "leaves": {200, "remote", 0}, "busy": {480, "remote", 480}, "slow": {487, "local", 487},
	}
	var wg sync.WaitGroup
	var unheard atomic.Int64 // all seven copies of the INVITE were lost: two of ten thousand
	for user, expected := range want {
		for range 15 {
			wg.Go(func() {
				switch got := call(t, a, b.Addr(), user); got {
				case expected:
				case dialled{408, "remote", 408}:
					unheard.Add(1)
				default:
					t.Errorf("%s: %+v, want %+v", user, got, expected)
				}
			})
		}
	}
	wg.Wait()
	for end := time.Now().Add(forGhost); a.Stats().Dialogs+b.Stats().Dialogs > 0; time.Sleep(t1) {
		if time.Now().After(end) {
			t.Fatalf("ghosts after %v: %d and %d", forGhost, a.Stats().Dialogs, b.Stats().Dialogs)
		}
	}
	if n := unheard.Load(); n > 2 {
		t.Errorf("%d calls got no answer", n)
	}
	t.Logf("lost %d and %d datagrams, %d INVITEs and %d BYEs came", lossA.lost.Load(), lossB.lost.Load(), b.Stats().Requests["INVITE"], b.Stats().Requests["BYE"])
	if lossA.lost.Load() < 50 || lossB.lost.Load() < 50 {
		t.Error("too little was lost for this to say anything")
	}
}

// TestCancelRaces takes calls back at the very moment when they are answered. Whoever wins, both sides agree that the call is over.
func TestCancelRaces(t *testing.T) {
	a, _ := open(t, 0, 1)
	b, _ := open(t, 0, 2)
	call(t, a, b.Addr(), "stays") // both run
	var answered, withdrawn atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 25 {
				d, err := a.Dial(t.Context(), line.Outgoing{To: "sip:quick@" + b.Addr().String(), Offer: []byte(offer), Timeout: 150 * t1}, nil)
				if err != nil {
					t.Error(err)
					return
				}
				time.AfterFunc(time.Duration(rand.IntN(40000))*time.Microsecond, func() { d.Cancel("changed my mind") })
				final := 0
				for p := range d.Progress() {
					final = p.Status
				}
				<-d.Done()
				by, status := d.Cause()
				switch {
				case final == 200 && by == "local" && status == 0:
					answered.Add(1)
				case final == 487 && by == "local" && status == 487:
					withdrawn.Add(1)
				default:
					t.Errorf("final %d, ended by %s with %d", final, by, status)
				}
			}
		})
	}
	wg.Wait()
	for end := time.Now().Add(forGhost); a.Stats().Dialogs+b.Stats().Dialogs > 0; time.Sleep(t1) {
		if time.Now().After(end) {
			t.Fatalf("ghosts after %v: %d and %d", forGhost, a.Stats().Dialogs, b.Stats().Dialogs)
		}
	}
	t.Logf("%d answered first, %d withdrawn first; %d BYEs, %d CANCELs came", answered.Load(), withdrawn.Load(), b.Stats().Requests["BYE"], b.Stats().Requests["CANCEL"])
	if answered.Load() < 10 || withdrawn.Load() < 10 {
		t.Error("one side always wins: nothing was raced")
	}
}

// TestGone: a peer that falls silent in the middle of anything leaves nothing behind.
func TestGone(t *testing.T) {
	a, _ := open(t, 0, 1)
	for _, user := range []string{"stays", "slow"} {
		b, loss := open(t, 0, 1)
		d, err := a.Dial(t.Context(), line.Outgoing{To: "sip:" + user + "@" + b.Addr().String(), Offer: []byte(offer), Timeout: time.Minute}, nil)
		for end := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
			d, err = a.Dial(t.Context(), line.Outgoing{To: "sip:" + user + "@" + b.Addr().String(), Offer: []byte(offer), Timeout: time.Minute}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		for p := range d.Progress() {
			if p.Status == 200 || user == "slow" && p.Status == 180 {
				break
			}
		}
		loss.mu.Lock()
		loss.share = 1
		loss.mu.Unlock()
		d.Hangup("")
		<-d.Done()
		for end := time.Now().Add(forGhost); a.Stats().Dialogs > 0; time.Sleep(t1) {
			if time.Now().After(end) {
				t.Fatalf("%s: a ghost after %v", user, forGhost)
			}
		}
	}
}
