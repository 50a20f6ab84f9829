// Package orders is the queue through which others have a media loop's thread do something between two ticks. It is bounded, keeps the order, and drops
// nothing: who finds it full waits.
package orders

import "sync/atomic"

// Queue is for many who ask and one thread that takes. It must be made by New.
type Queue struct {
	orders chan Order
	dead   chan struct{} // closed when the thread has ended
	waits  atomic.Uint64
	wake   func()
}

// Order is a step for the thread.
type Order struct {
	step func() error
	done chan error // nil when nobody waits
}

// Take takes the step.
func (o Order) Take() {
	err := o.step()
	if o.done != nil {
		o.done <- err
	}
}

// New makes a queue with so many places; wake is called after each order.
func New(places int, wake func()) *Queue {
	return &Queue{orders: make(chan Order, places), dead: make(chan struct{}), wake: wake}
}

// Orders is where the thread takes from.
func (q *Queue) Orders() <-chan Order { return q.orders }

// Len returns how many orders wait, Waits how many have found the queue full.
func (q *Queue) Len() int { return len(q.orders) }

// Waits returns how many orders have found the queue full.
func (q *Queue) Waits() uint64 { return q.waits.Load() }

// Close is called by the thread when it ends.
func (q *Queue) Close() { close(q.dead) }

// Do has the thread take a step and waits for its error. It returns false when the thread has ended without taking it.
func (q *Queue) Do(step func() error) (taken bool, err error) {
	o := Order{step: step, done: make(chan error, 1)}
	if !q.add(o) {
		return false, nil
	}
	select {
	case err := <-o.done:
		return true, err
	case <-q.dead:
	}
	select {
	case err := <-o.done:
		return true, err
	default:
		return false, nil
	}
}

// Post has the thread take a step, without waiting for it. It reports false when the thread has ended.
func (q *Queue) Post(step func() error) bool { return q.add(Order{step: step}) }

func (q *Queue) add(o Order) bool {
	select {
	case q.orders <- o:
		q.wake()
		return true
	default:
		q.waits.Add(1)
	}
	select {
	case q.orders <- o:
		q.wake()
		return true
	case <-q.dead:
		return false
	}
}
