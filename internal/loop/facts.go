package loop

import (
	"time"

	"parley/internal/wall"
)

// FactKind says what a Fact is about.
type FactKind uint8

// The kinds of facts.
const (
	Connected     FactKind = iota // a believed packet of the session has come, in this room or before
	SpeechStarted                 // talk detection of an unmuted port
	SpeechStopped
	DigitPressed
)

// Fact is something that the loop noticed.
type Fact struct {
	Tag   string
	Kind  FactKind
	Digit byte // '0'-'9', '*', '#', 'A'-'D'
	At    time.Time
}

// Figures of facts.
const (
	factsWaiting  = 256 // per room, in the channel
	digitsWaiting = 32  // per port, while the channel is full; more are counted as lost
)

// told is what a port has told of itself. The loop compares it with what is, each tick: what could not be told is told later,
// in the state that is then the last.
type told struct {
	connected, talking bool
	digits             [digitsWaiting]byte
	waiting            int
}

// Facts returns the channel of what happens in the room. The loop never waits for its reader: facts that do not fit are
// sent at a later tick, merged with what has happened since, so that the last state always arrives. Closed after Close.
func (r *Room) Facts() <-chan Fact { return r.facts }

// report tells what has changed about a port.
func (r *Room) report(p *Port) {
	if level := int32(p.mix.Level()); level != p.level.Load() {
		p.level.Store(level)
	}
	t := &p.told
	if !t.connected && p.leg.rtp.Connected() {
		t.connected = r.tell(p, Connected, 0)
	}
	if talking := p.mix.Talking(); talking != t.talking {
		kind := SpeechStopped
		if talking {
			kind = SpeechStarted
		}
		if r.tell(p, kind, 0) {
			t.talking = talking
		}
	}
	for d, ok := p.leg.rtp.Digit(); ok; d, ok = p.leg.rtp.Digit() {
		if t.waiting == digitsWaiting {
			r.loop.counts.DigitsLost++
			continue
		}
		t.digits[t.waiting] = d
		t.waiting++
	}
	if t.waiting > 0 {
		r.tellDigits(p, t)
	}
}

func (r *Room) tellDigits(p *Port, t *told) {
	n := 0
	for n < t.waiting && r.tell(p, DigitPressed, t.digits[n]) {
		n++
	}
	copy(t.digits[:], t.digits[n:t.waiting])
	t.waiting -= n
}

// tell sends a fact if there is room for it. Facts are rare, so the clock is read for each.
func (r *Room) tell(p *Port, kind FactKind, digit byte) bool {
	if len(r.facts) == cap(r.facts) {
		return false
	}
	select {
	case r.facts <- Fact{Tag: p.tag, Kind: kind, Digit: digit, At: wall.Now().UTC()}:
		return true
	default:
		return false
	}
}

// withdraw takes the facts of a tag out of the channel. The loop is the only sender, so what it has taken out fits in again, and
// the order stays whoever reads meanwhile.
func (r *Room) withdraw(tag string) {
	r.kept = r.kept[:0]
	for taking := true; taking; {
		select {
		case f := <-r.facts:
			if f.Tag != tag {
				r.kept = append(r.kept, f)
			}
		default:
			taking = false
		}
	}
	for _, f := range r.kept {
		r.facts <- f
	}
	clear(r.kept)
}
