package guard

import (
	"time"

	"parley/internal/trunk/route"
	"parley/internal/wall"
)

// account counts for one customer or trunk.
type account struct {
	guard    *Guard
	kind, id string
	limits   route.Limits
	recent   []time.Time // admissions that a limit of the pace still looks at, oldest first
	passes   map[*Pass]bool

	day     time.Time // that used is of, at its beginning in UTC
	used    time.Duration
	at      time.Time // until when used is counted
	talking int
	timer   *time.Timer // runs when the day's minutes will be used up
	kept    Usage       // what was taken by Changed last
}

func dayOf(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// settle counts the talk until now. What was talked before midnight belongs to a day that is over.
func (a *account) settle(now time.Time) {
	if day := dayOf(now); !day.Equal(a.day) {
		a.day, a.used = day, 0
		if a.at.Before(day) {
			a.at = day
		}
	}
	if a.talking > 0 && now.After(a.at) {
		a.used += time.Duration(a.talking) * now.Sub(a.at)
	}
	a.at = now
}

// refuses returns the rule that one more call would break, nil for none.
func (a *account) refuses(now time.Time) *Refusal {
	a.settle(now)
	a.forget(now)
	switch l := a.limits; {
	case l.Concurrent > 0 && len(a.passes) >= l.Concurrent:
		return a.refusal(atOnce, l.Concurrent)
	case l.CallsPerSecond > 0 && a.since(now.Add(-time.Second)) >= l.CallsPerSecond:
		return a.refusal(perSecond, l.CallsPerSecond)
	case l.CallsPerMinute > 0 && a.since(now.Add(-time.Minute)) >= l.CallsPerMinute:
		return a.refusal(perMinute, l.CallsPerMinute)
	case a.usedUp():
		return a.refusal(perDay, l.MinutesPerDay)
	}
	return nil
}

func (a *account) refusal(rule string, limit int) *Refusal {
	r := &Refusal{Rule: a.kind + "_" + rule, Limit: limit}
	if a.kind == "trunk" {
		r.TrunkID = a.id
	}
	return r
}

// forget drops the admissions that no limit looks at any more.
func (a *account) forget(now time.Time) {
	horizon := now
	switch {
	case a.limits.CallsPerMinute > 0:
		horizon = now.Add(-time.Minute)
	case a.limits.CallsPerSecond > 0:
		horizon = now.Add(-time.Second)
	}
	old := len(a.recent) - a.since(horizon)
	a.recent = append(a.recent[:0], a.recent[old:]...)
}

// since counts the admissions after a time.
func (a *account) since(t time.Time) (n int) {
	for i := len(a.recent) - 1; i >= 0 && a.recent[i].After(t); i-- {
		n++
	}
	return n
}

func (a *account) admit(now time.Time, p *Pass) {
	if a.limits.CallsPerMinute > 0 || a.limits.CallsPerSecond > 0 {
		a.recent = append(a.recent, now)
	}
	a.passes[p] = true
}

// talk counts n more calls that talk.
func (a *account) talk(now time.Time, n int) {
	a.settle(now)
	a.talking += n
	a.watch()
}

func (a *account) usedUp() bool {
	most := time.Duration(a.limits.MinutesPerDay) * time.Minute
	return most > 0 && a.used >= most
}

// watch ends the calls when the minutes are used up, now or later.
func (a *account) watch() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	switch {
	case a.limits.MinutesPerDay <= 0 || a.talking == 0:
	case a.usedUp():
		for p := range a.passes {
			if p.talking && p.cut == nil {
				p.cut = a.refusal(perDay, a.limits.MinutesPerDay)
				close(p.over)
			}
		}
	default:
		left := time.Duration(a.limits.MinutesPerDay)*time.Minute - a.used
		a.timer = wall.AfterFunc(left/time.Duration(a.talking)+1, a.ring)
	}
}

// ring is the timer's.
func (a *account) ring() {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	a.settle(wall.Now())
	a.watch()
}
