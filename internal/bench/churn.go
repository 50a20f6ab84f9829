package bench

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Churn describes a load of calls that come and go, besides some that stay.
type Churn struct {
	SIP     netip.AddrPort // the server's SIP address, UDP, loopback
	Rooms   []string       // request users to call, dealt evenly
	Rate    int            // calls placed per second, 1-2000
	Hold    time.Duration  // from the answer to the BYE; everybody sends silence meanwhile
	Time    time.Duration  // how long calls are placed, at most 10 minutes
	Staying int            // calls into the first room that talk all the time, and whose audio is judged
	PID     int            // of the server
}

// Turnover is what a Churn cost and got.
type Turnover struct {
	Calls, Refused, Failed int           // placed; answered with 503; without a 200 to INVITE or BYE for another reason
	Why                    string        // the last of those reasons
	CPU                    time.Duration // of the server for one call that was answered, all in: those who stay, too
	Core                   float64       // share of one core from the first call's end to the last call's beginning
	SetupMillis            Quantiles     // INVITE to its final answer
	Missing, Late          float64       // per cent of the packets to those who stay: gaps, more than 40 ms behind the fastest
	Short                  float64       // per cent of the packets due to those who come and go that did not come, from the answer to the answer to BYE
	LagMillis              float64       // worst lag of the generator itself
}

// String returns the turnover in one line.
func (t Turnover) String() string {
	why := ""
	if t.Why != "" {
		why = " (" + t.Why + ")"
	}
	return fmt.Sprintf("%d calls, %d refused, %d failed%s; server %.2f ms CPU a call, %.0f %% of a core; setup p50 %.1f p95 %.1f p99 %.1f max %.0f ms; "+
		"audio of those who stay: missing %.2f %%, late %.2f %%; of the others: short %.1f %%; generator's worst lag %.1f ms",
		t.Calls, t.Refused, t.Failed, why, t.CPU.Seconds()*1000, 100*t.Core, t.SetupMillis.P50, t.SetupMillis.P95, t.SetupMillis.P99, t.SetupMillis.Max,
		t.Missing, t.Late, t.Short, t.LagMillis)
}

// Run places the calls and waits for the end of the last. It fails when the target is not on loopback or nothing answers.
func (c Churn) Run(ctx context.Context) (Turnover, error) {
	if c.Rate < 1 || c.Rate > 2000 || c.Hold <= 0 || c.Hold > time.Minute || c.Time < 2*c.Hold {
		return Turnover{}, fmt.Errorf("want 1-2000 calls a second of at most a minute, for twice that at least")
	}
	var out Turnover
	stay := Calls{SIP: c.SIP, Rooms: c.Rooms[:min(1, len(c.Rooms))], Count: max(c.Staying, 1), Talkers: -1, Rate: 20, Settle: time.Second, Time: c.Time}
	_, err := stay.during(ctx, func(ctx context.Context, media *wheel, _ *Report) error {
		return c.churn(ctx, media, &out)
	})
	return out, err
}

func (c Churn) churn(ctx context.Context, media *wheel, out *Turnover) error {
	agent, err := newAgent(c.SIP)
	if err != nil {
		return err
	}
	defer agent.close()
	media.reset()
	before, err := cpuTime(c.PID)
	if err != nil {
		return err
	}
	var steady span
	visits := c.visits(ctx, agent, media, &steady)
	after, err := cpuTime(c.PID)
	if err != nil {
		return err
	}
	out.tell(visits, after-before)
	out.Core = steady.share()
	t := media.totals()
	out.Missing = 100 * float64(t.missing) / float64(max(1, t.received+t.missing))
	out.Late = 100 * float64(t.late) / float64(max(1, t.received))
	out.LagMillis = t.lag.Seconds() * 1000
	return nil
}

// visit is a call that has come and gone.
type visit struct {
	setup time.Duration
	err   error
	due   float64 // packets
	got   uint64
}

// span is what a process used between two moments.
type span struct {
	from, to   time.Time
	first, now time.Duration // CPU time
}

func (s *span) note(pid int) {
	s.now, _ = cpuTime(pid)
	s.to = time.Now()
	if s.from.IsZero() {
		s.from, s.first = s.to, s.now
	}
}

func (s *span) share() float64 {
	return (s.now - s.first).Seconds() / max(s.to.Sub(s.from).Seconds(), 0.01)
}

// visits places the calls at the rate and returns when the last has gone. steady gets what the server did while they came and went.
func (c Churn) visits(ctx context.Context, a *agent, media *wheel, steady *span) []visit {
	visits := make([]visit, int(c.Time.Seconds()*float64(c.Rate)))
	start := time.Now()
	var all sync.WaitGroup
	for i := range visits {
		if pause(ctx, time.Until(start.Add(time.Duration(i)*time.Second/time.Duration(c.Rate)))) != nil {
			visits = visits[:i]
			break
		}
		if steady.from.IsZero() && time.Since(start) > c.Hold {
			steady.note(c.PID)
		}
		all.Go(func() { visits[i] = c.visit(ctx, a, media, c.Rooms[i%len(c.Rooms)]) })
	}
	steady.note(c.PID)
	all.Wait()
	return visits
}

func (c Churn) visit(ctx context.Context, a *agent, media *wheel, room string) (v visit) {
	d := a.invite(ctx, room, false)
	if v.setup, v.err = d.setup, d.err; v.err != nil {
		return v
	}
	media.add(d.leg)
	up := time.Now()
	_ = pause(ctx, c.Hold)
	v.err = a.leave(ctx, d)
	v.due = time.Since(up).Seconds() * float64(time.Second/frame)
	v.got = media.remove(d.leg)
	return v
}

// tell sums the visits up.
func (t *Turnover) tell(visits []visit, cpu time.Duration) {
	var setup []float64
	var due, got float64
	for _, v := range visits {
		switch {
		case v.err != nil && strings.Contains(v.err.Error(), " 503 "):
			t.Refused++
			continue
		case v.err != nil:
			t.Failed, t.Why = t.Failed+1, v.err.Error()
			continue
		}
		setup = append(setup, float64(v.setup.Microseconds())/1000)
		due, got = due+v.due, got+float64(v.got)
	}
	t.Calls, t.SetupMillis = len(visits), quantiles(setup)
	t.CPU = cpu / time.Duration(max(1, len(setup)))
	t.Short = 100 * (1 - got/max(due, 1))
}

// leave hangs up and waits for the answer.
func (a *agent) leave(ctx context.Context, d *dialog) error {
	msg, err := a.ask(ctx, d, request{"BYE", 2, d.contact, ""})
	a.mu.Lock()
	delete(a.byID, d.id)
	a.mu.Unlock()
	if err == nil && !strings.HasPrefix(msg, "SIP/2.0 200") {
		err = fmt.Errorf("BYE: %s", strings.SplitN(msg, "\r\n", 2)[0])
	}
	return err
}
