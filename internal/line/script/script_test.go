package script_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/line/script"
	"parley/internal/prompt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSteps says what each action does to the call, and when.
func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		name, list string
		set        func(*fake)
		want       string // of the call
		path, end  string
	}{
		{
			"play without a gap", `[{"type":"play","option":{"stream_urls":["http://a/1000","http://b/1000","http://c/500"]}}]`,
			func(f *fake) { f.w.voice.slow = 300 * time.Millisecond },
			"0s answered, 300ms plays http://a/1000, 1.3s plays http://b/1000, 2.3s plays http://c/500", "play:done", "finished 2.8s",
		},
		{
			"play what is there", `[{"type":"play","option":{"stream_urls":["http://missing/","http://b/100"]}}]`, nil,
			"0s answered, 0s plays http://b/100", "play:failed:PROMPT_UNREACHABLE", "finished 100ms",
		},
		{
			"a digit ends a talk and counts", `[{"type":"talk","option":{"text":"hello 5000","digits_handle":"next"}},{"type":"digits_receive","option":{"length":2,"duration":3000}}]`,
			func(f *fake) { f.types(time.Second, "4"); f.types(2*time.Second, "2") },
			"0s answered, 0s plays hello 5000, 1s cut", "talk:done digits_receive:done", "finished 2s",
		},
		{
			"no digit ends another talk", `[{"type":"talk","option":{"text":"hello 5000"}},{"type":"digits_receive","option":{"length":2,"duration":3000}}]`,
			func(f *fake) { f.types(time.Second, "42") },
			"0s answered, 0s plays hello 5000", "talk:done digits_receive:done", "finished 5s",
		},
		{
			"digits until a key", `[{"type":"digits_receive","option":{"key":"#","duration":30000}},{"type":"talk","option":{"text":"${voipbin.call.digits}"}}]`,
			func(f *fake) { f.types(time.Second, "123#9") },
			"0s answered, 1.03s plays 123#", "digits_receive:done talk:done", "finished 1.13s",
		},
		{
			"digits until the time is over", `[{"type":"digits_receive","option":{"length":9,"duration":3000}},{"type":"talk","option":{"text":"${voipbin.call.digits}"}}]`,
			func(f *fake) { f.types(time.Second, "12") },
			"0s answered, 3s plays 12", "digits_receive:done talk:done", "finished 3.1s",
		},
		{
			"nobody waits for an async talk but the next sound", `[{"type":"talk","option":{"text":"long 3000","async":true}},{"type":"sleep","option":{"duration":5}},{"type":"digits_send","option":{"digits":"1"}},{"type":"beep"}]`, nil,
			"0s answered, 0s plays long 3000, 5ms sends 1, 3s plays tone beep", "talk:done sleep:done digits_send:done beep:done", "finished 3.1s",
		},
		{
			"the end cuts an async talk", `[{"type":"talk","option":{"text":"long 3000","async":true}},{"type":"sleep","option":{"duration":1000}}]`, nil,
			"0s answered, 0s plays long 3000, 1s cut", "talk:done sleep:done", "finished 1s",
		},
		{
			"nothing to say", `[{"type":"talk","option":{"text":"${nothing}"}}]`, nil, "0s answered", "talk:done", "finished 0s",
		},
		{
			"small ones", `[{"type":"answer"},{"type":"sleep","option":{"duration":700}},{"type":"echo","option":{"duration":300}},{"type":"mute"},{"type":"mute","option":{"direction":"in"}},
			 {"type":"external_media_start","option":{"external_host":"h:1"}},{"type":"external_media_stop"},{"type":"block"},{"type":"transcribe_start"}]`, nil,
			"0s answered, 700ms echo, 1s mute both, 1s mute in, 1s links h:1, 1s unlinked",
			"answer:done sleep:done echo:done mute:done mute:done external_media_start:done external_media_stop:done block:skipped:ACTION_NOT_ON_CALLS transcribe_start:failed:TRANSCRIBE_UNAVAILABLE",
			"finished 1s",
		},
		{
			"a person", `[{"type":"amd"},{"type":"talk","option":{"text":"${voipbin.call.amd}"}}]`, nil,
			"0s answered, 0s listens, 2s plays human", "amd:done talk:done", "finished 2.1s",
		},
		{
			"a machine", `[{"type":"amd"},{"type":"beep"}]`, func(f *fake) { f.machine = true }, "0s answered, 0s listens", "amd:done", "hangup 2s amd",
		},
		{
			"a machine that may stay", `[{"type":"amd","option":{"machine_handle":"continue"}},{"type":"talk","option":{"text":"${voipbin.call.amd}"}}]`, func(f *fake) { f.machine = true },
			"0s answered, 0s listens, 2s plays machine", "amd:done talk:done", "finished 2.1s",
		},
		{
			"a machine is found while the flow goes on", `[{"type":"amd","option":{"async":true}},{"type":"sleep","option":{"duration":5}},{"type":"talk","option":{"text":"long 9000"}}]`, func(f *fake) { f.machine = true },
			"0s answered, 0s listens, 5ms plays long 9000, 2s cut", "amd:done sleep:done talk:done", "hangup 2s amd",
		},
		{
			"a key ends the recording", `[{"type":"recording_start","option":{"format":"ogg","end_of_key":"#","beep_start":true}},{"type":"sleep","option":{"duration":5000}},{"type":"talk","option":{"text":"${voipbin.recording.id}"}}]`,
			func(f *fake) { f.types(time.Second, "1#") },
			"0s answered, 0s plays tone beep, 100ms records ogg, 1.01s recorded, 5.1s plays tape", "recording_start:done sleep:done talk:done", "finished 5.2s",
		},
		{
			"people", `[{"type":"call","option":{"destinations":[{"target":"sip:a"}],"actions":[{"type":"beep"}]}},{"type":"connect","option":{"destinations":[{"target":"sip:b"}]}},{"type":"connect","option":{"relay_reason":true,"destinations":[{"target":"sip:c"}]}}]`,
			func(f *fake) { f.relay = call.Busy }, "0s calls sip:a, 0s connects sip:b, 5s connects sip:c", "call:done connect:done connect:done", "hangup 10s busy",
		},
		{
			"digits elsewhere are no PIN", `[{"type":"connect","option":{"destinations":[{"target":"sip:b"}]}},{"type":"digits_receive","option":{"length":1,"duration":1000}}]`,
			func(f *fake) { f.types(time.Second, "7") }, "0s connects sip:b, 5s answered", "connect:done digits_receive:done", "finished 6s",
		},
		{
			"hang up like another call", `[{"type":"hangup","option":{"reference_id":"` + roomID + `"}}]`, nil, "", "hangup:done", "hangup 0s",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if tt.set != nil {
					tt.set(w.call)
				}
				began := time.Now()
				end, rec := w.perform(t.Context(), tt.list)
				if got := w.call.told(true); got != tt.want {
					t.Errorf("call\n%s, want\n%s", got, tt.want)
				}
				if got := path(rec); got != tt.path {
					t.Errorf("path\n%s, want\n%s", got, tt.path)
				}
				got := end.Reason + " " + time.Since(began).Round(time.Millisecond).String()
				if end.Hangup != call.Normal {
					got += " " + string(end.Hangup)
				}
				if got != tt.end || rec.Status != "ended" || rec.EndReason != end.Reason {
					t.Errorf("end %q, want %q; record %s %s", got, tt.end, rec.Status, rec.EndReason)
				}
			})
		})
	}
}

