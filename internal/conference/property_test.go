package conference_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/conference/health"
	"parley/internal/conference/tape"
	"parley/internal/fault"
)

// TestRandomCommands plays random commands; trial checks after each of them that states only move forward, final is final, there is
// one conference_deleted, the lists are right, each speech start has one stop, Decide changes nothing, errors come without events,
// and the fold of the log (after a way through JSON) is the state.
func TestRandomCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generator{t: t, at: epoch}
		x := newTrial(t, Limits{
			MaxParticipants: rapid.IntRange(0, 4).Draw(t, "limit"), MaxAge: time.Hour, LeavingDeadline: 5 * time.Second, FinishDeadline: time.Minute,
			MediaTimeout: 30 * time.Second, Retries: 2,
		})
		var checks health.Checks
		if rapid.IntRange(0, 9).Draw(t, "created") > 0 {
			play1(t, x, g.create())
		}
		t.Repeat(map[string]func(*rapid.T){
			"create":     func(t *rapid.T) { play1(t, x, g.with(t).create()) },
			"join":       func(t *rapid.T) { play1(t, x, g.with(t).join()) },
			"join more":  func(t *rapid.T) { play1(t, x, g.with(t).join()) },
			"connected":  func(t *rapid.T) { play1(t, x, Connected{At: g.with(t).tick(), ID: g.someone()}) },
			"connected2": func(t *rapid.T) { play1(t, x, Connected{At: g.with(t).tick(), ID: g.someone()}) },
			"leave":      func(t *rapid.T) { play1(t, x, Leave{At: g.with(t).tick(), ID: g.someone(), Reason: g.leaveReason()}) },
			"kick":       func(t *rapid.T) { play1(t, x, Kick{At: g.with(t).tick(), ID: g.someone(), Reason: g.leaveReason()}) },
			"left":       func(t *rapid.T) { play1(t, x, Left{At: g.with(t).tick(), ID: g.someone()}) },
			"speech": func(t *rapid.T) {
				play1(t, x, Speech{At: g.with(t).tick(), ID: g.someone(), Speaking: rapid.Bool().Draw(t, "speaking")})
			},
			"digit": func(t *rapid.T) {
				play1(t, x, Digit{At: g.with(t).tick(), ID: g.someone(), Digit: g.pick("0", "1", "#", "d", "x", "")})
			},
			"set":    func(t *rapid.T) { play1(t, x, g.with(t).set()) },
			"update": func(t *rapid.T) { play1(t, x, g.with(t).update()) },
			"hash": func(t *rapid.T) {
				play1(t, x, SetDirectHash{At: g.with(t).tick(), Hash: g.pick("", "0123456789ab", "ba9876543210", "no")})
			},
			"admit": func(t *rapid.T) {
				play1(t, x, Admit{At: g.with(t).tick(), ID: g.someone(), All: rapid.Bool().Draw(t, "all")})
			},
			"deny": func(t *rapid.T) {
				play1(t, x, Deny{At: g.with(t).tick(), ID: g.someone(), All: rapid.Bool().Draw(t, "all")})
			},
			"play": func(t *rapid.T) { g.with(t).play(x) },
			"played": func(t *rapid.T) {
				a := announcement.Announcement{ID: string(g.with(t).someone())}
				if len(x.state.Conference.Playing) > 0 && rapid.Bool().Draw(t, "known") {
					a = x.state.Conference.Playing[0]
				}
				play1(t, x, EndAnnouncement{At: g.tick(), Announcement: a, Reason: g.pick("played", "stopped"), Failed: a.Status != "" && rapid.Bool().Draw(t, "failed")})
			},
			"unlock":         func(t *rapid.T) { play1(t, x, Unlock{At: g.with(t).tick()}) },
			"mute all":       func(t *rapid.T) { play1(t, x, MuteAll{At: g.with(t).tick(), Muted: rapid.Bool().Draw(t, "muted")}) },
			"expire":         func(t *rapid.T) { g.with(t).expire(x) },
			"expire2":        func(t *rapid.T) { g.with(t).expire(x) },
			"record":         func(t *rapid.T) { play1(t, x, g.with(t).record()) },
			"stop recording": func(t *rapid.T) { play1(t, x, StopRecording{At: g.with(t).tick()}) },
			"pause": func(t *rapid.T) {
				play1(t, x, PauseRecording{At: g.with(t).tick(), Behavior: g.pick("", "skip", "silence", "x")})
			},
			"resume":   func(t *rapid.T) { play1(t, x, ResumeRecording{At: g.with(t).tick()}) },
			"announce": func(t *rapid.T) { g.with(t).announce(x) },
			"announced": func(t *rapid.T) {
				c := Announced{At: g.with(t).tick(), ID: g.someone(), Failed: rapid.Bool().Draw(t, "failed")}
				if i := len(x.state.Recordings); i > 0 {
					c.Recording = x.state.Recordings[i-1].ID
				}
				play1(t, x, c)
			},
			"finish":   func(t *rapid.T) { g.with(t).finish(x) },
			"health":   func(t *rapid.T) { g.with(t).check(x, &checks) },
			"rare end": func(t *rapid.T) { g.with(t).rare(x) },
		})
	})
}

