// Package bench loads a running server on this machine as phones and API clients would, and measures what that costs it: CPU time per
// participant-second, what was delivered, and how long API calls took. It talks to loopback addresses only, and every run is
// bounded in calls and time. One goroutine serves all calls' media; one reads SIP answers.
package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// Calls describes a load of calls.
type Calls struct {
	SIP     netip.AddrPort // the server's SIP address, UDP, loopback
	Rooms   []string       // request users to call, dealt evenly: conference ids
	Count   int            // calls, at most 5000
	Talkers int            // per room; -1: all
	Rate    int            // calls placed per second
	Settle  time.Duration  // between the last answer and the measurement
	Time    time.Duration  // of the measurement, at most 10 minutes
	PID     int            // of the server
}

// Report is what a load of calls cost and got.
type Report struct {
	Answered, Failed int
	SetupMillis      Quantiles // INVITE to its final answer
	ReceivedRatio    float64   // packets received by packets due
	MissingPercent   float64   // gaps in sequence numbers
	LatePercent      float64   // packets over 40 ms behind the fastest of their stream
	ServerCPU        float64   // CPU milliseconds of the server per participant-second
	ServerCore       float64   // share of one core
	LagMillis        float64   // worst lag of the generator itself: above 20 the delivery figures are worth little
	MemoryMB         float64
}

// Quantiles of a sample in milliseconds.
type Quantiles struct{ P50, P95, P99, Max float64 }

// String returns the report in one line.
func (r Report) String() string {
	return fmt.Sprintf("%d answered, %d failed; server %.3f ms CPU per participant-second (%.0f %% of a core, %.0f MB); received %.2f %%, missing %.3f %%, late %.2f %%; "+
		"setup p50 %.1f p95 %.1f p99 %.1f ms; generator's worst lag %.1f ms", r.Answered, r.Failed, r.ServerCPU, 100*r.ServerCore, r.MemoryMB,
		100*r.ReceivedRatio, r.MissingPercent, r.LatePercent, r.SetupMillis.P50, r.SetupMillis.P95, r.SetupMillis.P99, r.LagMillis)
}

// Run places the calls, measures, and hangs up. It fails when the target is not on loopback or nothing answers.
func (c Calls) Run(ctx context.Context) (Report, error) { return c.during(ctx, c.measure) }

// during places the calls, measures as asked, and hangs up.
func (c Calls) during(ctx context.Context, measure func(context.Context, *wheel, *Report) error) (Report, error) {
	if !c.SIP.Addr().IsLoopback() {
		return Report{}, fmt.Errorf("%v is not a loopback address: the load generator talks to this machine only", c.SIP)
	}
	if c.Count < 1 || c.Count > 5000 || c.Time <= 0 || c.Time > 10*time.Minute || len(c.Rooms) == 0 || c.Rate < 1 {
		return Report{}, fmt.Errorf("want 1-5000 calls, 1 or more a second, in 1 or more rooms, for at most 10 minutes")
	}
	agent, err := newAgent(c.SIP)
	if err != nil {
		return Report{}, err
	}
	defer agent.close()
	media := newWheel()
	ctx, stop := context.WithCancel(ctx)
	defer func() { stop(); <-media.done }()
	go media.run(ctx)

	report, calls := c.place(ctx, agent, media)
	defer func() {
		for _, one := range calls {
			agent.bye(one)
		}
		agent.quiet(2 * time.Second)
	}()
	if report.Answered == 0 {
		return report, fmt.Errorf("none of %d calls was answered: %s", c.Count, agent.lastFailure())
	}
	if err := pause(ctx, c.Settle); err != nil {
		return report, err
	}
	return report, measure(ctx, media, &report)
}

// place places the calls at the rate and hands the answered ones to the wheel.
func (c Calls) place(ctx context.Context, agent *agent, media *wheel) (Report, []*dialog) {
	var report Report
	var calls []*dialog
	var setup []float64
	answers := make(chan *dialog, c.Count)
	start := time.Now()
	for i := range c.Count {
		if pause(ctx, time.Until(start.Add(time.Duration(i)*time.Second/time.Duration(c.Rate)))) != nil {
			break
		}
		room := i % len(c.Rooms)
		talks := c.Talkers < 0 || i/len(c.Rooms) < c.Talkers
		go func() { answers <- agent.invite(ctx, c.Rooms[room], talks) }()
	}
	for range c.Count {
		d := <-answers
		if d.err != nil {
			report.Failed++
			continue
		}
		report.Answered++
		setup = append(setup, float64(d.setup.Microseconds())/1000)
		calls = append(calls, d)
		media.add(d.leg)
	}
	report.SetupMillis = quantiles(setup)
	return report, calls
}

// measure fills in what one window shows.
func (c Calls) measure(ctx context.Context, media *wheel, r *Report) error {
	media.reset()
	cpu, err := cpuTime(c.PID)
	if err != nil {
		return err
	}
	from := time.Now()
	if err := pause(ctx, c.Time); err != nil {
		return err
	}
	elapsed := time.Since(from)
	used, err := cpuTime(c.PID)
	if err != nil {
		return err
	}
	t := media.totals()
	used -= cpu
	r.ServerCore = used.Seconds() / elapsed.Seconds()
	r.ServerCPU = 1000 * used.Seconds() / (elapsed.Seconds() * float64(r.Answered))
	r.ReceivedRatio = float64(t.received) / (float64(r.Answered) * elapsed.Seconds() * 50)
	r.MissingPercent = 100 * float64(t.missing) / float64(max(1, t.received+t.missing))
	r.LatePercent = 100 * float64(t.late) / float64(max(1, t.received))
	r.LagMillis = t.lag.Seconds() * 1000
	r.MemoryMB = memory(c.PID)
	return nil
}

// pause waits in real time: the load is real.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cpuTime returns the CPU time that a process has used (proc(5), clock ticks of 10 ms).
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("server's CPU time: %w", err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("server's CPU time: odd /proc/%d/stat", pid)
	}
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

// memory returns a process's resident memory in MB.
func memory(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1024
		}
	}
	return 0
}
