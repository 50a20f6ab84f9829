package chat

import (
	"math"
	"sync"
	"time"

	"parley/internal/conference"
	"parley/internal/fault"
)

// pace counts what was written in the last minute. The zero value is ready.
type pace struct {
	mu   sync.Mutex
	seen map[source][]int64 // microseconds, ascending
}

// source is a writer in a conference; all of them together have no participant and are all.
type source struct {
	conference conference.ID
	from       conference.ParticipantID
	all        bool
}

const (
	window      = time.Minute
	sourcesMost = 10_000 // before the silent ones are forgotten
)

// take counts one message, or refuses it.
func (p *pace) take(m Message, l Limits, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= sourcesMost {
		p.forget(now)
	}
	if p.seen == nil {
		p.seen = map[source][]int64{}
	}
	one, all := source{m.ConferenceID, m.From, false}, source{m.ConferenceID, "", true}
	if err := p.allow(one, l.PerSender, now, "one writer"); err != nil {
		return err
	}
	if err := p.allow(all, l.PerConference, now, "all together"); err != nil {
		return err
	}
	p.seen[one] = append(p.seen[one], now.UnixMicro())
	p.seen[all] = append(p.seen[all], now.UnixMicro())
	return nil
}

// allow refuses when a source has written as much as it may in the last minute.
func (p *pace) allow(s source, most int, now time.Time, who string) error {
	list := recent(p.seen[s], now)
	if p.seen[s] = list; len(list) < most {
		return nil
	}
	wait := time.Duration(list[len(list)-most]-now.Add(-window).UnixMicro()) * time.Microsecond
	return fault.New(fault.Exhausted, "MESSAGE_RATE_EXCEEDED",
		"%s may write %d messages a minute in a conference; write again in %d s", who, most, int(math.Ceil(wait.Seconds())))
}

// recent drops what is older than the window. A clock that was set back makes nobody wait longer than that.
func recent(list []int64, now time.Time) []int64 {
	from, to := now.Add(-window).UnixMicro(), now.UnixMicro()
	n := 0
	for n < len(list) && (list[n] <= from || list[n] > to) {
		n++
	}
	return list[n:]
}

func (p *pace) forget(now time.Time) {
	for s, list := range p.seen {
		if len(recent(list, now)) == 0 {
			delete(p.seen, s)
		}
	}
	for s := range p.seen { // all of them write: rather too many messages than too much memory
		if len(p.seen) < sourcesMost/2 {
			return
		}
		delete(p.seen, s)
	}
}
