package prompt

import (
	"container/list"
	"sync"
)

// lru keeps values up to a total size and forgets those that were not used for the longest time. gone is told of each, with the lock held.
type lru[T any] struct {
	mu    sync.Mutex
	most  int64
	size  int64
	order list.List // of *slot[T], the one used last in front
	slots map[string]*list.Element
	gone  func(key string)
}

type slot[T any] struct {
	key   string
	size  int64
	value T
}

func newLRU[T any](most int64, gone func(key string)) *lru[T] {
	return &lru[T]{most: most, slots: map[string]*list.Element{}, gone: gone}
}

func (l *lru[T]) get(key string) (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.slots[key]
	if e == nil {
		return value, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*slot[T]).value, true
}

// put keeps a value; one that is larger than everything may be is not kept.
func (l *lru[T]) put(key string, value T, size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.slots[key]; e != nil {
		l.drop(e, false)
	}
	l.slots[key] = l.order.PushFront(&slot[T]{key, size, value})
	l.size += size
	for l.size > l.most {
		l.drop(l.order.Back(), true)
	}
}

func (l *lru[T]) remove(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.slots[key]; e != nil {
		l.drop(e, true)
	}
}

func (l *lru[T]) drop(e *list.Element, tell bool) {
	s := l.order.Remove(e).(*slot[T])
	delete(l.slots, s.key)
	l.size -= s.size
	if tell && l.gone != nil {
		l.gone(s.key)
	}
}
