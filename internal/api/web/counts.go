package web

import (
	"cmp"
	"slices"
	"sync"
)

// Counts are what the frame has seen since the start. Its methods may be called from any goroutine.
type Counts struct {
	mu       sync.Mutex
	inFlight int
	panics   int64
	by       map[count]int64
}

type count struct {
	route  string
	status int
}

// Count is the number of answers of one route with one status. Route is the pattern, "" for requests that no route took.
type Count struct {
	Route   string
	Status  int
	Answers int64
}

// NewCounts returns counts of nothing.
func NewCounts() *Counts { return &Counts{by: map[count]int64{}} }

func (c *Counts) enter() {
	c.mu.Lock()
	c.inFlight++
	c.mu.Unlock()
}

func (c *Counts) leave(route string, status int) {
	c.mu.Lock()
	c.inFlight--
	c.by[count{route, status}]++
	c.mu.Unlock()
}

func (c *Counts) panicked() {
	c.mu.Lock()
	c.panics++
	c.mu.Unlock()
}

// Read returns the answers by route and status in a stable order, the requests under way, and the panics.
func (c *Counts) Read() (answers []Count, inFlight int, panics int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, n := range c.by {
		answers = append(answers, Count{k.route, k.status, n})
	}
	slices.SortFunc(answers, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Status, b.Status))
	})
	return answers, c.inFlight, c.panics
}
