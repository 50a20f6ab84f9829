package room

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"parley/internal/conference"
	"parley/internal/conference/health"
	"parley/internal/conference/keypad"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/room/wish"
	"parley/internal/wall"
	"parley/internal/wire"
)

// Seat is a participant's place in a room as its line holds it. Its methods may be called from any goroutine, also after the room has
// ended it.
type Seat struct {
	host       *Host
	conference conference.ID
	id         conference.ParticipantID
	mediaFree  atomic.Bool
	keys       chan byte

	done chan struct{}
	fate       // written before done is closed
	next *Seat // in which a moved call goes on; likewise

	claim claim // of one in which a moved call goes on

	// What follows belongs to the room's goroutine: what it knows of the leg, whether or not it is written yet.
	session   *loop.Session // nil before it enters
	hall      *hall         // where its port is, nil for nowhere
	port      Port
	music     func() // stops what it hears alone, nil for nothing
	options   loop.PortOptions
	refused   error // the media loop did not take the session
	connected bool
	speaking  bool
	digits    []byte
	pad       keypad.Pad
}

// fate is how a seat ended.
type fate struct {
	cause   conference.LeaveReason
	by      json.RawMessage // what brought that about, as the log keeps it, or nil
	refusal error           // what the rules said against who had the cause refused
}

// claim is made by the holder of another seat that has gone on in this one.
type claim struct {
	once sync.Once
	made chan struct{}
}

const (
	digitsMax = 64 // keys of one participant that wait for a store that cannot write
	keysMax   = 64 // keys that wait for the holder of a seat; what comes then is lost to it
)

// Join gives the session a seat as joining. The caller reports Connected (or the first packet does). An empty id or time is filled in.
// Without a session the participant is joining and in no mix, as while its pre-flow runs; Seat.Enter brings it in later.
// When ctx ends before the answer, the seat is given up.
func (h *Host) Join(ctx context.Context, id conference.ID, j conference.Join, s *loop.Session) (*Seat, error) {
	known, ok := wire.ParseUUID(string(id))
	if !ok {
		return nil, wish.Unknown()
	}
	if j.ID == "" {
		j.ID = conference.ParticipantID(newID())
	}
	if j.At.IsZero() {
		j.At = wall.Now()
	}
	seat := &Seat{host: h, conference: conference.ID(known), id: j.ID, session: s, keys: make(chan byte, keysMax), done: make(chan struct{}), claim: claim{made: make(chan struct{})}}
	req := newRequest(j, DoOptions{})
	req.seat = seat
	if j.PIN == "" {
		if _, err := h.do(ctx, seat.conference, req); err != nil {
			return nil, err
		}
	} else if err := h.joinByPIN(ctx, req); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.o.WriteTimeout)
		defer cancel()
		if err := seat.Leave(undo, conference.LeftRefused); err != nil {
			h.o.Log.Warn("give up a seat that nobody waited for", "participant", seat.id, "error", err)
		}
		return nil, wish.Late(ctx)
	}
	return seat, nil
}

// ID returns the participant's id.
func (s *Seat) ID() conference.ParticipantID { return s.id }

// Conference returns where it is.
func (s *Seat) Conference() conference.ID { return s.conference }

// Connected says that the dialog is confirmed and audio may be taken as flowing even if no packet has come. When the rules refuse
// (the conference is full, locked or over by now), the seat is ended with cause refused.
func (s *Seat) Connected(ctx context.Context) error {
	return s.do(ctx, conference.Connected{At: wall.Now(), ID: s.id})
}

// Enter brings the session of a seat that was taken without one into the mix, and returns when it is there. The session must have left any other
// room. Who has entered already is refused with SEAT_ENTERED, who has left meanwhile with CONFERENCECALL_LEAVED; when the media loop refuses the
// session, the seat ends with cause refused. The rules are asked again when the participant is connected, as after any other Join.
func (s *Seat) Enter(ctx context.Context, session *loop.Session) error {
	if session == nil {
		return fault.New(fault.Invalid, "INVALID_ARGUMENT", "a media session is needed to enter a conference")
	}
	req := newRequest(nil, DoOptions{})
	req.seat, req.session = s, session
	_, err := s.host.do(ctx, s.conference, req)
	return err
}

// Keys returns the keys that the participant presses while it is in the room, also those that came by Digit, in their order. A holder that does
// not read misses what does not fit. It is never closed: wait for Done too.
func (s *Seat) Keys() <-chan byte { return s.keys }

// Leave gives the seat up with a reason; it returns when leaved is committed. Repeated calls change nothing. The room
// goes on trying to write it down when the store cannot, also after ctx has ended.
func (s *Seat) Leave(ctx context.Context, reason conference.LeaveReason) error {
	req := newRequest(conference.Leave{At: wall.Now(), ID: s.id, Reason: reason}, DoOptions{})
	req.must = true
	_, err := s.host.do(ctx, s.conference, req)
	return err
}

// Set changes name, hold or media of the participant, as signalling learns them.
func (s *Seat) Set(ctx context.Context, p conference.ParticipantPatch) error {
	return s.do(ctx, conference.Set{At: wall.Now(), ID: s.id, Patch: p})
}

// Digit reports a key that came by signalling (SIP INFO) instead of media.
func (s *Seat) Digit(ctx context.Context, digit string) error {
	return s.do(ctx, conference.Digit{At: wall.Now(), ID: s.id, Digit: digit})
}

// ExpectMedia says whether packets are to be expected of the leg, as offer and answer agreed. It is at first. Health checks do
// not count the silence of a leg that sends none.
func (s *Seat) ExpectMedia(expect bool) { s.mediaFree.Store(!expect) }

// Done closes when the room has ended the seat: kick, end of the conference, health check, lost ownership.
func (s *Seat) Done() <-chan struct{} { return s.done }

// Cause says why, once Done is closed.
func (s *Seat) Cause() conference.LeaveReason { return s.cause }

// By says what brought the end about, as the log keeps it (package store/cause), once Done is closed; nil when that is not known.
func (s *Seat) By() json.RawMessage { return s.by }

// Refusal returns what the rules said when Cause is refused, such as CONFERENCE_LOCKED or CONFERENCE_FULL, once Done is closed; nil when it was not they
// who refused.
func (s *Seat) Refusal() error { return s.refusal }

func (s *Seat) do(ctx context.Context, c conference.Command) error {
	_, err := s.host.do(ctx, s.conference, newRequest(c, DoOptions{}))
	return err
}

// end tells the holder. The room's goroutine calls it once.
func (s *Seat) end(cause conference.LeaveReason) {
	s.cause = cause
	close(s.done)
}

// note keeps a fact of the media loop until it is written.
func (s *Seat) note(f loop.Fact) {
	switch f.Kind {
	case loop.Connected:
		s.connected = true
	case loop.SpeechStarted:
		s.speaking = true
	case loop.SpeechStopped:
		s.speaking = false
	case loop.DigitPressed:
		if len(s.digits) < digitsMax {
			s.digits = append(s.digits, f.Digit)
		}
	}
}

// press hands a key to the holder.
func (s *Seat) press(digit byte) {
	select {
	case s.keys <- digit:
	default:
	}
}

// evidence is what the health check gets to know of the leg.
func (s *Seat) evidence() health.Evidence {
	e := health.Evidence{Silence: -1, MediaFree: s.mediaFree.Load()}
	if s.port != nil {
		e.Silence = s.port.Silence()
	}
	return e
}