// play1 runs a command; errors must be refusals.
func play1(t *rapid.T, x *trial, c Command) []Event {
	x.t = t
	events, err := x.do(c)
	if err != nil && fault.KindOf(err) == fault.Internal {
		t.Fatalf("%+v: %v", c, err)
	}
	return events
}

// generator draws commands. Time goes forward in uneven steps.
type generator struct {
	t  *rapid.T
	at time.Time
}

func (g *generator) with(t *rapid.T) *generator { g.t = t; return g }

func (g *generator) tick() time.Time {
	g.at = g.at.Add(time.Duration(rapid.IntRange(0, 10_000_000_000).Draw(g.t, "step")))
	return g.at
}

func (g *generator) pick(of ...string) string { return rapid.SampledFrom(of).Draw(g.t, "pick") }

func (g *generator) someone() ParticipantID {
	return participantID(g.pick("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"))
}

func (g *generator) leaveReason() LeaveReason {
	return LeaveReason(g.pick("", "hangup", "kicked", "media_timeout", "refused", "nonsense"))
}

func (g *generator) create() Command {
	return Create{
		At: g.tick(), ID: conferenceID, CustomerID: customerID, Type: Type(g.pick("", "conference", "connect")),
		DirectHash: g.pick("", "0123456789ab"),
		Settings: Settings{
			Name:                rapid.String().Draw(g.t, "name"),
			Data:                []byte(g.pick("", "null", `{"a": "<b>&\u2028"}`, `{ "n":1e3 }`, "[")),
			Timeout:             rapid.SampledFrom([]time.Duration{0, 0, time.Minute, time.Hour, time.Second, -1}).Draw(g.t, "timeout"),
			PIN:                 g.pick("", "1234"),
			MaxParticipants:     rapid.IntRange(0, 3).Draw(g.t, "max"),
			MuteNewcomers:       rapid.Bool().Draw(g.t, "mute"),
			EndOnModeratorLeave: rapid.Bool().Draw(g.t, "end on moderator"),
		},
	}
}

func (g *generator) join() Command {
	customer := customerID
	if rapid.IntRange(0, 20).Draw(g.t, "foreign") == 0 {
		customer = "60000000-0000-4000-8000-000000000000"
	}
	return Join{
		At: g.tick(), ID: g.someone(), CustomerID: customer, Name: rapid.String().Draw(g.t, "name"),
		Role: Role(g.pick("", "moderator", "participant", "listener", "x")), Muted: rapid.Bool().Draw(g.t, "muted"),
		Media: Media{Kind: g.pick("sip", "webrtc"), Codec: "opus"},
	}
}

func (g *generator) set() Command {
	var p ParticipantPatch
	flip := func(name string) *bool {
		switch rapid.IntRange(0, 3).Draw(g.t, name) {
		case 0:
			return new(bool)
		case 1:
			on := true
			return &on
		}
		return nil
	}
	p.Muted, p.Deaf, p.Held = flip("muted"), flip("deaf"), flip("held")
	if role := Role(g.pick("", "", "moderator", "participant", "listener", "x")); role != "" {
		p.Role = &role
	}
	if volume := rapid.IntRange(-31, 31).Draw(g.t, "volume"); volume%3 == 0 {
		p.Volume = &volume
	}
	return Set{At: g.tick(), ID: g.someone(), Patch: p}
}

func (g *generator) update() Command {
	var p Patch
	if rapid.Bool().Draw(g.t, "with timeout") {
		d := time.Duration(rapid.IntRange(0, 7200).Draw(g.t, "seconds")) * time.Second
		p.Timeout = &d
	}
	if admission := Admission(g.pick("", "", "open", "locked", "lobby")); admission != "" {
		p.Admission = &admission
	}
	if n := rapid.IntRange(-1, 5).Draw(g.t, "max"); n < 4 {
		p.MaxParticipants = &n
	}
	if data := []byte(g.pick("", "{}", `{"x":[1,2]}`, "7")); len(data) > 0 {
		p.Data = &data
	}
	return Update{At: g.tick(), Patch: p}
}

// expire comes at the deadline, sometimes early or late; a second one must find nothing to do.
func (g *generator) expire(x *trial) {
	at := g.at
	if due := x.state.NextDeadline(); due.After(at) && rapid.Bool().Draw(g.t, "on time") {
		at = due
	}
	g.at = at
	play1(g.t, x, Expire{At: at})
	if again := play1(g.t, x, Expire{At: at}); len(again) > 0 {
		g.t.Fatalf("a second Expire gave %s", again[0].Type)
	}
	if due := x.state.NextDeadline(); !due.IsZero() && !due.After(at) {
		g.t.Fatalf("after Expire at %v the next deadline is %v", at, due)
	}
}

