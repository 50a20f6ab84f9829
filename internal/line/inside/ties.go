package inside

import (
	"sync"

	"parley/internal/fault"
)

// Ties are the links between conferences that calls inside this server make. The zero value has none; its methods may be called from any goroutine.
type Ties struct {
	mu    sync.Mutex
	links map[*link]bool // that have an end somewhere
}

// link is between the conferences of two ends; "" for an end that is in none.
type link [2]string

// Tie is one end of a link. A nil Tie is that of a call which links nothing.
type Tie struct {
	ties *Ties
	link *link
	end  int
}

// Tie makes the two ends of a new link.
func (t *Ties) Tie() (caller, callee *Tie) {
	l := new(link)
	return &Tie{t, l, 0}, &Tie{t, l, 1}
}

// Sit says that the end goes into a conference. It is refused when its other end hears that one already, whether there or by way of others: what is said
// would come back again and again.
func (e *Tie) Sit(conference string) error {
	if e == nil {
		return nil
	}
	t := e.ties
	t.mu.Lock()
	defer t.mu.Unlock()
	if far := e.link[1-e.end]; far != "" && t.hears(far, conference, e.link) {
		return fault.New(fault.Conflict, "CONFERENCE_LINK_LOOP", "conferences %s and %s hear one another already; another link between them would make an echo without an end", far, conference)
	}
	e.link[e.end] = conference
	if t.links == nil {
		t.links = map[*link]bool{}
	}
	t.links[e.link] = true
	return nil
}

// Stand says that the end is in no conference any more.
func (e *Tie) Stand() {
	if e == nil {
		return
	}
	e.ties.mu.Lock()
	defer e.ties.mu.Unlock()
	if e.link[e.end] = ""; e.link[1-e.end] == "" {
		delete(e.ties.links, e.link)
	}
}

// hears reports whether there is a way from one conference to another that does not use a link. mu is held.
func (t *Ties) hears(from, to string, without *link) bool {
	seen, next := map[string]bool{from: true}, []string{from}
	for len(next) > 0 {
		at := next[len(next)-1]
		next = next[:len(next)-1]
		if at == to {
			return true
		}
		for l := range t.links {
			if l == without || l[0] == "" || l[1] == "" {
				continue
			}
			for i, end := range l {
				if other := l[1-i]; end == at && !seen[other] {
					seen[other] = true
					next = append(next, other)
				}
			}
		}
	}
	return false
}
