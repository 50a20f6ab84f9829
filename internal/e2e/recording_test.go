package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// download returns what is under a path, which must be there.
func (s *server) download(path string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "GET", "http://"+s.http+"/v1.0"+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessKey)
	answer, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s, %d bytes, %v", path, answer.Status, len(body), err)
	}
	return body
}

// during takes a part of a recording out of its samples.
func during(rate int, samples []int16, from, to time.Duration) []int16 {
	n := len(samples)
	at := func(d time.Duration) int { return min(int(d.Seconds()*float64(rate)), n) }
	return samples[at(from):at(to)]
}

// TestRecording records two phones that say a tone each: a pause in the middle, one joins late, the mix has both, each track has one.
func TestRecording(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(nil)
	started := s.must("POST", "/conferences/"+room+"/recording_start", object{"format": "wav"})
	recording := "/recordings/" + started["recording_id"].(string)
	var ids []string
	for i, v := range voices[:2] {
		p := newPhone(t, v.codec, tone(codecs[v.codec].rate, v.hertz, time.Minute), account{})
		p.enter("sip:" + room + "@" + s.sip)
		s.wait(room, "conferencecall_speech_started", i+1)
		ids = append(ids, s.wait(room, "conferencecall_joined", i+1).id())
		passes(t, 2*time.Second)
	}
	s.must("POST", "/conferences/"+room+"/recording_pause", object{"behavior": "silence"})
	passes(t, 2*time.Second)
	s.must("POST", "/conferences/"+room+"/recording_resume", nil)
	passes(t, 2*time.Second)
	if status, refused := s.do("GET", recording+"/file", nil); status != 404 {
		t.Errorf("file of a recording that runs: %d %v", status, refused)
	}
	s.must("POST", "/conferences/"+room+"/recording_stop", nil)
	told := s.wait(room, "recording_finished", 1).Data
	mix := s.download(recording + "/file")
	if sum := sha256.Sum256(mix); hex.EncodeToString(sum[:]) != told["sha256"] || float64(len(mix)) != told["size"] {
		t.Errorf("%d bytes, told was %v", len(mix), told)
	}

	manifest := s.must("GET", recording+"/manifest", nil)
	pause := manifest["pauses"].([]any)[0].(object)
	from := time.Duration(pause["position_ms"].(float64)) * time.Millisecond
	to := from + time.Duration(pause["length"].(float64)/48)*time.Millisecond
	end := time.Duration(told["duration_ms"].(float64)) * time.Millisecond
	rate, samples := parseWAV(mix)
	wantTones(t, "mix before the pause", rate, during(rate, samples, from-time.Second, from-100*time.Millisecond), true, true)
	wantTones(t, "mix after the pause", rate, during(rate, samples, to+200*time.Millisecond, end), true, true)
	for i, x := range during(rate, samples, from+20*time.Millisecond, to-20*time.Millisecond) {
		if x != 0 {
			t.Errorf("sample %d of the pause is %d", i, x)
			break
		}
	}
	for i, id := range ids {
		rate, samples := parseWAV(s.download(recording + "/file?rendition=participant&conferencecall_id=" + id))
		wantTones(t, fmt.Sprint("track ", i), rate, during(rate, samples, to+200*time.Millisecond, end), i == 0, i == 1)
	}
	if ogg := s.download(recording + "/file?format=ogg"); string(ogg[:4]) != "OggS" {
		t.Errorf("ogg begins with %q", ogg[:4])
	}
	s.must("DELETE", "/conferences/"+room, nil)
	s.wait(room, "conference_deleted", 1)
	s.must("DELETE", recording, nil)
	if status, _ := s.do("GET", recording+"/file", nil); status != 404 {
		t.Errorf("file of a deleted recording: %d", status)
	}
}

// wantTones checks whose tones are there.
func wantTones(t *testing.T, what string, rate int, samples []int16, want ...bool) {
	t.Helper()
	if len(samples) < rate/2 {
		t.Errorf("%s: only %d samples at %d Hz", what, len(samples), rate)
		return
	}
	for i, there := range want {
		level := power(rate, samples, voices[i].hertz)
		if there && level < -25 || !there && level > -50 {
			t.Errorf("%s: %.0f Hz has %.1f dB, want it there: %v", what, voices[i].hertz, level, there)
		}
	}
}

