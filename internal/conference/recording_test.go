package conference_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	. "parley/internal/conference"
	"parley/internal/conference/tape"
)

// recording reads the commands of scripts that are about recordings.
func (a arguments) recording(verb string, at time.Time) Command {
	switch verb {
	case "record":
		o := tape.Options{Format: a.str("format", ""), Notice: strings.ReplaceAll(a.str("notice", ""), " ", "_"), OnEndFlowID: a.str("flow", "")}
		if s, ok := a.take("duration"); ok {
			o.Duration = a.duration(s)
		}
		return StartRecording{At: at, ID: string(participantID(a.name)), Options: o}
	case "stop_recording":
		id := ""
		if a.name != "" {
			id = string(participantID(a.name))
		}
		return StopRecording{At: at, ID: id, Reason: tape.Reason(a.reason())}
	case "pause":
		return PauseRecording{At: at, Behavior: a.str("behavior", "")}
	case "resume":
		return ResumeRecording{At: at}
	case "announce":
		return Announce{At: at, ID: participantID(a.name)}
	case "announced":
		return Announced{At: at, ID: participantID(a.name), Recording: string(participantID(a.str("recording", "r"))), Failed: a.flag("failed")}
	case "finish":
		return FinishRecording{
			At: at, ID: string(participantID(a.name)), Failure: tape.Reason(strings.ReplaceAll(a.str("failure", ""), " ", "_")),
			File: tape.File{Size: 44, Length: time.Second, SHA256: "00"},
		}
	}
	a.t.Fatalf("unknown command %q", verb)
	return nil
}

func describeRecording(e Event) string {
	if n := e.Notice; n != nil {
		return fmt.Sprintf("%-30s %s %s of %s: %s", e.Type, nameOf(n.Participant), n.Kind, nameOf(n.Recording), n.Status)
	}
	r := e.Recording
	line := fmt.Sprintf("%-30s %s %s", e.Type, nameOf(r.ID), r.Status)
	line += option("format", r.Format) + option("paused", r.Paused) + option("reason", string(r.EndReason))
	if r.Size > 0 {
		line += fmt.Sprintf(" size=%d", r.Size)
	}
	return line
}

// things counts what an event is about.
func things(e Event) (n int) {
	for _, there := range []bool{e.Conference != nil, e.Participant != nil, e.Recording != nil, e.Notice != nil, e.Announcement != nil} {
		if there {
			n++
		}
	}
	return n
}

// watchRecording checks what the log promises of recordings.
func (x *trial) watchRecording(e Event) {
	x.t.Helper()
	if n := e.Notice; n != nil {
		try := func(tries int) string { return fmt.Sprint(n.Recording, n.Participant, tries) }
		x.forward(try(n.Tries), rank(string(n.Status), "playing", "waiting", "consented", "failed"))
		if last, told := x.statuses[try(n.Tries-1)]; n.Tries < 1 || n.Tries > tape.NoticeTries || n.Tries > 1 && (!told || last != 3) {
			x.t.Fatalf("%s is told for the %d. time, before %v %d", n.Participant, n.Tries, told, last)
		}
		if n.Status == tape.NoticeConsented && n.Kind == tape.Press1 && !n.Pressed {
			x.t.Fatalf("%s has consented without a key", n.Participant)
		}
		return
	}
	r := e.Recording
	if r == nil {
		return
	}
	if x.deleted > 0 && e.Type != tape.DeletedEvent {
		x.t.Fatalf("%s after conference_deleted", e.Type)
	}
	if e.Type == tape.DeletedEvent {
		return
	}
	x.forward(r.ID, rank(string(r.Status), "recording", "stopping", "(unused)", "ended"))
	if (e.Type == tape.FinishedEvent || e.Type == tape.FailedEvent) != (r.Status == tape.Ended) {
		x.t.Fatalf("%s of a recording that is %s", e.Type, r.Status)
	}
	if (r.Status != tape.Running) != (r.EndReason != "") || (r.Status != tape.Running) == r.Stopped.IsZero() {
		x.t.Fatalf("%s recording with reason %q, stopped %v", r.Status, r.EndReason, r.Stopped)
	}
}

func (x *trial) consistentRecordings() {
	x.t.Helper()
	c, running := &x.state.Conference, ""
	for _, r := range x.state.Recordings {
		if r.Status == tape.Running {
			running += r.ID
		}
	}
	if running != c.Recordings.Active {
		x.t.Fatalf("recording_id is %q, what runs is %q", c.Recordings.Active, running)
	}
	if running != "" && c.Status != Progressing && c.Count == 0 {
		x.t.Fatalf("a recording runs in a conference that is %s and empty", c.Status)
	}
}

// TestRecordingData says how readers see a recording, and the stop of one.
func TestRecordingData(t *testing.T) {
	x := newTrial(t, Limits{})
	id := string(participantID("r"))
	var log []Event
	for i, c := range []Command{
		Create{At: epoch, ID: conferenceID, CustomerID: customerID},
		StartRecording{At: epoch, ID: id, Options: tape.Options{Format: "ogg", Duration: time.Minute}},
		PauseRecording{At: epoch, Behavior: "silence"},
		StopRecording{At: epoch.Add(time.Second)},
		FinishRecording{At: epoch.Add(2 * time.Second), ID: id, File: tape.File{Size: 7, Length: 1500 * time.Millisecond, SHA256: "ab"}},
	} {
		events, err := x.do(c)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		log = append(log, events...)
	}
	for i, want := range map[int]string{
		2: `"status":"recording","format":"ogg","on_end_flow_id":"00000000-0000-0000-0000-000000000000","tm_start":"2026-01-15T09:30:00.000000Z","tm_end":null`,
		4: `"paused":true,"pause_behavior":"silence","duration":60,"notice":"none","end_of_silence":0,"end_of_key":"","end_reason":"","size":0`,
		5: `"recording_id":"00000000-0000-0000-0000-000000000000","recording_ids":["` + id + `"]`,
		6: `"paused":false,"pause_behavior":"","duration":60,"notice":"none","end_of_silence":0,"end_of_key":"","end_reason":"stopped","size":7,"duration_ms":1500,"sha256":"ab"`,
	} {
		data, err := log[i].Data()
		if err != nil || !json.Valid(data) || !strings.Contains(string(data), want) {
			t.Errorf("%s: %s (%v)\nlacks %s", log[i].Type, data, err, want)
		}
	}
	gone := log[len(log)-1].Recording
	if events, err := x.do(DeleteRecording{At: epoch, Recording: *gone}); err != nil || len(events) != 1 || events[0].Type != tape.DeletedEvent {
		t.Fatalf("delete: %v, %v", events, err)
	}
	gone.Deleted = epoch
	if events, err := x.do(DeleteRecording{At: epoch, Recording: *gone}); err != nil || len(events) != 0 {
		t.Errorf("delete again: %v, %v", events, err)
	}
}
