package conference_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	. "parley/internal/conference"
	"parley/internal/conference/tape"
)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// trial runs commands on a state as its owner would, and watches the promises of the package on the way.
type trial struct {
	t        fataler
	state    State
	fold     State // the same events after a way through JSON, from the beginning
	statuses map[string]int
	speaking map[ParticipantID]bool
	deleted  int // conference_deleted seen
}

func newTrial(t fataler, l Limits) *trial {
	return &trial{
		t: t, state: State{Limits: l}, fold: State{Limits: l}, statuses: map[string]int{}, speaking: map[ParticipantID]bool{},
	}
}

// do decides and applies.
func (x *trial) do(c Command) ([]Event, error) {
	x.t.Helper()
	before := deepCopy(x.t, &x.state)
	events, err := x.state.Decide(c)
	if after := deepCopy(x.t, &x.state); !reflect.DeepEqual(before, after) {
		x.t.Fatalf("%T: Decide changed the state\nfrom %+v\nto   %+v", c, before, after)
	}
	if err != nil {
		if len(events) > 0 {
			x.t.Fatalf("%T: events came with the error %v", c, err)
		}
		return nil, err
	}
	x.fold.Limits = x.state.Limits
	for _, e := range events {
		x.watch(e)
		x.state.Apply(e)
		x.fold.Apply(throughJSON(x.t, e))
	}
	if !reflect.DeepEqual(x.state, x.fold) {
		x.t.Fatalf("%T: state is not the fold of its log\nstate %+v\nfold  %+v", c, x.state, x.fold)
	}
	x.consistent()
	return events, nil
}

// watch checks what the log promises from one event to the next.
func (x *trial) watch(e Event) {
	x.t.Helper()
	if stops := e.Type == ConferenceUpdated && e.Recording != nil && e.Recording.Status == tape.Stopping; !stops && things(e) != 1 {
		x.t.Fatalf("%s: not about exactly one thing", e.Type)
	}
	if _, err := e.Data(); err != nil {
		x.t.Fatalf("%s: %v", e.Type, err)
	}
	x.watchRecording(e)
	if a := e.Announcement; a != nil {
		x.forward("announcement"+a.ID, rank(string(a.Status), "queued", "playing", "ended", "failed"))
	}
	if e.Conference != nil {
		x.forward(string(e.Conference.ID), rank(string(e.Conference.Status), "starting", "progressing", "terminating", "terminated"))
		if (e.Type == ConferenceDeleted) != (e.Conference.Status == Terminated && x.deleted == 0) {
			x.t.Fatalf("%s at %s, conference_deleted seen %d times", e.Type, e.Conference.Status, x.deleted)
		}
		if e.Type == ConferenceDeleted {
			x.deleted++
		}
		return
	}
	if e.Participant == nil {
		return
	}
	p := e.Participant
	if x.deleted > 0 {
		x.t.Fatalf("%s after conference_deleted", e.Type)
	}
	x.forward(string(p.ID), rank(string(p.Status), "joining", "joined", "leaving", "leaved"))
	switch was := x.speaking[p.ID]; {
	case e.Type == ConferencecallSpeechStarted && (was || !p.Speaking), e.Type == ConferencecallSpeechStopped && (!was || p.Speaking):
		x.t.Fatalf("%s of %s: speaking before %v, after %v", e.Type, p.ID, was, p.Speaking)
	case e.Type != ConferencecallSpeechStarted && e.Type != ConferencecallSpeechStopped && was != p.Speaking:
		x.t.Fatalf("%s of %s changed speaking silently", e.Type, p.ID)
	case p.Speaking && (p.Status != Joined || p.Muted || p.Held):
		x.t.Fatalf("%s of %s: speaks but cannot be heard", e.Type, p.ID)
	}
	x.speaking[p.ID] = p.Speaking
}

// forward refuses a step back and a step after the last.
func (x *trial) forward(id string, rank int) {
	x.t.Helper()
	last, seen := x.statuses[id]
	if rank < 0 || seen && rank < last || seen && last == 3 && id != conferenceID {
		x.t.Fatalf("%s went from status %d to %d", id, last, rank)
	}
	x.statuses[id] = rank
}