// TestSeen says that the record and the log tell at any time what runs.
func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plan, err := w.p.Prepare(t.Context(), w.plan(`[{"id":"a","type":"sleep","option":{"duration":1000}},{"type":"variable_set","option":{"key":"k","value":"v"}},{"type":"echo","option":{"duration":1000}}]`))
		if err != nil {
			t.Fatal(err)
		}
		id := plan.Env.ActiveflowID
		if a := w.record(id); a.Current.ID != flow.StartID || a.ReferenceID != callID || a.Variables["voipbin.call.id"] != callID {
			t.Errorf("%+v", a)
		}
		done := make(chan struct{})
		go func() { w.p.Perform(t.Context(), plan, w.call.stage()); close(done) }()
		time.Sleep(500 * time.Millisecond)
		if a := w.record(id); a.Current.Type != action.Sleep || path(a) != "sleep:" {
			t.Errorf("%s %s", a.Current.Type, path(a))
		}
		time.Sleep(time.Second)
		if a := w.record(id); a.Current.Type != action.Echo || path(a) != "sleep:done variable_set:done echo:" || a.Variables["k"] != "v" {
			t.Errorf("%s %s", a.Current.Type, path(a))
		}
		<-done
		if got := w.events(id); got != "created:running: updated:running:sleep updated:running:echo updated:ended:" {
			t.Error(got)
		}
	})
}

