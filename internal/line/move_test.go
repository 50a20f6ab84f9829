package line_test

import (
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/room"
)

// TestMoved has a call go on in another conference, and in a third, and end there.
func TestMoved(t *testing.T) {
	bubble(t, open, func(b *bench) {
		first, second, third := b.conference(conference.Settings{}), b.conference(conference.Settings{PIN: "1"}), b.conference(conference.Settings{})
		p := newPhone()
		_, done := b.dial(p, first)
		time.Sleep(2 * time.Second)
		who := b.participant()
		from := first.ID
		for _, to := range []conference.ID{second.ID, third.ID} {
			v, err := b.rooms.Move(b.ctx, from, who.ID, to, room.DoOptions{CustomerID: customer})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if now := b.call(); now.ConferenceID != string(to) || now.ConferencecallID != string(v.Participant.ID) || now.Status != call.Progressing {
				t.Errorf("the call is %s in %s as %s", now.Status, now.ConferenceID, now.ConferencecallID)
			}
			from, who = to, *v.Participant
		}
		for _, x := range b.participants() {
			want := conference.Leaved
			if x.ID == who.ID {
				want = conference.Joined
			}
			if x.Status != want || x.Name != "Alice" {
				t.Errorf("%s in %s is %s (%s)", x.Name, x.ConferenceID, x.Status, x.LeaveReason)
			}
		}
		if _, err := b.rooms.Do(b.ctx, third.ID, conference.Kick{At: time.Now(), ID: who.ID}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantCall(t, b.call(), call.Local, call.Normal)
		if _, h := p.told(); h != 1 {
			t.Errorf("the phone was hung up %d times", h)
		}
	})
}
