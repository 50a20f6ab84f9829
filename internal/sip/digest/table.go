package digest

import (
	"sync"
	"time"
)

// most is the size of a table: strangers must not fill memory. When it is full the oldest generation goes.
const most = 100_000

// table maps keys to values that are forgotten between one and two lives after they were last changed. Two generations take the place of timers.
type table[K comparable, V any] struct {
	mu       sync.Mutex // guards all fields below
	life     time.Duration
	turned   time.Time
	new, old map[K]V
}

func (t *table[K, V]) get(now time.Time, k K) (V, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	if v, ok := t.new[k]; ok {
		return v, true
	}
	v, ok := t.old[k]
	return v, ok
}

func (t *table[K, V]) update(now time.Time, k K, change func(V) V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(now)
	v, ok := t.new[k]
	if !ok {
		v = t.old[k]
	}
	t.new[k] = change(v)
}

func (t *table[K, V]) turn(now time.Time) {
	switch age := now.Sub(t.turned); {
	case t.new == nil || age >= 2*t.life:
		t.new, t.old, t.turned = map[K]V{}, nil, now
	case age >= t.life || len(t.new) >= most:
		t.new, t.old, t.turned = map[K]V{}, t.new, now
	}
}