// TestRecordingSurvivesKill kills the server while it records, and wants the recording at the next start, up to the last moments.
func TestRecordingSurvivesKill(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(nil)
	p := newPhone(t, "PCMU", tone(8000, voices[0].hertz, time.Minute), account{})
	p.enter("sip:" + room + "@" + s.sip)
	s.wait(room, "conferencecall_speech_started", 1)
	recording := "/recordings/" + s.must("POST", "/conferences/"+room+"/recording_start", nil)["recording_id"].(string)
	began := time.Now()
	passes(t, 3*time.Second)
	recorded := time.Since(began)
	s.kill()
	s.start()
	got := s.waitField(recording, "status", "ended")
	length := time.Duration(got["duration_ms"].(float64)) * time.Millisecond
	if got["end_reason"] != "interrupted" || length < recorded-300*time.Millisecond || length > recorded+time.Second {
		t.Errorf("after %v of recording: %v", recorded, got)
	}
	rate, samples := parseWAV(s.download(recording + "/file"))
	wantTones(t, "mix", rate, during(rate, samples, 0, length), true, false)
	events := s.events(room)
	if count(events, "recording_finished") != 1 || count(events, "recording_failed") != 0 {
		t.Errorf("log: %q", types(events))
	}
	if c := s.must("GET", "/conferences/"+room, nil); c["recording_id"] != "00000000-0000-0000-0000-000000000000" || c["status"] != "progressing" {
		t.Errorf("conference afterwards: %v", c)
	}
}

// passes lets real time pass: sound takes it.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// TestCallRecordingSurvivesKill records one call of two that are in a conference, and kills the server. What the caller said and what it heard are files
// of their own.
func TestCallRecordingSurvivesKill(t *testing.T) {
	t.Parallel()
	needs(t, "baresip")
	s := start(t)
	room := s.conference(nil)
	var calls []string
	for i, v := range voices[:2] {
		p := newPhone(t, v.codec, tone(codecs[v.codec].rate, v.hertz, time.Minute), account{})
		p.enter("sip:" + room + "@" + s.sip)
		s.wait(room, "conferencecall_speech_started", i+1)
		calls = append(calls, s.wait(room, "conferencecall_joined", i+1).Data["reference_id"].(string))
	}
	flow := s.must("POST", "/flows", object{"name": "after a recording", "actions": []object{{"type": "empty"}}})["id"]
	started := s.must("POST", "/calls/"+calls[0]+"/recording_start", object{"on_end_flow_id": flow})
	if status, refused := s.do("POST", "/calls/"+calls[0]+"/recording_start", nil); status != 409 || refused["error"].(object)["reason"] != "RECORDING_ALREADY_ACTIVE" {
		t.Errorf("a second start: %d %v", status, refused)
	}
	recording := "/recordings/" + started["recording_id"].(string)
	began := time.Now()
	passes(t, 3*time.Second)
	recorded := time.Since(began)
	if status, refused := s.do("DELETE", recording, nil); status != 409 || refused["error"].(object)["reason"] != "RECORDING_NOT_ENDED" {
		t.Errorf("delete while it runs: %d %v", status, refused)
	}
	s.kill()
	s.start()
	got := s.waitField(recording, "status", "ended")
	length := time.Duration(got["duration_ms"].(float64)) * time.Millisecond
	if got["end_reason"] != "interrupted" || got["reference_id"] != calls[0] || length < recorded-300*time.Millisecond || length > recorded+time.Second {
		t.Errorf("after %v of recording: %v", recorded, got)
	}
	for i, direction := range []string{"in", "out"} {
		rate, samples := parseWAV(s.download(recording + "/file?rendition=participant&conferencecall_id=" + direction))
		wantTones(t, direction, rate, during(rate, samples, 500*time.Millisecond, length), i == 0, i == 1)
	}
	after := func() (n int) {
		for _, f := range s.list("/activeflows") {
			if f["flow_id"] == flow && f["reference_id"] == got["id"] {
				n++
			}
		}
		return n
	}
	eventually(t, 10*time.Second, "the flow after the recording", func() error {
		if after() == 0 {
			return errors.New("it has not run")
		}
		return nil
	})
	s.kill()
	s.start()
	passes(t, time.Second)
	if n := after(); n != 1 {
		t.Errorf("the flow after the recording ran %d times", n)
	}
	if status, refused := s.do("POST", "/calls/"+calls[0]+"/recording_stop", nil); status < 400 {
		t.Errorf("stop after the call: %d %v", status, refused)
	}
	s.must("DELETE", recording, nil)
	if status, _ := s.do("GET", recording+"/file", nil); status != 404 {
		t.Errorf("file of a deleted recording: %d", status)
	}
}
