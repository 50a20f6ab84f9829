// Package gate bounds how often the PIN of a conference may be tried: by one call, and by all of them together. It keeps counts only, in memory, and
// starts no goroutine; what a right PIN is, the rules of the conference say.
package gate

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/internal/fault"
)

// Figures of the gates. A PIN of four digits is found in half a day on average at best, of six in seven weeks.
const (
	TriesMax = 3               // wrong ones of one call
	burst    = 20              // wrong ones of one conference that may come at once
	every    = 9 * time.Second // after that, one more each
	knownMax = 4096            // conferences with wrong tries that are remembered
)

// Gates are those of a node. The zero value is ready; its methods may be called from any goroutine.
type Gates struct {
	mu     sync.Mutex // guards wrong
	wrongs map[string]*rate.Limiter
}

// Open returns the gate of one conference for one call.
func (g *Gates) Open(conference string) *Gate { return &Gate{all: g, conference: conference} }

// Gate counts the tries of one call. It belongs to whoever asks the caller.
type Gate struct {
	all        *Gates
	conference string
	wrong      int
}

// Try returns nil when right is true. Otherwise it is PIN_WRONG, and PIN_LOCKED after the last try; a gate that is locked does not look at right, so that
// nobody learns whether it was.
func (g *Gate) Try(right func() (bool, error)) error {
	if g.wrong >= TriesMax {
		return fault.New(fault.Exhausted, "PIN_LOCKED", "too many wrong PINs in this call; call again")
	}
	if !g.all.open(g.conference) {
		return fault.New(fault.Exhausted, "PIN_LOCKED", "too many wrong PINs for this conference; try again in a minute")
	}
	ok, err := right()
	if err != nil || ok {
		return err
	}
	g.all.missed(g.conference)
	if g.wrong++; g.wrong >= TriesMax {
		return fault.New(fault.Exhausted, "PIN_LOCKED", "this was the last of %d wrong PINs; call again", TriesMax)
	}
	return fault.New(fault.Denied, "PIN_WRONG", "this is not the conference's PIN; %d tries are left", TriesMax-g.wrong)
}

func (g *Gates) open(conference string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.wrongs[conference]
	return b == nil || b.Tokens() >= 1
}

func (g *Gates) missed(conference string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrongs == nil {
		g.wrongs = map[string]*rate.Limiter{}
	}
	if g.wrongs[conference] == nil {
		g.forget()
		g.wrongs[conference] = rate.NewLimiter(rate.Every(every), burst)
	}
	g.wrongs[conference].Allow()
}

// forget makes room for more conferences: those without wrong tries for long go first, then any.
func (g *Gates) forget() {
	if len(g.wrongs) < knownMax {
		return
	}
	for id, b := range g.wrongs {
		if b.Tokens() >= burst {
			delete(g.wrongs, id)
		}
	}
	for id := range g.wrongs {
		if len(g.wrongs) < knownMax-knownMax/4 {
			return
		}
		delete(g.wrongs, id)
	}
}
