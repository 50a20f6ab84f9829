package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestGracefulStop sends SIGTERM to a server with calls: phones are hung up, everything is written, and a restart changes nothing.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	s := start(t)
	room := s.conference(nil)
	two := s.conference(object{"type": "connect"})
	var phones []*phone
	for i, target := range []string{room, room, two} {
		p := newPhone(t, "PCMU", tone(8000, 500, time.Minute), account{})
		p.enter("sip:" + target + "@" + s.sip)
		phones = append(phones, p)
		s.wait(target, "conferencecall_joined", []int{1, 2, 1}[i])
	}
	s.stop()
	for _, p := range phones {
		p.waitFor("CALL_CLOSED")
	}
	s.start()
	s.ended(room, 2)
	s.ended(two, 1)
	if got := s.must("GET", "/conferences/"+room, nil); got["status"] != "progressing" || len(got["conferencecall_ids"].([]any)) != 0 {
		t.Errorf("conference: %v", got)
	}
	before := types(s.events(room))
	s.stop()
	s.start()
	if after := types(s.events(room)); !slices.Equal(before, after) {
		t.Errorf("a restart without calls changed the log\n from %q\n   to %q", before, after)
	}
	p := newPhone(t, "PCMU", tone(8000, 500, time.Minute), account{})
	p.enter("sip:" + room + "@" + s.sip)
	s.wait(room, "conferencecall_joined", 3)
}

// ended checks that the n calls of a conference are over in every respect: records and log agree.
func (s *server) ended(room string, n int) {
	s.t.Helper()
	people := s.list("/conferences/" + room + "/conferencecalls?page_size=100")
	if len(people) != n {
		s.t.Errorf("%d participants, want %d", len(people), n)
	}
	for _, p := range people {
		if p["status"] != "leaved" || p["leave_reason"] != "lost" || p["tm_leaved"] == nil || p["speaking"] != false {
			s.t.Errorf("participant: %v", p)
		}
		if call := s.must("GET", "/calls/"+p["reference_id"].(string), nil); call["status"] != "hangup" || call["tm_hangup"] == nil {
			s.t.Errorf("call: %v", call)
		}
	}
	log := s.events(room)
	for kind, want := range map[string]int{
		"conferencecall_joined": n, "conferencecall_leaved": n, "call_created": n, "call_hangup": n,
		"conferencecall_speech_stopped": count(log, "conferencecall_speech_started"),
	} {
		if got := count(log, kind); got != want {
			s.t.Errorf("%d × %s in the log, want %d: %q", got, kind, want, types(log))
		}
	}
	for i := range log[1:] {
		if log[i+1].Seq <= log[i].Seq {
			s.t.Errorf("seq %d after %d", log[i+1].Seq, log[i].Seq)
		}
	}
}

// TestKill ends the server as a crash does, in the middle of calls and of 200 creations at once. Nothing that was acknowledged is lost, what was
// live is ended with a reason, and deadlines stay where they were.
func TestKill(t *testing.T) {
	t.Parallel()
	s := start(t)
	short := s.must("POST", "/conferences", object{"type": "conference", "timeout": 60})
	room := s.conference(nil)
	two := s.conference(object{"type": "connect"})
	for i, target := range []string{room, room, two} {
		p := newPhone(t, "PCMU", tone(8000, 500, time.Minute), account{})
		p.enter("sip:" + target + "@" + s.sip)
		s.wait(target, "conferencecall_joined", []int{1, 2, 1}[i])
	}
	acknowledged := s.createUntilKilled(200, 20)
	s.start()

	for id, name := range acknowledged {
		if got := s.must("GET", "/conferences/"+id, nil); got["name"] != name || got["status"] != "progressing" {
			t.Errorf("acknowledged conference: %v", got)
		}
		if log := types(s.events(id)); !slices.Equal(log, []string{"conference_created", "conference_updated"}) {
			t.Errorf("acknowledged conference has the log %q", log)
		}
	}
	s.ended(room, 2)
	s.ended(two, 1)
	if got := s.must("GET", "/conferences/"+room, nil); got["status"] != "progressing" || len(got["conferencecall_ids"].([]any)) != 0 {
		t.Errorf("permanent conference: %v", got)
	}
	if got := s.must("GET", "/conferences/"+two, nil); got["status"] != "terminated" || got["end_reason"] != "interrupted" {
		t.Errorf("connect conference: %v", got)
	}
	if n := count(s.events(two), "conference_deleted"); n != 1 {
		t.Errorf("%d × conference_deleted for the connect conference", n)
	}
	p := newPhone(t, "G722", tone(16000, 500, time.Minute), account{})
	p.enter("sip:" + room + "@" + s.sip)
	s.wait(room, "conferencecall_joined", 3)
	s.timedOut(short)
}

// createUntilKilled creates n conferences at once and kills the server as soon as so many are acknowledged. It returns the
// names of all that were, by id.
func (s *server) createUntilKilled(n, enough int) map[string]string {
	s.t.Helper()
	var mu sync.Mutex
	acknowledged := map[string]string{}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 20}, Timeout: 20 * time.Second} // without the checks, which are slower than the server
	defer client.CloseIdleConnections()
	var answered atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			name := fmt.Sprintf("number %d", i)
			status, got, err := s.requestBy(client, "POST", "/conferences", object{"type": "conference", "name": name})
			if answered.Add(1) == int64(enough) {
				_ = s.cmd.Process.Kill()
			}
			if err != nil {
				return // the server was killed before it could answer
			}
			if status != 200 {
				s.t.Errorf("create: status %d: %v", status, got)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			acknowledged[got["id"].(string)] = name
		})
	}
	all.Wait()
	s.kill()
	s.t.Logf("%d of %d acknowledged before the kill", len(acknowledged), n)
	if len(acknowledged) < enough/2 || len(acknowledged) == n {
		s.t.Errorf("%d acknowledged: the kill was not in the middle", len(acknowledged))
	}
	return acknowledged
}

// timedOut waits for the end of a conference that was made with a timeout of 60 s, and checks its time.
func (s *server) timedOut(made object) {
	s.t.Helper()
	path := "/conferences/" + made["id"].(string)
	created := moment(s.t, made["tm_create"])
	due := created.Add(time.Minute)
	if got := s.must("GET", path, nil); time.Now().Before(due) && got["status"] != "progressing" {
		s.t.Fatalf("before its deadline: %v", got)
	}
	var got object
	eventually(s.t, time.Until(due)+15*time.Second, "timeout", func() error {
		if got = s.must("GET", path, nil); got["status"] != "terminated" {
			return fmt.Errorf("it is %v", got["status"])
		}
		return nil
	})
	late := moment(s.t, got["tm_end"]).Sub(due)
	if got["end_reason"] != "timeout" || late < 0 || late > 5*time.Second {
		s.t.Errorf("ended %v after its deadline: %v", late, got)
	}
}

func moment(t *testing.T, x any) time.Time {
	t.Helper()
	text, _ := x.(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("%v is not a time: %v", x, err)
	}
	return at
}
