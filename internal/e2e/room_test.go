package e2e

import (
	"slices"
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
	needs(t, "baresip")
	s := start(t)
	room := s.conference(object{"type": "conference", "name": "three phones"})
	var phones []*phone
	for i, v := range voices {
		p := newPhone(t, v.codec, tone(codecs[v.codec].rate, v.hertz, 30*time.Second), account{})
		p.dial("sip:" + room + "@" + s.sip)
		phones = append(phones, p)
		s.wait(room, "conferencecall_speech_started", i+1)
	}
	for _, p := range phones {
		p.hears(4 * time.Second)
	}
	for i, p := range phones {
		rate, samples := p.heard()
		for j, v := range voices {
			level := power(rate, last(rate, samples, 2), v.hertz)
			t.Logf("phone %d (%s) hears %v Hz at %.1f dB", i, voices[i].codec, v.hertz, level)
			if i == j && level > -50 {
				t.Errorf("phone %d hears itself at %.1f dB", i, level)
			}
			if i != j && (level < -16 || level > -8) {
				t.Errorf("phone %d hears phone %d at %.1f dB, want about -12", i, j, level)
			}
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

	var got []string
	for _, e := range s.events(room) {
		got = append(got, e.Type)
	}
	if !slices.Equal(got, expectedLog) {
		t.Errorf("log\n got %q\nwant %q", got, expectedLog)
	}
	gone := s.must("GET", "/conferences/"+room, nil)
	if gone["status"] != "terminated" || gone["tm_end"] == nil || gone["tm_delete"] == nil || len(gone["conferencecall_ids"].([]any)) != 0 {
		t.Errorf("conference afterwards: %v", gone)
	}
}

// expectedLog is everything that TestThreePhones makes happen in its conference.
var expectedLog = []string{}