// TestWithoutVoice says that a server without voices fails what needs one, and still is no silence.
func TestWithoutVoice(t *testing.T) {
	for _, none := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(o *script.Options) {
				if none {
					o.Prompts = nil
				}
			})
			w.voice.mute = true
			_, rec := w.perform(t.Context(), `[{"type":"talk","option":{"text":"a"}},{"type":"beep"},{"type":"conference_join","option":{"conference_id":"`+roomID+`"}},{"type":"talk","option":{"text":"b"}}]`)
			want := "talk:failed:VOICE_UNAVAILABLE beep:done conference_join:failed:CONFERENCE_NOT_FOUND talk:failed:VOICE_UNAVAILABLE"
			if got := path(rec); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := strings.Count(w.call.told(false), "plays"); got != 2 {
				t.Errorf("%d sounds: %s", got, w.call.told(false))
			}
		})
	}
}

// TestParts says that a call without some part fails its actions, and that nothing breaks.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plan := w.plan(`[{"type":"conference_join","option":{"conference_id":"` + roomID + `"}},{"type":"connect","option":{"destinations":[{"target":"a"}]}},{"type":"recording_start"},
			{"type":"recording_stop"},{"type":"external_media_start","option":{"external_host":"a"}},{"type":"external_media_stop"},{"type":"call","option":{"destinations":[{"target":"a"}],"actions":[{"type":"beep"}]}}]`)
		plan, err := w.p.Prepare(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		w.p.Perform(t.Context(), plan, &script.Stage{Phone: w.call})
		const want = "conference_join:failed:ACTION_UNAVAILABLE connect:failed:CALLS_UNAVAILABLE recording_start:failed:ACTION_UNAVAILABLE recording_stop:failed:ACTION_UNAVAILABLE " +
			"external_media_start:failed:ACTION_UNAVAILABLE external_media_stop:failed:ACTION_UNAVAILABLE call:failed:CALLS_UNAVAILABLE"
		if got := path(w.record(plan.Env.ActiveflowID)); got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
	})
}

// TestCallEnds says that the end of the call is the run's, whatever it does just then.
func TestCallEnds(t *testing.T) {
	for name, step := range map[string]string{
		"play": `{"type":"play","option":{"stream_urls":["http://a/90000"]}}`, "talk": `{"type":"talk","option":{"text":"a 90000"}}`, "sleep": `{"type":"sleep","option":{"duration":90000}}`,
		"digits_receive": `{"type":"digits_receive","option":{"length":9}}`, "echo": `{"type":"echo"}`, "connect": `{"type":"connect","option":{"destinations":[{"target":"a"}]}}`,
		"conference_join": `{"type":"conference_join","option":{"conference_id":"` + roomID + `"}}`, "amd": `{"type":"amd"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.call.room(roomID, "", "")
				ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
				defer cancel()
				began := time.Now()
				end, rec := w.perform(ctx, `[`+step+`,{"type":"beep"}]`)
				if end.Reason != "call_ended" || time.Since(began) != 1500*time.Millisecond || rec.EndReason != "call_ended" || !strings.HasSuffix(path(rec), ":failed:call_ended") {
					t.Errorf("%v after %v: %s", end, time.Since(began), path(rec))
				}
				if strings.Contains(name, "conference") && !strings.HasSuffix(w.call.told(false), "enters, leaves: hangup") {
					t.Error(w.call.told(false))
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // before it has begun
		w := newWorld(t)
		plan, err := w.p.Prepare(t.Context(), w.plan(`[{"type":"beep"}]`))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w.p.Perform(ctx, plan, w.call.stage())
		if a := w.record(plan.Env.ActiveflowID); a.EndReason != "call_ended" || w.call.told(false) != "" {
			t.Errorf("%s %s", a.EndReason, w.call.told(false))
		}
	})
}

// TestRefusedPlans says what does not even begin.
func TestRefusedPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		plan := w.plan(`[]`)
		plan.Env.Variables = map[string]string{"k": strings.Repeat("x", 40<<10)}
		if end := w.p.Perform(t.Context(), plan, w.call.stage()); end.Reason != "INVALID_VARIABLES" || end.Hangup != call.Failed {
			t.Errorf("%+v", end)
		}
		plan = w.plan(`[]`)
		plan.Env.ActiveflowID = partID
		first, err := w.p.Prepare(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.p.Prepare(t.Context(), plan); fault.ReasonOf(err) != "ALREADY_EXISTS" {
			t.Error(err)
		}
		w.p.Perform(t.Context(), first, w.call.stage())
		if _, err := w.p.Prepare(t.Context(), plan); fault.ReasonOf(err) != "ALREADY_EXISTS" {
			t.Error(err)
		}
	})
}

var _ prompt.Library = (*voice)(nil)
