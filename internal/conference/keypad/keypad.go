// Package keypad says which keys of a phone do what in a conference: three maps as data, a matcher for sequences, and the commands that an action
// stands for, which are those of the API. It is pure: no goroutine, no clock. What is said to who asks for the count is for the room.
package keypad

import (
	"strings"
	"time"

	"parley/internal/conference"
)

// Action is what a sequence of keys does.
type Action string

// The actions.
const (
	Mute     Action = "mute" // oneself, or not any more
	Deaf     Action = "deaf" // hear nothing and be muted, or not any more
	Louder   Action = "louder"
	Softer   Action = "softer"
	Even     Action = "even" // as loud as it came
	Leave    Action = "leave"
	Count    Action = "count"     // hear how many are there
	Lock     Action = "lock"      // the conference, or open it
	MuteAll  Action = "mute_all"  // but moderators, or not any more
	KickLast Action = "kick_last" // who came last and is no moderator
)

// Binding is a sequence of keys and what it does.
type Binding struct {
	Keys      string
	Action    Action
	Moderator bool // others' keys are just keys
}

// Maps are those that a conference may choose. Where the originals have keys for how loud the others are or how sensitive the talk detection is, there
// is nothing: a conference has no such settings.
var Maps = map[string][]Binding{
	"freeswitch": {
		{"0", Mute, false}, {"*", Deaf, false}, {"3", Louder, false}, {"2", Even, false}, {"1", Softer, false}, {"#", Leave, false},
	},
	"asterisk": {
		{"*1", Mute, false},
		{"1", Mute, false},
		{"*7", Softer, false},
		{"7", Softer, false},
		{"*9", Louder, false},
		{"9", Louder, false},
		{"*8", Leave, false},
		{"8", Leave, false},
		{"*0", Count, false},
		{"*2", Lock, true},
		{"*3", KickLast, true},
		{"*5", MuteAll, true},
	},
	"consumer": {
		{"*6", Mute, false},
		{"*1", Softer, false},
		{"*3", Louder, false},
		{"*2", Count, false},
		{"**", Leave, false},
		{"*5", MuteAll, true},
		{"*7", Lock, true},
	},
}

// Patience is how long the rest of a sequence may take.
const Patience = 1500 * time.Millisecond

const (
	volumeStep = 3  // dB
	volumeMost = 12 // dB, either way
)

// Pad is the keypad of one participant. The zero value is ready.
type Pad struct {
	waiting string
	due     time.Time
	ran     string
}

// Keys returns the sequence that the last action stood for.
func (p *Pad) Keys() string { return p.ran }

// Due returns when Lapse has something to do; zero means never.
func (p *Pad) Due() time.Time { return p.due }

// Press takes a key. It returns the actions of what is complete, and the keys that belong to none, in their order.
func (p *Pad) Press(m string, role conference.Role, key byte, at time.Time) (run []Action, pass string) {
	p.waiting += string(rune(key))
	for p.waiting != "" {
		done, more := match(m, role, p.waiting)
		if more {
			p.due = at.Add(Patience)
			return run, pass
		}
		if done != "" {
			p.ran = p.waiting
			p.clear()
			return append(run, done), pass
		}
		// What came before the last key is all there will be of its sequence.
		a, rest := p.give(m, role, len(p.waiting)-1)
		run, pass = append(run, a...), pass+rest
	}
	p.clear()
	return run, pass
}

// Lapse says that no more keys have come in time.
func (p *Pad) Lapse(m string, role conference.Role) (run []Action, pass string) {
	run, pass = p.give(m, role, len(p.waiting))
	p.clear()
	return run, pass
}

// give resolves the first n keys that wait, at least one.
func (p *Pad) give(m string, role conference.Role, n int) (run []Action, pass string) {
	n = max(n, 1)
	if p.waiting == "" {
		return nil, ""
	}
	keys := p.waiting[:n]
	p.waiting = p.waiting[n:]
	if done, _ := match(m, role, keys); done != "" {
		p.ran = keys
		return []Action{done}, ""
	}
	return nil, keys
}

func (p *Pad) clear() { p.waiting, p.due = "", time.Time{} }

// match returns what the keys do, and whether more of them may do something else.
func match(m string, role conference.Role, keys string) (done Action, more bool) {
	for _, b := range Maps[m] {
		switch {
		case b.Moderator && role != conference.Moderator:
		case b.Keys == keys:
			done = b.Action
		case strings.HasPrefix(b.Keys, keys):
			more = true
		}
	}
	return done, more
}

// Command returns the command that an action of a participant stands for; nil for none.
func Command(a Action, s *conference.State, who conference.Participant, at time.Time) conference.Command {
	set := func(p conference.ParticipantPatch) conference.Command {
		return conference.Set{At: at, ID: who.ID, Patch: p}
	}
	volume := func(v int) conference.Command {
		v = min(max(v, -volumeMost), volumeMost)
		return set(conference.ParticipantPatch{Volume: &v})
	}
	switch a {
	case Mute:
		muted := !who.Muted
		return set(conference.ParticipantPatch{Muted: &muted})
	case Deaf:
		deaf := !who.Deaf
		return set(conference.ParticipantPatch{Muted: &deaf, Deaf: &deaf})
	case Louder:
		return volume(who.Volume + volumeStep)
	case Softer:
		return volume(who.Volume - volumeStep)
	case Even:
		return volume(0)
	case Leave:
		return conference.Kick{At: at, ID: who.ID, Reason: conference.LeftHangup}
	case MuteAll:
		return conference.MuteAll{At: at, Muted: !s.Conference.MuteNewcomers}
	case KickLast:
		return kickLast(s, who.ID, at)
	case Lock:
		if s.Conference.Admission == conference.Locked {
			return conference.Unlock{At: at}
		}
		locked := conference.Locked
		return conference.Update{At: at, Patch: conference.Patch{Admission: &locked}}
	}
	return nil
}

func kickLast(s *conference.State, by conference.ParticipantID, at time.Time) conference.Command {
	var last *conference.Participant
	for i := range s.Participants {
		p := s.Participants[i]
		if p.Status == conference.Joined && p.Role != conference.Moderator && p.ID != by && (last == nil || !p.Joined.Before(last.Joined)) {
			last = p
		}
	}
	if last == nil {
		return nil
	}
	return conference.Kick{At: at, ID: last.ID}
}
