package room_test

import (
	"testing"

	"parley/internal/conference"
	"parley/internal/loop"
)

func TestPIN(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{Settings: conference.Settings{PIN: "1234", ModeratorPIN: "98765"}})
		gate := b.host.Gate(id)
		_, err := gate.Try(b.ctx, "0000")
		wantReason(t, err, "PIN_WRONG")
		role, err := gate.Try(b.ctx, "98765")
		if err != nil || role != conference.Moderator {
			t.Errorf("%q, %v", role, err)
		}
		if role, err = b.host.PIN(b.ctx, id, "1234"); err != nil || role != conference.Member {
			t.Errorf("%q, %v", role, err)
		}
		join := func(j conference.Join) error {
			j.CustomerID = customer
			s, err := b.host.Join(b.ctx, id, j, new(loop.Session))
			if err == nil {
				err = s.Leave(b.ctx, "")
			}
			return err
		}
		wantReason(t, join(conference.Join{}), "PIN_REQUIRED")
		if err := join(conference.Join{PIN: "1234"}); err != nil {
			t.Error(err)
		}
		if err := join(conference.Join{Trusted: true}); err != nil {
			t.Error(err)
		}
		for range 19 { // one has been tried above
			wantReason(t, join(conference.Join{PIN: "1111"}), "PIN_WRONG")
		}
		wantReason(t, join(conference.Join{PIN: "1234"}), "PIN_LOCKED")
		_, err = b.host.PIN(b.ctx, id, "1234")
		wantReason(t, err, "PIN_LOCKED")
		_, err = b.host.PIN(b.ctx, "nothing", "1234")
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
	})
}