func rank(status string, order ...string) int { return slices.Index(order, status) }

// consistent checks the state as a whole.
func (x *trial) consistent() {
	x.t.Helper()
	c := &x.state.Conference
	var joined []string
	for _, p := range x.state.Participants {
		if p.Status == Leaved {
			x.t.Fatalf("%s is leaved and still there", p.ID)
		}
		if !p.ParticipantTimes.Joined.IsZero() {
			joined = append(joined, string(p.ID))
		}
	}
	if c.Count != len(x.state.Participants) {
		x.t.Fatalf("count is %d with %d participants", c.Count, len(x.state.Participants))
	}
	listed := slices.Clone(c.Joined)
	slices.Sort(listed)
	slices.Sort(joined)
	if !slices.Equal(listed, joined) {
		x.t.Fatalf("joined lists %v, participants are %v", listed, joined)
	}
	if c.Status == Terminated && (c.Count > 0 || c.Ended.IsZero() || !x.state.NextDeadline().IsZero() || x.deleted != 1) {
		x.t.Fatalf("terminated with count %d, end %v, deadline %v, %d times conference_deleted",
			c.Count, c.Ended, x.state.NextDeadline(), x.deleted)
	}
	x.consistentRecordings()
	if c.Status == Terminating && c.Count == 0 && len(x.state.Recordings) == 0 {
		x.t.Fatalf("nobody is left and still terminating")
	}
	if c.Type == Connect && c.Count > 2 {
		x.t.Fatalf("connect with %d participants", c.Count)
	}
}

func deepCopy(t fataler, s *State) State {
	t.Helper()
	return State{
		Conference:   *viaJSON(t, &s.Conference),
		Participants: *viaJSON(t, &s.Participants),
		Recordings:   *viaJSON(t, &s.Recordings),
		Limits:       s.Limits,
	}
}

func throughJSON(t fataler, e Event) Event {
	t.Helper()
	if e.Conference != nil {
		e.Conference = viaJSON(t, e.Conference)
	}
	if e.Participant != nil {
		e.Participant = viaJSON(t, e.Participant)
	}
	if e.Recording != nil {
		e.Recording = viaJSON(t, e.Recording)
	}
	return e
}

func viaJSON[T any](t fataler, v *T) *T {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	out := new(T)
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("read: %v", err)
	}
	return out
}

// TestExpireActsOnce says that nothing is due a second time, for every deadline that there is.
func TestExpireActsOnce(t *testing.T) {
	x := newTrial(t, Limits{MaxAge: time.Hour, LeavingDeadline: 5 * time.Second})
	must := func(c Command) {
		t.Helper()
		if _, err := x.do(c); err != nil {
			t.Fatal(err)
		}
	}
	must(Create{At: epoch, ID: conferenceID, CustomerID: customerID, Settings: Settings{Timeout: 2 * time.Hour}})
	for i, name := range []string{"a", "b", "c"} {
		must(Join{At: epoch.Add(time.Duration(i) * 50 * time.Minute), ID: participantID(name), CustomerID: customerID})
	}
	steps := 0
	for at := x.state.NextDeadline(); !at.IsZero(); at = x.state.NextDeadline() {
		early, err := x.state.Decide(Expire{At: at.Add(-time.Microsecond)})
		if err != nil || len(early) > 0 {
			t.Fatalf("before %v: %v, %v", at, early, err)
		}
		if events, err := x.do(Expire{At: at}); err != nil || len(events) == 0 {
			t.Fatalf("at %v: %v, %v", at, events, err)
		}
		if events, err := x.do(Expire{At: at}); err != nil || len(events) > 0 {
			t.Fatalf("again at %v: %v, %v", at, events, err)
		}
		if steps++; steps > 10 {
			t.Fatal("deadlines without end")
		}
	}
	if x.state.Conference.Status != Terminated || x.state.Conference.EndReason != EndTimeout {
		t.Errorf("ended as %s, %s", x.state.Conference.Status, x.state.Conference.EndReason)
	}
}
