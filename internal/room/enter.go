package room

import (
	"parley/internal/conference"
	"parley/internal/fault"
)

// apart separates the requests to enter from the commands.
func apart(group []*request) (commands, entering []*request) {
	for _, q := range group {
		if q.command == nil {
			entering = append(entering, q)
		} else {
			commands = append(commands, q)
		}
	}
	return commands, entering
}

// bring lets sessions into the mix, all in one wait for the media loop.
func (r *room) bring(entering []*request) {
	var in []*Seat
	var waiting []*request
	for _, q := range entering {
		if err := r.mayEnter(q); err != nil {
			q.answer(View{}, err)
			continue
		}
		q.seat.session = q.session
		in, waiting = append(in, q.seat), append(waiting, q)
	}
	r.enter(in)
	for _, q := range waiting {
		q.answer(View{}, q.seat.refused)
	}
}

func (r *room) mayEnter(q *request) error {
	seat := q.seat
	switch {
	case r.ended:
		return errMoved
	case r.seats[seat.id] != seat:
		return fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left; it cannot enter any more", seat.id)
	case seat.session != nil:
		return fault.New(fault.Conflict, "SEAT_ENTERED", "conferencecall %s has entered its conference already", seat.id)
	}
	if p := find(r.state.Participants, seat.id); p == nil || p.Status == conference.Leaving {
		return fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left; it cannot enter any more", seat.id)
	}
	return nil
}
