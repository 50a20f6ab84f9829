package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// voices are the three phones of a room: each has a codec and a tone of its own.
var voices = []struct {
	codec string
	hertz float64
}{{"PCMU", 440}, {"G722", 700}, {"opus", 1100}}

// TestThreePhones is the main job: three phones with three codecs meet in a room made by API, each hears the others and not
// itself, one hangs up, one is kicked, the room is deleted, and the log holds exactly what happened, in order.
func TestThreePhones(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(object{"type": "conference", "name": "three phones"})
	var phones []*phone
	for i, v := range voices {
		p := newPhone(t, v.codec, tone(codecs[v.codec].rate, v.hertz, time.Minute), account{})
		p.enter("sip:" + room + "@" + s.sip)
		phones = append(phones, p)
		s.wait(room, "conferencecall_speech_started", i+1)
	}
	for i, p := range phones {
		for j, v := range voices {
			if i != j {
				p.hearsTone(v.hertz)
			}
		}
		rate, samples := p.heard()
		if level := power(rate, samples, voices[i].hertz); level > -50 {
			t.Errorf("phone %d hears itself at %.1f dB", i, level)
		}
	}

	phones[0].hangup()
	s.wait(room, "conferencecall_leaved", 1)
	kicked := s.wait(room, "conferencecall_joined", 2).Data["id"].(string)
	s.must("DELETE", "/conferencecalls/"+kicked, nil)
	phones[1].waitFor("CALL_CLOSED")
	s.wait(room, "conferencecall_leaved", 2)
	s.must("DELETE", "/conferences/"+room, nil)
	phones[2].waitFor("CALL_CLOSED")
	s.wait(room, "conference_deleted", 1)
	s.wait(room, "call_hangup", 3)

	compareLog(t, s.events(room))
	gone := s.must("GET", "/conferences/"+room, nil)
	if gone["status"] != "terminated" || gone["tm_end"] == nil || gone["tm_delete"] == nil || len(gone["conferencecall_ids"].([]any)) != 0 {
		t.Errorf("conference afterwards: %v", gone)
	}
}

// roomLog is everything that TestThreePhones makes happen in its conference, in order.
var roomLog = []string{
	"conference_created", "conference_updated",
	"conferencecall_joining", "conferencecall_joined", "conference_updated", "conferencecall_speech_started",
	"conferencecall_joining", "conferencecall_joined", "conference_updated", "conferencecall_speech_started",
	"conferencecall_joining", "conferencecall_joined", "conference_updated", "conferencecall_speech_started",
	"conferencecall_speech_stopped", "conferencecall_leaving", "conferencecall_leaved", "conference_updated", // hung up
	"conferencecall_speech_stopped", "conferencecall_leaving", "conferencecall_leaved", "conference_updated", // kicked
	"conference_updated", // deleted: terminating
	"conferencecall_speech_stopped", "conferencecall_leaving", "conferencecall_leaved", "conference_updated", "conference_deleted",
}

// callLogs is what happens to its three calls, each in order.
var callLogs = [][]string{
	{"call_created", "call_ringing", "call_updated", "call_progressing", "call_hangup"},
	{"call_created", "call_ringing", "call_updated", "call_progressing", "call_terminating", "call_hangup"},
	{"call_created", "call_ringing", "call_updated", "call_progressing", "call_terminating", "call_hangup"},
}

// compareLog compares with roomLog and callLogs. A conference has one writer and so has each call: the order of the one is exact, and of the
// others; what they have to say of each other is that a call is made before its participant and ends after it has left.
func compareLog(t *testing.T, events []event) {
	t.Helper()
	var inRoom, calls []string
	perCall := map[string][]string{}
	at := map[string]int{} // of an event of a call or of the participant of a call
	for i, e := range events {
		switch {
		case strings.HasPrefix(e.Type, "call_"):
			if perCall[e.id()] == nil {
				calls = append(calls, e.id())
			}
			perCall[e.id()] = append(perCall[e.id()], e.Type)
			at[e.id()+e.Type] = i
		case strings.HasPrefix(e.Type, "conferencecall_"):
			at[e.Data["reference_id"].(string)+e.Type] = i
			fallthrough
		default:
			inRoom = append(inRoom, e.Type)
		}
		if i > 0 && e.Seq <= events[i-1].Seq {
			t.Errorf("entry %d has seq %d after %d", i, e.Seq, events[i-1].Seq)
		}
	}
	if !slices.Equal(inRoom, roomLog) {
		t.Errorf("log of the room\n got %q\nwant %q", inRoom, roomLog)
	}
	if len(calls) != len(callLogs) {
		t.Fatalf("%d calls in the log, want %d", len(calls), len(callLogs))
	}
	for i, id := range calls {
		if !slices.Equal(perCall[id], callLogs[i]) {
			t.Errorf("log of call %d\n got %q\nwant %q", i, perCall[id], callLogs[i])
		}
		if at[id+"call_created"] > at[id+"conferencecall_joining"] || at[id+"conferencecall_leaved"] > at[id+"call_hangup"] {
			t.Errorf("call %d: made at %d, joining at %d, leaved at %d, hung up at %d", i,
				at[id+"call_created"], at[id+"conferencecall_joining"], at[id+"conferencecall_leaved"], at[id+"call_hangup"])
		}
	}
}
