package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// notInMeeting are the types that a meeting does not show, and why.
var notInMeeting = map[string]string{
	"customer_created": "the first customer is made before anybody can have a webhook",
	"recording_failed": "it needs a disk that gets full",
	"webhook_test":     "it is not in the log",
	"transcribe_done":  "there is no recogniser",
}

// inbox is a receiver that keeps what it got.
type inbox struct {
	mu  sync.Mutex
	got map[int64]json.RawMessage // by number
}

func (b *inbox) open(t *testing.T) (uri string) {
	verify, err := standardwebhooks.NewWebhook(ledgerSecret)
	if err != nil {
		t.Fatal(err)
	}
	b.got = map[int64]json.RawMessage{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e entry
		if err := verify.Verify(body, r.Header); err != nil || json.Unmarshal(body, &e) != nil {
			t.Errorf("%v: %s", err, body)
		}
		b.mu.Lock()
		b.got[e.Seq] = body
		b.mu.Unlock()
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// TestMeeting holds a meeting with everything in it. Every event that its webhook brings is described in the catalogue and satisfies its schema, and
// every type of the catalogue comes, but for those that a meeting cannot show.
func TestMeeting(t *testing.T) {
	t.Parallel()
	needs(t, "baresip", "flite")
	s := start(t)
	var b inbox
	hook := s.must("POST", "/webhooks", object{"uri": b.open(t), "secret": ledgerSecret})["id"].(string)
	first := int64(s.must("GET", "/events?limit=1000", nil)["next_after"].(float64))
	s.desk()
	s.meet()
	s.ring()
	s.transfer()
	s.must("PUT", "/webhooks/"+hook, object{"name": "last"}) // the end of the log that is compared
	last := s.last("webhook_updated")

	schemas := s.catalogue()
	seen := map[string]int{}
	eventually(t, 30*time.Second, "all events at the receiver", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := b.got[last]; !ok {
			return fmt.Errorf("event %d is missing", last)
		}
		return nil
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, body := range b.got {
		var e struct {
			Type string
			Data json.RawMessage
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Type]++
		if schemas[e.Type] == nil {
			t.Errorf("%s is not in the catalogue: %s", e.Type, body)
			continue
		}
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data))
		if err == nil {
			err = schemas[e.Type].Validate(data)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", e.Type, err, body)
		}
	}
	for kind := range schemas {
		if _, apart := notInMeeting[kind]; !apart && seen[kind] == 0 {
			t.Errorf("%s did not come: let the meeting show it, or say in notInMeeting why it cannot", kind)
		}
	}
	if logged := s.numbers(first, last); len(logged) > len(b.got) {
		t.Errorf("%d events in the log, %d came", len(logged), len(b.got))
	}
	t.Logf("%d events of %d types", len(b.got), len(seen))
}

// catalogue returns the schemas that the server serves.
func (s *server) catalogue() map[string]*jsonschema.Schema {
	s.t.Helper()
	list := map[string]*jsonschema.Schema{}
	for _, x := range s.must("GET", "/event_types", nil)["result"].([]any) {
		kind := x.(object)["type"].(string)
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		err := c.AddResource(kind, x.(object)["schema"])
		if err == nil {
			list[kind], err = c.Compile(kind)
		}
		if err != nil {
			s.t.Fatalf("%s: %v", kind, err)
		}
	}
	return list
}

// numbers returns the places of the log's entries.
func (s *server) numbers(after, to int64) (list []int64) {
	s.t.Helper()
	for after < to {
		page := s.must("GET", fmt.Sprintf("/events?limit=1000&after=%d", after), nil)
		for _, x := range page["result"].([]any) {
			if seq := int64(x.(object)["seq"].(float64)); seq <= to {
				list = append(list, seq)
			}
		}
		after = int64(page["next_after"].(float64))
	}
	return list
}

// last returns the place of the last entry of a type.
func (s *server) last(kind string) (seq int64) {
	s.t.Helper()
	for after := int64(0); ; {
		page := s.must("GET", fmt.Sprintf("/events?limit=1000&type=%s&after=%d", kind, after), nil)
		rows := page["result"].([]any)
		if len(rows) == 0 {
			return seq
		}
		seq = int64(rows[len(rows)-1].(object)["seq"].(float64))
		after = int64(page["next_after"].(float64))
	}
}

// desk does what administrators do: make, change, delete.
func (s *server) desk() {
	s.t.Helper()
	for path, body := range map[string]object{
		"/extensions": {"extension": "anna", "password": "long enough"},
		"/accesskeys": {"name": "a"},
		"/agents":     {"username": "anna", "password": "long enough", "permission": 16},
		"/flows":      {"name": "a", "actions": []any{}},
		"/trunks":     {"name": "a", "host": "127.0.0.1", "auth": "address"},
		"/webhooks":   {"uri": "http://127.0.0.1:1/", "events": []string{"nothing"}},
	} {
		id := s.must("POST", path, body)["id"].(string)
		s.must("PUT", path+"/"+id, object{"name": "b", "actions": []any{}})
		s.must("DELETE", path+"/"+id, nil)
	}
	s.must("PUT", "/customer", object{"name": "b"})
	run := s.must("POST", "/activeflows", object{"actions": []object{{"type": "variable_set", "option": object{"key": "a", "value": "b"}}}})["id"].(string)
	s.waitField("/activeflows/"+run, "status", "ended")
	s.must("DELETE", "/activeflows/"+run, nil)

	gone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	defer gone.Close()
	id := s.must("POST", "/webhooks", object{"uri": gone.URL, "events": []string{"customer_updated"}})["id"].(string)
	s.must("PUT", "/customer", object{"name": "c"})
	s.waitField("/webhooks/"+id, "status", "disabled")
}

// meet is the meeting itself: two phones, keys, mute, hold, messages, a recording with a pause and a notice.
func (s *server) meet() {
	s.t.Helper()
	room := s.conference(object{"name": "all", "recording_notice": "announce"})
	one := newPhone(s.t, "PCMU", tone(8000, hertzA, time.Minute), account{})
	one.enter("sip:" + room + "@" + s.sip)
	ada := s.wait(room, "conferencecall_joined", 1).id()
	two := newPhone(s.t, "G722", silence(16000), account{})
	two.enter("sip:" + room + "@" + s.sip)
	s.wait(room, "conferencecall_speech_started", 1)
	one.command("sndcode", "5")
	s.wait(room, "conferencecall_digit_received", 1)
	s.must("POST", "/conferencecalls/"+ada+"/mute", nil)
	s.must("DELETE", "/conferencecalls/"+ada+"/mute", nil)

	s.must("POST", "/conferences/"+room+"/talk", object{"text": "Good morning."})
	s.wait(room, "announcement_ended", 1)
	s.must("POST", "/conferences/"+room+"/play", object{"url": "http://127.0.0.1:1/nothing.wav"})
	s.wait(room, "announcement_failed", 1)

	message := s.must("POST", "/conferences/"+room+"/messages", object{"text": "hello"})["id"].(string)
	s.must("PUT", "/conferences/"+room+"/messages/"+message, object{"text": "hello all"})
	s.must("DELETE", "/conferences/"+room+"/messages/"+message, nil)

	recording := s.must("POST", "/conferences/"+room+"/recording_start", object{"format": "wav"})["recording_id"].(string)
	s.wait(room, "recording_consented", 2)
	s.must("POST", "/conferences/"+room+"/recording_pause", object{"behavior": "skip"})
	s.must("POST", "/conferences/"+room+"/recording_resume", nil)
	s.must("POST", "/conferences/"+room+"/recording_stop", nil)
	s.wait(room, "recording_finished", 1)
	s.must("DELETE", "/recordings/"+recording, nil)
	two.hangup()
	s.wait(room, "conferencecall_leaved", 1)
	s.must("DELETE", "/conferences/"+room, nil)
	s.wait(room, "conference_deleted", 1)
	one.waitFor("CALL_CLOSED")
}

// transfer is about sending somebody on: to one that declines, then to one that answers.
func (s *server) transfer() {
	s.t.Helper()
	room := s.conference(nil)
	stays := newPhone(s.t, "PCMU", tone(8000, hertzA, time.Minute), account{})
	stays.enter("sip:" + room + "@" + s.sip)
	s.wait(room, "conferencecall_joined", 1)
	goes := newPhone(s.t, "PCMU", silence(8000), account{})
	goes.enter("sip:" + room + "@" + s.sip)
	who := s.must("GET", "/conferencecalls/"+s.wait(room, "conferencecall_joined", 2).id(), nil)
	comes, address := callee(s.t, "PCMU", hertzB)
	begin := func() (path string) {
		return "/transfers/" + s.must("POST", "/transfers", object{
			"transfer_type": "attended", "transferer_call_id": who["reference_id"], "transferee_addresses": []object{{"type": "sip", "target": address}},
		})["id"].(string)
	}
	path := begin()
	comes.waitFor("CALL_INCOMING")
	comes.hangup()
	s.waitField(path, "status", "failed")
	path = begin()
	comes.accept()
	s.waitField(path, "status", "consulting")
	goes.hangup()
	s.waitField(path, "status", "completed")
	s.must("DELETE", "/conferences/"+room, nil)
	comes.waitFor("CALL_CLOSED")
	stays.waitFor("CALL_CLOSED")
}

// ring is about calls out: to several, to one that does not answer, to one that is recorded, to nobody at all.
func (s *server) ring() {
	s.t.Helper()
	tel := object{"type": "tel", "target": "+4930123456"}
	willing, address := callee(s.t, "PCMU", hertzB)
	silent := newPhone(s.t, "PCMU", silence(8000), account{})
	place := func(target string) string {
		placed := s.must("POST", "/calls", object{"source": tel, "destinations": []object{{"type": "sip", "target": target}}, "actions": []object{{"type": "sleep", "option": object{"duration": 60000}}}})
		return placed["calls"].([]any)[0].(object)["id"].(string)
	}
	quiet := place(silent.address())
	silent.waitFor("CALL_INCOMING")
	s.waitField("/calls/"+quiet, "status", "ringing")
	s.must("POST", "/calls/"+quiet+"/hangup", nil)
	s.waitField("/calls/"+quiet, "status", "hangup")
	s.must("DELETE", "/calls/"+quiet, nil)

	talking := place(address)
	willing.accept()
	s.waitField("/calls/"+talking, "status", "progressing")
	s.must("POST", "/calls/"+talking+"/recording_start", object{"format": "wav"})
	<-time.After(500 * time.Millisecond)
	s.must("POST", "/calls/"+talking+"/recording_stop", nil)
	s.must("POST", "/calls/"+talking+"/hangup", nil)
	s.waitField("/calls/"+talking, "status", "hangup")

	several := s.must("POST", "/groupcalls", object{"source": tel, "ring_method": "linear", "destinations": []object{
		{"type": "sip", "target": silent.address()}, {"type": "sip", "target": address},
	}})["id"].(string)
	silent.waitFor("CALL_INCOMING")
	silent.hangup()
	willing.accept()
	eventually(s.t, 60*time.Second, "the second one answers", func() error {
		if got := s.must("GET", "/groupcalls/"+several, nil); got["answer_call_id"] == "00000000-0000-0000-0000-000000000000" {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
	s.waitField("/groupcalls/"+several, "status", "hangup")
	s.must("DELETE", "/groupcalls/"+several, nil)

	if status, _ := s.do("POST", "/calls", object{"source": tel, "destinations": []object{{"type": "tel", "target": "+881612345678"}}, "actions": []any{}}); !slices.Contains([]int{400, 403, 409}, status) {
		s.t.Errorf("a call to nowhere: %d", status)
	}
	eventually(s.t, 40*time.Second, "call_refused", func() error {
		if s.last("call_refused") == 0 {
			return fmt.Errorf("it is not there")
		}
		return nil
	})
}
