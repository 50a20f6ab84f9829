package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/audio"
)

// site is a customer's web server: it has a sound, answers a fetch with actions, and writes down what it is told.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	told []string
}

func newSite(t *testing.T) *site {
	s := &site{}
	mux := http.NewServeMux()
	file := filepath.Join(t.TempDir(), "tone.wav")
	writeWAV(t, file, 8000, 1, tone(8000, 700, 2*time.Second))
	mux.HandleFunc("/tone.wav", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	mux.HandleFunc("/menu", func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `[{"type":"variable_set","option":{"key":"choice","value":"typed ${voipbin.call.digits}"}}]`)
	})
	mux.HandleFunc("/told", func(_ http.ResponseWriter, r *http.Request) { s.note(r) })
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *site) note(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, r.URL.Path+" "+string(body))
}

// TestFlowOnCall calls a flow by its direct hash: it speaks, plays a file, collects keys, fetches actions, tries a conference that is locked, and tells
// a web server. The run's record says so while it goes on, another flow follows it, and a restart leaves the record alone.
func TestFlowOnCall(t *testing.T) {
	t.Parallel()
	needs(t, "baresip", "flite")
	s, web := start(t), newSite(t)
	locked := s.conference(nil)
	s.must("POST", "/conferences/"+locked+"/lock", nil)
	after := s.must("POST", "/flows", object{"name": "after", "actions": []object{
		{"type": "webhook_send", "option": object{"sync": true, "uri": web.URL + "/told", "data": "after ${choice}"}},
	}})["id"].(string)
	flow := s.must("POST", "/flows", object{"name": "menu", "on_complete_flow_id": after, "actions": []object{
		{"type": "answer"},
		{"type": "talk", "option": object{"text": "Welcome to the menu.", "language": "en-US"}},
		{"type": "play", "option": object{"stream_urls": []string{web.URL + "/tone.wav", web.URL + "/tone.wav"}}},
		{"type": "digits_receive", "option": object{"key": "#", "duration": 20000}},
		{"type": "fetch", "option": object{"event_url": web.URL + "/menu"}},
		{"type": "conference_join", "option": object{"conference_id": locked}},
		{"type": "webhook_send", "option": object{"uri": web.URL + "/told", "data": "${choice}, ${voipbin.conference.reason}"}},
		{"type": "echo", "option": object{"duration": 60000}},
	}})
	p := newPhone(t, "PCMU", tone(8000, hertzA, 2*time.Minute), account{})
	p.enter("sip:" + flow["direct_hash"].(string) + "@" + s.sip)
	s.presses(p, "", "42#", 1)
	p.hearsTone(hertzA) // its own voice, in the echo
	run := s.run()
	if run["current_action"].(object)["type"] != "echo" || run["status"] != "running" || run["flow_id"] != flow["id"] {
		t.Errorf("run %v", run)
	}
	call := s.must("GET", "/calls/"+run["reference_id"].(string), nil)
	if call["activeflow_id"] != run["id"] || call["action"].(object)["type"] != "echo" {
		t.Errorf("call %v", call)
	}
	rate, heard := p.heard()
	at, length := longest(rate, heard, 700)
	if d := time.Duration(length) * time.Second / time.Duration(rate); d < 3800*time.Millisecond || d > 4100*time.Millisecond {
		t.Errorf("the file, twice, is heard without a gap for %v, want 4s", d)
	}
	if speech := loudest(rate, heard[:at]); speech < 40 {
		t.Errorf("the loudest sound before the file has a score of %d", speech)
	}
	p.hangup()
	var runs []object
	eventually(t, 10*time.Second, "both runs to end", func() error {
		if runs = s.list("/activeflows?page_size=10"); len(runs) != 2 || runs[0]["status"] != "ended" || runs[1]["status"] != "ended" {
			return fmt.Errorf("%d runs", len(runs))
		}
		return nil
	})
	var path []string
	for i, a := range runs[1]["executed_actions"].([]any) {
		o := runs[1]["outcomes"].([]any)[i].(object)
		path = append(path, strings.TrimSuffix(fmt.Sprintf("%v:%v:%v", a.(object)["type"], o["outcome"], o["reason"]), ":"))
	}
	want := []string{
		"answer:done", "talk:done", "play:done", "digits_receive:done", "fetch:done", "variable_set:done", "conference_join:failed:CONFERENCE_LOCKED", "webhook_send:done",
		"echo:failed:call_ended",
	}
	if !slices.Equal(path, want) || runs[1]["end_reason"] != "call_ended" {
		t.Errorf("%q, %v", path, runs[1]["end_reason"])
	}
	if runs[0]["flow_id"] != after || runs[0]["reference_activeflow_id"] != runs[1]["id"] || runs[0]["end_reason"] != "finished" {
		t.Errorf("what followed: %v", runs[0])
	}
	ids, _ := json.Marshal(map[string]any{"activeflow_id": runs[1]["id"], "reference_id": runs[1]["reference_id"]})
	web.mu.Lock()
	told := slices.Clone(web.told)
	web.mu.Unlock()
	if want := []string{"/menu " + string(ids), "/told typed 42#, CONFERENCE_LOCKED", "/told after typed 42#"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// longest returns where the longest stretch with nothing but a tone begins, and how many samples it has.
func longest(rate int, samples []int16, hertz float64) (at, length int) {
	window := rate / 20
	began := 0
	for i := 0; i+window <= len(samples); i += window {
		part := samples[i : i+window]
		var all float64
		for _, x := range part {
			all += float64(x) * float64(x)
		}
		level := 10 * math.Log10(all/float64(window)*2/(32767*32767)+1e-12)
		if level < -50 || power(rate, part, hertz) < level-3 {
			began = i + window
		} else if i+window-began > length {
			at, length = began, i+window-began
		}
	}
	return at, length
}

// loudest is the best score of a frame.
func loudest(rate int, samples []int16) (score int) {
	n := audio.FrameSamples(rate)
	for ; len(samples) >= n; samples = samples[n:] {
		score = max(score, audio.Score(samples[:n]))
	}
	return score
}

// TestFlowAfterCrash kills the server in the middle of a run: the next start ends it as lost, with its event.
func TestFlowAfterCrash(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	flow := s.must("POST", "/flows", object{"actions": []object{{"type": "answer"}, {"type": "sleep", "option": object{"duration": 60000}}, {"type": "beep"}}})
	p := newPhone(t, "PCMU", tone(8000, hertzA, 2*time.Minute), account{})
	p.enter("sip:" + flow["direct_hash"].(string) + "@" + s.sip)
	eventually(t, 10*time.Second, "the run to sleep", func() error {
		if a := s.run()["current_action"].(object)["type"]; a != "sleep" {
			return fmt.Errorf("it is at %v", a)
		}
		return nil
	})
	id := s.run()["id"].(string)
	s.kill()
	s.start()
	run := s.must("GET", "/activeflows/"+id, nil)
	if run["status"] != "ended" || run["end_reason"] != "lost" {
		t.Errorf("run %v", run)
	}
	if call := s.must("GET", "/calls/"+run["reference_id"].(string), nil); call["status"] != "hangup" || call["hangup_reason"] != "failed" {
		t.Errorf("call %v", call)
	}
	page := s.must("GET", "/events?type=activeflow_updated&limit=1000", nil)["result"].([]any)
	if last := page[len(page)-1].(object)["data"].(object); last["id"] != id || last["end_reason"] != "lost" {
		t.Errorf("last event %v", last)
	}
}
