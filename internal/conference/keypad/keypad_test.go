package keypad

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/conference"
)

var epoch = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

// TestMatch types keys; a space is a pause. What is done and what is passed on is written together.
func TestMatch(t *testing.T) {
	const everybody, boss = conference.Member, conference.Moderator
	for _, tt := range []struct {
		table string
		role  conference.Role
		keys  string
		want  string
	}{
		{"freeswitch", everybody, "0", "[mute]"},
		{"freeswitch", everybody, "9", "9"},
		{"freeswitch", everybody, "*#", "[deaf][leave]"},
		{"consumer", everybody, "*6", "[mute]"},
		{"consumer", everybody, "6*6", "6[mute]"},
		{"consumer", everybody, "* 6", "*6"},
		{"consumer", everybody, "**", "[leave]"},
		{"consumer", everybody, "*5*7", "*5*7"},
		{"consumer", boss, "*5*7", "[mute_all][lock]"},
		{"consumer", everybody, "*9*6", "*9[mute]"},
		{"asterisk", everybody, "1*1", "[mute][mute]"},
		{"asterisk", everybody, "*21", "*2[mute]"},
		{"asterisk", boss, "*21", "[lock][mute]"},
		{"asterisk", boss, "**3 *", "*[kick_last]*"},
		{"asterisk", everybody, "123", "[mute]23"},
		{"none", boss, "*6", "*6"},
		{"", boss, "*6", "*6"},
	} {
		t.Run(tt.table+" "+tt.keys, func(t *testing.T) {
			var pad Pad
			var out strings.Builder
			write := func(run []Action, pass string) {
				out.WriteString(pass)
				for _, a := range run {
					fmt.Fprintf(&out, "[%s]", a)
				}
			}
			for i, key := range []byte(tt.keys + " ") {
				if key != ' ' {
					write(pad.Press(tt.table, tt.role, key, epoch.Add(time.Duration(i)*time.Second)))
				} else if !pad.Due().IsZero() {
					write(pad.Lapse(tt.table, tt.role))
				}
			}
			if out.String() != tt.want || !pad.Due().IsZero() {
				t.Errorf("got %s, want %s", out.String(), tt.want)
			}
		})
	}
}

// TestMaps says that the rules know the maps by their names, and that the maps bind each sequence once, to something that is there.
func TestMaps(t *testing.T) {
	for name, table := range Maps {
		s := conference.State{}
		if _, err := s.Decide(conference.Create{
			At: epoch, ID: "c0000000-0000-4000-8000-000000000000", CustomerID: "50000000-0000-4000-8000-000000000000", Settings: conference.Settings{Keypad: name},
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var seen []string
		for _, b := range table {
			if slices.Contains(seen, b.Keys) || strings.Trim(b.Keys, "0123456789*#") != "" || b.Keys == "" {
				t.Errorf("%s: %q", name, b.Keys)
			}
			seen = append(seen, b.Keys)
			if Command(b.Action, &s, conference.Participant{}, epoch) == nil && b.Action != Count && b.Action != KickLast {
				t.Errorf("%s: %s does nothing", name, b.Action)
			}
		}
	}
}

func TestCommands(t *testing.T) {
	joined := func(id string, role conference.Role, at int) *conference.Participant {
		return &conference.Participant{
			ID: conference.ParticipantID(id), Status: conference.Joined, Role: role,
			ParticipantTimes: conference.ParticipantTimes{Joined: epoch.Add(time.Duration(at))},
		}
	}
	s := conference.State{Participants: []*conference.Participant{
		joined("boss", conference.Moderator, 1), joined("last", conference.Member, 3), joined("first", conference.Member, 2), joined("other", conference.Moderator, 4),
	}}
	boss := s.Participants[0]
	if c := Command(KickLast, &s, *boss, epoch); c != (conference.Kick{At: epoch, ID: "last"}) {
		t.Errorf("kicks %+v", c)
	}
	s.Conference.MuteNewcomers, s.Conference.Admission = true, conference.Locked
	if c := Command(MuteAll, &s, *boss, epoch); c != (conference.MuteAll{At: epoch}) {
		t.Errorf("mutes %+v", c)
	}
	if c := Command(Lock, &s, *boss, epoch); c != (conference.Unlock{At: epoch}) {
		t.Errorf("locks %+v", c)
	}
	boss.Volume = 11
	if c := Command(Louder, &s, *boss, epoch).(conference.Set); *c.Patch.Volume != volumeMost {
		t.Errorf("volume %d", *c.Patch.Volume)
	}
	if c := Command(Deaf, &s, *boss, epoch).(conference.Set); !*c.Patch.Deaf || !*c.Patch.Muted {
		t.Errorf("deaf %+v", c.Patch)
	}
	if Command(KickLast, &conference.State{}, *boss, epoch) != nil {
		t.Error("kicks nobody")
	}
}
