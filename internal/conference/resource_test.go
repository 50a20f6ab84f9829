package conference_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	. "parley/internal/conference"
)

func indented(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", " "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestResourceOfFreshConference(t *testing.T) {
	x := newTrial(t, Limits{})
	if _, err := x.do(Create{At: epoch, ID: conferenceID, CustomerID: customerID, Settings: Settings{PIN: "1234", ModeratorPIN: "9999"}, DirectHash: "4be1c02f9a77"}); err != nil {
		t.Fatal(err)
	}
	const want = `{
 "id": "c0000000-0000-4000-8000-000000000000",
 "customer_id": "50000000-0000-4000-8000-000000000000",
 "type": "conference",
 "status": "progressing",
 "name": "",
 "detail": "",
 "data": {},
 "timeout": 0,
 "pre_flow_id": "00000000-0000-0000-0000-000000000000",
 "post_flow_id": "00000000-0000-0000-0000-000000000000",
 "conferencecall_ids": [],
 "recording_id": "00000000-0000-0000-0000-000000000000",
 "recording_ids": [],
 "transcribe_id": "00000000-0000-0000-0000-000000000000",
 "transcribe_ids": [],
 "direct_hash": "direct.4be1c02f9a77",
 "tm_end": null,
 "tm_create": "2026-01-15T09:30:00.000000Z",
 "tm_update": null,
 "tm_delete": null,
 "max_participants": 0,
 "admission": "open",
 "end_on_moderator_leave": false,
 "entry_tone": "none",
 "wait_music": "music",
 "keypad": "none",
 "recording_notice": "none",
 "dial_in": "",
 "video": "off",
 "end_reason": "",
 "conferencecall_count": 0
}`
	if got := indented(t, x.state.Conference.Resource()); got != want {
		t.Error(firstDifference(got, want))
	}
}

func TestResourceOfParticipant(t *testing.T) {
	x := newTrial(t, Limits{})
	id := participantID("a")
	for _, c := range []Command{
		Create{At: epoch, ID: conferenceID, CustomerID: customerID},
		Join{At: epoch, ID: id, CustomerID: customerID, CallID: "ca000000-0000-4000-8000-000000000000", Name: "Ann", Media: Media{Kind: "sip", Codec: "opus", Address: "192.0.2.x"}},
		Connected{At: epoch.Add(1500 * time.Millisecond), ID: id},
	} {
		if _, err := x.do(c); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{
 "id": "bb000000-0000-4000-8000-000000000061",
 "customer_id": "50000000-0000-4000-8000-000000000000",
 "activeflow_id": "00000000-0000-0000-0000-000000000000",
 "conference_id": "c0000000-0000-4000-8000-000000000000",
 "reference_type": "call",
 "reference_id": "ca000000-0000-4000-8000-000000000000",
 "status": "joined",
 "tm_create": "2026-01-15T09:30:00.000000Z",
 "tm_update": "2026-01-15T09:30:01.500000Z",
 "tm_delete": null,
 "name": "Ann",
 "role": "participant",
 "muted": false,
 "deaf": false,
 "held": false,
 "remote_held": false,
 "speaking": false,
 "volume": 0,
 "waiting": "",
 "leave_reason": "",
 "tm_joined": "2026-01-15T09:30:01.500000Z",
 "tm_leaved": null,
 "media": {
  "kind": "sip",
  "codec": "opus",
  "address": "192.0.2.x",
  "video": false
 }
}`
	if got := indented(t, x.state.Participants[0].Resource()); got != want {
		t.Error(firstDifference(got, want))
	}
	events, err := x.do(Digit{At: epoch.Add(2 * time.Second), ID: id, Digit: "#"})
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	data, err := events[0].Data()
	if err != nil || !strings.HasSuffix(string(data), `,"digit":"#"}`) || !strings.Contains(string(data), `"name":"Ann"`) {
		t.Errorf("digit event: %s, %v", data, err)
	}
}

// TestEventsOfLargeConferencesStaySmall: beyond 100 joined the list is elsewhere, and the event says where; the resource is complete.
func TestEventsOfLargeConferencesStaySmall(t *testing.T) {
	type shape struct {
		IDs   []string `json:"conferencecall_ids"`
		Count int      `json:"conferencecall_count"`
		URL   string   `json:"conferencecalls_url"`
	}
	for _, n := range []int{100, 101} {
		c := Conference{ID: conferenceID, CustomerID: customerID}
		for i := range n {
			c.Joined = append(c.Joined, string(participantID(fmt.Sprint(i))))
		}
		data, err := Event{Type: ConferenceUpdated, Conference: &c}.Data()
		if err != nil {
			t.Fatal(err)
		}
		var got shape
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		complete := n <= 100
		if (len(got.IDs) == n) != complete || got.IDs == nil || got.Count != n || (got.URL == "") != complete {
			t.Errorf("%d joined: %d ids, count %d, url %q", n, len(got.IDs), got.Count, got.URL)
		}
		if all := c.Resource(); len(all.ConferencecallIDs) != n {
			t.Errorf("%d joined: the resource lists %d", n, len(all.ConferencecallIDs))
		}
	}
}

func TestPINsStayInside(t *testing.T) {
	x := newTrial(t, Limits{})
	events, err := x.do(Create{At: epoch, ID: conferenceID, CustomerID: customerID, Settings: Settings{PIN: "271828", ModeratorPIN: "314159"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		data, err := e.Data()
		if err != nil || bytes.Contains(data, []byte("271828")) || bytes.Contains(data, []byte("314159")) {
			t.Errorf("%s: %s, %v", e.Type, data, err)
		}
	}
}

func TestEventAboutNothing(t *testing.T) {
	if data, err := (Event{Type: ConferenceUpdated}).Data(); err == nil {
		t.Errorf("was written as %s", data)
	}
}

// TestCommandsOfNobody: what no owner sends is an error and never an event.
func TestCommandsOfNobody(t *testing.T) {
	x := newTrial(t, Limits{})
	timeless := Create{ID: conferenceID, CustomerID: customerID}
	if events, err := x.do(timeless); err == nil {
		t.Errorf("a command without a time gave %v", events)
	}
	timeless.At = epoch
	if _, err := x.do(timeless); err != nil {
		t.Fatal(err)
	}
	if events, err := x.do(nil); err == nil {
		t.Errorf("no command gave %v", events)
	}
}

// BenchmarkSpeech is the most frequent command, in a large conference.
func BenchmarkSpeech(b *testing.B) {
	s := State{Limits: Limits{MaxAge: time.Hour}}
	fold := func(c Command) {
		events, err := s.Decide(c)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range events {
			s.Apply(e)
		}
	}
	fold(Create{At: epoch, ID: conferenceID, CustomerID: customerID})
	for i := range 300 {
		fold(Join{At: epoch, ID: participantID(fmt.Sprint(i)), CustomerID: customerID})
		fold(Connected{At: epoch, ID: participantID(fmt.Sprint(i))})
	}
	b.ReportAllocs()
	on := true
	for b.Loop() {
		fold(Speech{At: epoch, ID: participantID("150"), Speaking: on})
		on = !on
	}
}
