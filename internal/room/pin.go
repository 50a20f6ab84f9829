package room

import (
	"context"

	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room/gate"
)

// Gate asks one call for the PIN of a conference. It belongs to whoever asks the caller.
type Gate struct {
	host *Host
	id   conference.ID
	gate *gate.Gate
}

// Gate returns the gate of a conference for one call, which has three tries.
func (h *Host) Gate(id conference.ID) *Gate { return &Gate{h, id, h.gates.Open(string(id))} }

// Try returns the role that the digits give: the moderators' PIN makes a moderator, no digits are right where only moderators have a PIN. Others
// are refused with PIN_WRONG, after the third with PIN_LOCKED, and also when too many calls have tried wrong ones for this conference.
func (g *Gate) Try(ctx context.Context, digits string) (role conference.Role, err error) {
	err = g.gate.Try(func() (ok bool, err error) {
		v, _, err := g.host.view(ctx, g.id)
		if err != nil {
			return false, err
		}
		role, ok = v.Conference.CheckPIN(digits)
		return ok, nil
	})
	return role, err
}

// PIN is one Try of a call that makes no other.
func (h *Host) PIN(ctx context.Context, id conference.ID, digits string) (conference.Role, error) {
	return h.Gate(id).Try(ctx, digits)
}

// joinByPIN counts what a join tries like every other try.
func (h *Host) joinByPIN(ctx context.Context, req *request) error {
	return h.Gate(req.seat.conference).gate.Try(func() (bool, error) {
		_, err := h.do(ctx, req.seat.conference, req)
		if fault.ReasonOf(err) == "PIN_WRONG" {
			return false, nil
		}
		return true, err
	})
}
