package web

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// keysMax bounds a Limiter's memory against clients with many addresses.
const keysMax = 10_000

// Limiter holds back keys that come more often than a rate. A nil Limiter lets everybody pass. Its methods may be called from any goroutine.
type Limiter struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	keys map[string]*bucket
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// tooOften says how long to wait.
type tooOften struct{ wait time.Duration }

func (t tooOften) Error() string { return fmt.Sprintf("too many requests, wait %v", t.wait) }

// NewLimiter allows perSecond requests per second and twice as many at once, nil for perSecond 0 or less.
func NewLimiter(perSecond float64) *Limiter {
	if !(perSecond > 0) {
		return nil
	}
	return &Limiter{rate: rate.Limit(perSecond), burst: max(1, int(math.Ceil(min(2*perSecond, 1e9)))), keys: map[string]*bucket{}}
}

// Take counts one request of key, or returns an error that says how long to wait.
func (l *Limiter) Take(key string) error {
	if l == nil {
		return nil
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.keys[key]
	if b == nil {
		l.makeRoom(now)
		b = &bucket{limiter: rate.NewLimiter(l.rate, l.burst)}
		l.keys[key] = b
	}
	b.used = now
	r := b.limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return tooOften{wait}
	}
	return nil
}

// makeRoom forgets keys whose buckets are full again, and when that is not enough any one.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.keys) < keysMax {
		return
	}
	refill := time.Duration(float64(l.burst) / float64(l.rate) * float64(time.Second))
	for key, b := range l.keys {
		if now.Sub(b.used) >= refill {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) < keysMax {
			return
		}
		delete(l.keys, key)
	}
}
