package e2e

import (
	"slices"
	"testing"
	"time"
)

// pair is two phones with tones in one conference.
type pair struct {
	s            *server
	room         string
	a, b         *phone
	partA, partB string // ids of the participants
}

const hertzA, hertzB = 500, 900

func newPair(t *testing.T) pair {
	s := start(t)
	p := pair{s: s, room: s.conference(nil)}
	p.a = newPhone(t, "PCMU", tone(8000, hertzA, time.Minute), account{})
	p.a.enter("sip:" + p.room + "@" + s.sip)
	p.partA = s.wait(p.room, "conferencecall_joined", 1).id()
	p.b = newPhone(t, "G722", tone(16000, hertzB, time.Minute), account{})
	p.b.enter("sip:" + p.room + "@" + s.sip)
	p.partB = s.wait(p.room, "conferencecall_joined", 2).id()
	return p
}

// TestMute mutes a participant by API: the other phone hears it no more, and again afterwards.
func TestMute(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.b.hearsTone(hertzA)
	p.s.must("POST", "/conferencecalls/"+p.partA+"/mute", nil)
	p.b.hearsNone(hertzA)
	p.a.hearsTone(hertzB)
	if got := p.s.must("GET", "/conferencecalls/"+p.partA, nil); got["muted"] != true || got["speaking"] != false {
		t.Errorf("muted participant: %v", got)
	}
	p.s.must("DELETE", "/conferencecalls/"+p.partA+"/mute", nil)
	p.b.hearsTone(hertzA)
	p.s.must("POST", "/conferencecalls/"+p.partA+"/deaf", nil)
	p.a.hearsNone(hertzB)
	p.b.hearsTone(hertzA)
	p.s.must("DELETE", "/conferencecalls/"+p.partA+"/deaf", nil)
	p.a.hearsTone(hertzB)

	var mine []string
	for _, e := range p.s.events(p.room) {
		if e.id() == p.partA {
			mine = append(mine, e.Type)
		}
	}
	started, stopped := 0, 0
	for _, kind := range mine {
		switch kind {
		case "conferencecall_speech_started":
			started++
		case "conferencecall_speech_stopped":
			stopped++
		}
		if stopped > started || started > stopped+1 {
			t.Fatalf("speech starts and stops do not alternate: %q", mine)
		}
	}
	if stopped < 1 {
		t.Errorf("muting did not stop the speech: %q", mine)
	}
}

// TestHold puts a call on hold at the phone: the participant is held and neither heard nor sent to; resuming undoes it.
func TestHold(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.b.hearsTone(hertzA)
	p.a.command("hold", "")
	p.s.waitField("/conferencecalls/"+p.partA, "held", true)
	p.b.hearsNone(hertzA)
	p.a.receives(false)
	p.a.command("resume", "")
	p.s.waitField("/conferencecalls/"+p.partA, "held", false)
	p.b.hearsTone(hertzA)
	p.a.receives(true)
	if got := p.s.must("GET", "/conferencecalls/"+p.partA, nil); got["status"] != "joined" {
		t.Errorf("participant after hold: %v", got)
	}
}

// TestDigits presses keys at the phone: each is one event, in order.
func TestDigits(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	keys := []string{"1", "5", "9", "0", "*", "#"}
	for i, k := range keys {
		p.a.command("sndcode", k)
		p.s.wait(p.room, "conferencecall_digit_received", i+1)
	}
	p.a.hangup()
	p.s.wait(p.room, "conferencecall_leaved", 1)
	var got []string
	for _, e := range p.s.events(p.room) {
		if e.Type == "conferencecall_digit_received" {
			digit, _ := e.Data["digit"].(string)
			got = append(got, digit)
			if e.id() != p.partA {
				t.Errorf("digit of another participant: %v", e.Data)
			}
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("keys received %q, pressed %q", got, keys)
	}
}
