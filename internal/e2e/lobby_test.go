package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// louder checks that what a phone hears in a second is louder than so many dBov.
func (p *phone) louder(than float64) error {
	_, samples := p.hears(time.Second)
	sum := 0.0
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	if level := 20 * math.Log10(math.Sqrt(sum/float64(max(len(samples), 1)))/32768+1e-9); level < than {
		return fmt.Errorf("%.1f dBov", level)
	}
	return nil
}

// TestLobby has two phones wait with music, unheard by each other, until they are let in; then one is told something, presses keys, is held with music
// and moves on to another conference.
func TestLobby(t *testing.T) {
	t.Parallel()
	s := start(t)
	room := s.conference(map[string]any{"admission": "lobby", "entry_tone": "chime"})
	a := newPhone(t, "PCMU", tone(8000, hertzA, time.Minute), account{})
	a.enter("sip:" + room + "@" + s.sip)
	partA := s.wait(room, "conferencecall_joining", 1).id()
	b := newPhone(t, "G722", tone(16000, hertzB, time.Minute), account{})
	b.enter("sip:" + room + "@" + s.sip)
	partB := s.wait(room, "conferencecall_joining", 2).id()
	s.waitField("/conferencecalls/"+partA, "waiting", "lobby")
	eventually(t, 10*time.Second, "music for who waits", func() error { return a.louder(-45) })
	b.hearsNone(hertzA)
	a.hearsNone(hertzB)

	s.must("POST", "/conferences/"+room+"/admit", map[string]any{"all": true})
	s.wait(room, "conferencecall_joined", 2)
	b.hearsTone(hertzA)
	a.hearsTone(hertzB)

	s.must("POST", "/conferences/"+room+"/talk", map[string]any{"text": "Good evening, everybody."})
	s.wait(room, "announcement_started", 1)
	s.wait(room, "announcement_ended", 1)
	got := s.must("GET", "/conferencecalls/"+partA, nil)
	if _, measured := got["quality"].(map[string]any); !measured {
		t.Errorf("no quality: %v", got)
	}

	s.must("PUT", "/conferences/"+room, map[string]any{"keypad": "asterisk"})
	a.command("sndcode", "1")
	s.waitField("/conferencecalls/"+partA, "muted", true)
	b.hearsNone(hertzA)
	a.command("sndcode", "1")
	s.waitField("/conferencecalls/"+partA, "muted", false)

	s.must("POST", "/conferencecalls/"+partA+"/hold", nil)
	b.hearsNone(hertzA)
	a.hearsNone(hertzB)
	eventually(t, 10*time.Second, "music for who is held", func() error { return a.louder(-45) })
	s.must("DELETE", "/conferencecalls/"+partA+"/hold", nil)
	a.hearsTone(hertzB)

	other := s.conference(nil)
	moved := s.must("POST", "/conferencecalls/"+partB+"/move", map[string]any{"conference_id": other})
	s.waitField("/conferencecalls/"+moved["id"].(string), "status", "joined")
	s.waitField("/conferencecalls/"+partB, "leave_reason", "moved")
	a.hearsNone(hertzB)
	again := s.must("POST", "/conferencecalls/"+partA+"/move", map[string]any{"conference_id": other})
	s.waitField("/conferencecalls/"+again["id"].(string), "status", "joined")
	a.hearsTone(hertzB)
	b.hearsTone(hertzA)
}

// TestCoach has one of three phones heard by one of the others only.
func TestCoach(t *testing.T) {
	t.Parallel()
	const hertzC = 1300
	p := newPair(t)
	c := newPhone(t, "PCMA", tone(8000, hertzC, time.Minute), account{})
	c.enter("sip:" + p.room + "@" + p.s.sip)
	partC := p.s.wait(p.room, "conferencecall_joined", 3).id()
	p.a.hearsTone(hertzC)
	p.b.hearsTone(hertzC)
	path := "/conferencecalls/" + partC + "/supervise"
	p.s.must("POST", path, map[string]any{"mode": "coach", "conferencecall_ids": []string{p.partA}})
	p.b.hearsNone(hertzC)
	p.a.hearsTone(hertzC)
	p.a.hearsTone(hertzB)
	c.hearsTone(hertzA)
	c.hearsTone(hertzB)
	p.s.must("POST", path, map[string]any{"mode": "monitor"})
	p.a.hearsNone(hertzC)
	c.hearsTone(hertzA)
	p.s.must("POST", path, map[string]any{"mode": "barge"})
	p.b.hearsTone(hertzC)
	p.a.hearsTone(hertzC)
	p.b.hearsTone(hertzA)
}