func (g *generator) record() Command {
	id := rapid.IntRange(0, 1_000_000).Draw(g.t, "id")
	return StartRecording{At: g.tick(), ID: fmt.Sprintf("4ec00000-0000-4000-8000-%012d", id), Options: tape.Options{
		Format: g.pick("", "wav", "ogg", "mp3"), Notice: g.pick("", "announce", "press_1", "x"),
		Duration: time.Duration(rapid.IntRange(-1, 40).Draw(g.t, "seconds")) * time.Second,
	}}
}

// announce tells everybody who has to be told, after which nobody is left.
func (g *generator) announce(x *trial) {
	for _, id := range x.state.Unannounced() {
		play1(g.t, x, Announce{At: g.tick(), ID: id})
	}
	if left := x.state.Unannounced(); len(left) > 0 {
		g.t.Fatalf("%q are not told of the recording", left)
	}
}

// finish ends a recording that is there; again, it must change nothing.
func (g *generator) finish(x *trial) {
	if len(x.state.Recordings) == 0 {
		return
	}
	r := rapid.SampledFrom(x.state.Recordings).Draw(g.t, "recording")
	c := FinishRecording{At: g.tick(), ID: r.ID, File: tape.File{Size: 44}, Failure: tape.Reason(g.pick("", "", "failed", "disk_full"))}
	play1(g.t, x, c)
	if again := play1(g.t, x, c); len(again) > 0 {
		g.t.Fatalf("a second FinishRecording gave %s", again[0].Type)
	}
}

func (g *generator) check(x *trial, h *health.Checks) {
	evidence := map[ParticipantID]health.Evidence{}
	for _, p := range x.state.Participants {
		switch g.pick("ended", "silent", "flows", "unknown", "nothing") {
		case "ended":
			evidence[p.ID] = health.Evidence{CallEnded: true}
		case "silent":
			evidence[p.ID] = health.Evidence{Silence: time.Minute}
		case "flows":
			evidence[p.ID] = health.Evidence{}
		case "unknown":
			evidence[p.ID] = health.Evidence{Silence: -1}
		}
	}
	for _, c := range h.Round(&x.state, g.tick(), evidence) {
		play1(g.t, x, c)
	}
}

// rare draws what ends or interrupts everything, seldom enough that something happens before.
func (g *generator) rare(x *trial) {
	switch rapid.IntRange(0, 15).Draw(g.t, "rare") {
	case 0:
		play1(g.t, x, Terminate{At: g.tick(), Delete: rapid.Bool().Draw(g.t, "delete")})
	case 1:
		play1(g.t, x, Recover{At: g.tick()})
		if x.state.Conference.Recordings.Active != "" {
			g.t.Fatalf("a recording is active after Recover")
		}
		if n := len(x.state.Participants); n > 0 {
			g.t.Fatalf("%d participants after Recover", n)
		}
		if again := play1(g.t, x, Recover{At: g.at}); len(again) > 0 {
			g.t.Fatalf("a second Recover gave %s", again[0].Type)
		}
	}
}

// FuzzSettings feeds what clients may send as texts; whatever is accepted must survive the store and an unrelated update.
func FuzzSettings(f *testing.F) {
	f.Add("standup", "weekly", `{"a":1}`, "team-7", "1234", int64(3600))
	f.Add("", "", "null", "", "", int64(0))
	f.Add("\xff", "\x00", `{"a":"<\u2028>"}`, "direct.x", "x", int64(-1))
	f.Add("n", "d", `{"a":`, "c0000000-0000-4000-8000-000000000000", "123456789012345678", int64(1)<<62)
	f.Fuzz(func(t *testing.T, name, detail, data, dialIn, pin string, seconds int64) {
		x := newTrial(t, Limits{})
		_, err := x.do(Create{At: epoch, ID: conferenceID, CustomerID: customerID, Settings: Settings{
			Name: name, Detail: detail, Data: []byte(data), DialIn: dialIn, PIN: pin, Timeout: time.Duration(seconds) * time.Second,
		}})
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused as %v: %v", fault.KindOf(err), err)
			}
			return
		}
		other := "another name"
		if _, err := x.do(Update{At: epoch, Patch: Patch{Name: &other}}); err != nil {
			t.Fatalf("accepted, but cannot be updated: %v", err)
		}
	})
}

// play starts an announcement that has not been before.
func (g *generator) play(x *trial) {
	a := announcement.Announcement{ID: fmt.Sprintf("an000000-0000-4000-8000-%012d", len(x.statuses)), Kind: announcement.Talk}
	if rapid.Bool().Draw(g.t, "to one") {
		a.ConferencecallID = string(g.someone())
	}
	play1(g.t, x, StartAnnouncement{At: g.tick(), Announcement: a})
}
