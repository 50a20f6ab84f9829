package line_test

import (
	"testing"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/line"
	"parley/internal/room"
)

func orderTo(c conference.Conference, actions string) line.Order {
	return line.Order{
		CustomerID: customer, Source: call.Address{Type: "tel", Target: "+4930123", TargetName: "Clock"}, Actions: []byte(actions),
		Destinations: []call.Address{{Type: "conference", Target: string(c.ID)}},
	}
}

// TestCallToConference says that a call to a conference is a participant there for as long as its flow runs, and that either end ends the other.
func TestCallToConference(t *testing.T) {
	for name, end := range map[string]func(b *theatre, c conference.Conference, placed line.Placed){
		"the flow ends": func(*theatre, conference.Conference, line.Placed) { time.Sleep(time.Hour) },
		"hung up": func(b *theatre, _ conference.Conference, p line.Placed) {
			_, _ = b.x.Hangup(b.ctx, string(p.Calls[0].ID))
		},
		"kicked": func(b *theatre, c conference.Conference, _ line.Placed) {
			_, _ = b.rooms.Do(b.ctx, c.ID, conference.Kick{At: time.Now(), ID: b.participant().ID}, room.DoOptions{})
		},
		"the conference ends": func(b *theatre, c conference.Conference, _ line.Placed) {
			_, _ = b.rooms.Do(b.ctx, c.ID, conference.Terminate{At: time.Now(), Delete: true}, room.DoOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			place(t, nil, func(b *theatre, _ *network) {
				c := b.conference(conference.Settings{})
				placed, err := b.x.Place(b.ctx, orderTo(c, `[{"type":"answer"},{"type":"sleep","option":{"duration":1000000}}]`))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
				if p := b.participant(); p.Status != conference.Joined || p.Name != "Clock" {
					t.Errorf("%s is %s", p.Name, p.Status)
				}
				if n := len(b.calls()); n != 2 || b.x.Live() != 2 {
					t.Errorf("%d calls, %d live", n, b.x.Live())
				}
				end(b, c, placed)
				time.Sleep(10 * time.Second)
				if p := b.participant(); p.Status != conference.Leaved || b.x.Live() != 0 {
					t.Errorf("%s, %d calls are live", p.Status, b.x.Live())
				}
			})
		})
	}
}

// TestLinkedConferences says that two conferences can be linked once, and none with itself.
func TestLinkedConferences(t *testing.T) {
	place(t, nil, func(b *theatre, _ *network) {
		one, two := b.conference(conference.Settings{}), b.conference(conference.Settings{})
		in := func(c conference.Conference) (n int) {
			for _, p := range b.participants() {
				if p.ConferenceID == c.ID && p.Status == conference.Joined {
					n++
				}
			}
			return n
		}
		join := func(c conference.Conference) string {
			return `[{"type":"conference_join","option":{"conference_id":"` + string(c.ID) + `"}}]`
		}
		for i, tt := range []struct {
			to, from   conference.Conference
			ones, twos int // who is in them then
		}{{one, one, 0, 0}, {one, two, 1, 1}, {two, one, 1, 1}, {one, two, 1, 1}} {
			if _, err := b.x.Place(b.ctx, orderTo(tt.to, join(tt.from))); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if in(one) != tt.ones || in(two) != tt.twos {
				t.Errorf("%d: %d in one, %d in the other; want %d, %d", i, in(one), in(two), tt.ones, tt.twos)
			}
		}
		_, _ = b.rooms.Do(b.ctx, one.ID, conference.Terminate{At: time.Now(), Delete: true}, room.DoOptions{})
		time.Sleep(10 * time.Second)
		if in(two) != 0 || b.x.Live() != 0 {
			t.Errorf("%d are left, %d calls are live", in(two), b.x.Live())
		}
	})
}

// TestForeignConference says that nobody calls into somebody else's conference, and nothing into one that does not take anybody.
func TestForeignConference(t *testing.T) {
	place(t, nil, func(b *theatre, _ *network) {
		c := b.conference(conference.Settings{})
		foreign := orderTo(c, `[{"type":"answer"}]`)
		foreign.CustomerID = "cccccccc-0000-4000-8000-00000000000c"
		_, _ = b.x.Place(b.ctx, foreign)
		time.Sleep(5 * time.Second)
		if n := len(b.participants()); n != 0 || b.x.Live() != 0 {
			t.Errorf("%d are in it, %d calls live", n, b.x.Live())
		}
	})
}

// TestConferenceThatCallsItself says that a conference whose flow calls it ends that after ten times, however it does.
func TestConferenceThatCallsItself(t *testing.T) {
	for _, kind := range []string{"call", "connect"} {
		place(t, nil, func(b *theatre, _ *network) {
			c := b.conference(conference.Settings{PreFlowID: b.flow(
				`[{"type":"`+kind+`","option":{"destinations":[{"type":"conference","target":"${voipbin.conference.id}"}],"actions":[{"type":"sleep","option":{"duration":20000}}]}},{"type":"sleep","option":{"duration":20000}}]`, "",
			)})
			if _, err := b.x.Place(b.ctx, orderTo(c, `[{"type":"sleep","option":{"duration":30000}}]`)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if n := len(b.calls()); n < 4 || n > 24 {
				t.Errorf("%s: %d calls", kind, n)
			}
			time.Sleep(10 * time.Minute)
			if b.x.Live() != 0 {
				t.Errorf("%s: %d calls are live", kind, b.x.Live())
			}
		})
	}
}

// TestCallFromHereIsKnown says that a call from here is not asked for the PIN.
func TestCallFromHereIsKnown(t *testing.T) {
	place(t, nil, func(b *theatre, _ *network) {
		c := b.conference(conference.Settings{PIN: "1234"})
		if _, err := b.x.Place(b.ctx, orderTo(c, `[{"type":"sleep","option":{"duration":30000}}]`)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if p := b.participant(); p.Status != conference.Joined {
			t.Errorf("it is %s", p.Status)
		}
	})
}
