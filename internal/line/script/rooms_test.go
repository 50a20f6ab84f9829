package script_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/fault"
)

const innerID = "33333333-0000-4000-8000-000000000002"

const join = `{"type":"conference_join","option":{"conference_id":"` + roomID + `"}}`

// pin asks for 1234: twice, then it hangs up.
const pin = `[
	{"id":"ask","type":"talk","option":{"text":"pin 2000"}},
	{"type":"digits_receive","option":{"length":4,"duration":5000}},
	{"type":"branch","option":{"target_ids":{"1234":"in"},"default_target_id":"again"}},
	{"id":"again","type":"goto","option":{"target_id":"ask","loop_count":1}},
	{"type":"hangup","option":{"reason":"failed"}},
	{"id":"in","type":"talk","option":{"text":"welcome"}}]`

// TestConferences says what a call lives through on its way into a conference, in it, and after it.
func TestConferences(t *testing.T) {
	for _, tt := range []struct {
		name, list, pre, post string
		set                   func(*fake, *place)
		want                  string // of the call
		path, end             string
	}{
		{
			name: "straight in and out", list: `[` + join + `,{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`,
			want: "0s joins, 0s enters, 1m0s is out, 1m0s answered, 1m0s plays left",
			path: "conference_join:done confbridge_join:done talk:done", end: "finished normal",
		},
		{
			name: "the right PIN", list: `[` + join + `]`, pre: pin, set: func(f *fake, _ *place) { f.types(time.Second, "1234") },
			want: "0s joins, 0s answered, 0s plays pin 2000, 2s plays welcome, 2.1s enters, 1m2.1s is out",
			path: "conference_join:done talk:done digits_receive:done branch:done talk:done confbridge_join:done", end: "finished normal",
		},
		{
			name: "a wrong PIN, then the right one", list: `[` + join + `]`, pre: pin, set: func(f *fake, _ *place) { f.types(time.Second, "9999"); f.types(5*time.Second, "1234") },
			want: "0s joins, 0s answered, 0s plays pin 2000, 2s plays pin 2000, 5.03s plays welcome, 5.13s enters, 1m5.13s is out",
			path: "conference_join:done talk:done digits_receive:done branch:done goto:done talk:done digits_receive:done branch:done talk:done confbridge_join:done", end: "finished normal",
		},
		{
			name: "the wrong PIN twice", list: `[` + join + `,{"type":"beep"}]`, pre: pin, set: func(f *fake, _ *place) { f.types(time.Second, "9999") },
			want: "0s joins, 0s answered, 0s plays pin 2000, 2s plays pin 2000, 9s leaves: refused",
			path: "conference_join:done talk:done digits_receive:done branch:done goto:done talk:done digits_receive:done branch:done hangup:done", end: "hangup failed",
		},
		{
			name: "kicked in the pre-flow", list: `[` + join + `,{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`, pre: pin,
			set:  func(f *fake, p *place) { time.AfterFunc(time.Second, func() { p.end("kicked") }) },
			want: "0s joins, 0s answered, 0s plays pin 2000, 1s cut, 1s plays You have been removed from this conference., 1.1s plays kicked",
			path: "conference_join:done talk:failed:CONFERENCECALL_LEAVED talk:done", end: "finished normal",
		},
		{
			name: "the room ends while digits are awaited", list: `[` + join + `,{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`, pre: pin,
			set:  func(f *fake, p *place) { time.AfterFunc(3*time.Second, func() { p.end("terminated") }) },
			want: "0s joins, 0s answered, 0s plays pin 2000, 3s plays This conference has ended., 3.1s plays terminated",
			path: "conference_join:done talk:done digits_receive:failed:CONFERENCECALL_LEAVED talk:done", end: "finished normal",
		},
		{
			name: "over as soon as it has joined", list: `[` + join + `]`, pre: pin, set: func(_ *fake, p *place) { p.end("kicked") },
			want: "0s joins, 0s answered, 0s plays You have been removed from this conference.",
			path: "conference_join:done talk:failed:CONFERENCECALL_LEAVED", end: "finished normal",
		},
		{
			name: "kicked in the mix", list: `[` + join + `,{"type":"beep"}]`, post: `[{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`,
			set:  func(_ *fake, p *place) { time.AfterFunc(3*time.Second, func() { p.end("kicked") }) },
			want: "0s joins, 0s enters, 3s is out, 3s answered, 3s plays kicked, 3.1s plays tone beep",
			path: "conference_join:done confbridge_join:done talk:done beep:done", end: "finished normal",
		},
		{
			name: "refused after the pre-flow", list: `[` + join + `,{"type":"beep"}]`, pre: `[{"type":"beep"}]`,
			set:  func(_ *fake, p *place) { p.refuse = fault.New(fault.Conflict, "CONFERENCE_FULL", "full") },
			want: "0s joins, 0s answered, 0s plays tone beep, 100ms plays This conference is full., 200ms plays tone beep",
			path: "conference_join:done beep:done confbridge_join:failed:CONFERENCE_FULL beep:done", end: "finished normal",
		},
		{
			name: "refused at once", list: `[` + join + `,{"type":"talk","option":{"text":"${voipbin.conference.result} ${voipbin.conference.reason}"}}]`,
			set:  func(f *fake, _ *place) { f.refuse = fault.New(fault.Conflict, "CONFERENCE_NOT_PROGRESSING", "ended") },
			want: "0s answered, 0s plays This conference has ended., 100ms plays refused CONFERENCE_NOT_PROGRESSING",
			path: "conference_join:failed:CONFERENCE_NOT_PROGRESSING talk:done", end: "finished normal",
		},
		{
			name: "stop in the pre-flow", list: `[` + join + `]`, pre: `[{"type":"stop"}]`, want: "0s joins, 0s leaves: refused",
			path: "conference_join:done stop:done", end: "stopped normal",
		},
		{
			name: "no such pre-flow", list: `[` + join + `]`, set: func(_ *fake, p *place) { p.place.PreFlow = callID },
			want: "0s joins, 0s leaves: refused, 0s answered, 0s plays You cannot enter this conference now.",
			path: "conference_join:failed:FLOW_NOT_FOUND", end: "finished normal",
		},
		{
			name: "no such post-flow", list: `[` + join + `,{"type":"beep"}]`, set: func(_ *fake, p *place) { p.place.PostFlow = callID },
			want: "0s joins, 0s enters, 1m0s is out, 1m0s answered, 1m0s plays tone beep",
			path: "conference_join:done confbridge_join:done beep:done", end: "finished normal",
		},
		{
			name: "kicked out of the outer one while in the inner", list: `[` + join + `,{"type":"beep"}]`, pre: `[{"type":"conference_join","option":{"conference_id":"` + innerID + `"}}]`,
			set:  func(f *fake, p *place) { time.AfterFunc(3*time.Second, func() { p.end("kicked") }) },
			want: "0s joins, 0s joins, 0s enters, 3s leaves: refused, 3s answered, 3s plays You have been removed from this conference., 3.1s plays tone beep",
			path: "conference_join:done conference_join:done confbridge_join:failed:CONFERENCECALL_LEAVED beep:done", end: "finished normal",
		},
		{
			name: "into the mix by its id", list: `[{"type":"confbridge_join","option":{"confbridge_id":"` + roomID + `"}},{"type":"talk","option":{"text":"${voipbin.conference.result}"}}]`, pre: pin,
			want: "0s joins, 0s enters, 1m0s is out, 1m0s answered, 1m0s plays left", path: "confbridge_join:done talk:done", end: "finished normal",
		},
		{
			name: "an async talk ends at the door", list: `[{"type":"talk","option":{"text":"long 90000","async":true}},{"type":"sleep","option":{"duration":1000}},` + join + `]`,
			want: "0s answered, 0s plays long 90000, 1s cut, 1s joins, 1s enters, 1m1s is out", path: "talk:done sleep:done conference_join:done confbridge_join:done", end: "finished normal",
		},
		{
			name: "twice", list: `[{"id":"a","type":"talk","option":{"text":"hello"}},` + join + `,{"type":"conference_join","option":{"conference_id":"` + innerID + `"}}]`,
			want: "0s answered, 0s plays hello, 100ms joins, 100ms enters, 1m0.1s is out, 1m0.1s joins, 1m0.1s enters, 2m0.1s is out",
			path: "talk:done conference_join:done confbridge_join:done conference_join:done confbridge_join:done", end: "finished normal",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				flowOf := func(list string) string {
					if list == "" {
						return ""
					}
					return w.flow(list)
				}
				p := w.call.room(roomID, flowOf(tt.pre), flowOf(tt.post))
				w.call.room(innerID, "", "")
				if tt.set != nil {
					tt.set(w.call, p)
				}
				end, rec := w.perform(t.Context(), tt.list)
				if got := w.call.told(true); got != tt.want {
					t.Errorf("call\n%s, want\n%s", got, tt.want)
				}
				if got := path(rec); got != tt.path {
					t.Errorf("path\n%s, want\n%s", got, tt.path)
				}
				if got := end.Reason + " " + string(end.Hangup); got != tt.end || rec.EndReason != end.Reason {
					t.Errorf("end %q, want %q; record %s", got, tt.end, rec.EndReason)
				}
				if rec.Variables["voipbin.conference.id"] == "" && strings.Contains(tt.want, "joins") && !strings.Contains(tt.path, "FLOW_NOT_FOUND") {
					t.Error("the run does not know its conference")
				}
			})
		})
	}
}

// TestStopInConference says that stopping a run takes its call out of the conference.
func TestStopInConference(t *testing.T) {
	for _, pre := range []string{"", pin} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			id := ""
			if pre != "" {
				id = w.flow(pre)
			}
			w.call.room(roomID, id, "")
			plan, err := w.p.Prepare(t.Context(), w.plan(`[`+join+`,{"type":"beep"}]`))
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(1500*time.Millisecond, func() {
				if a, err := w.p.Stop(context.Background(), me, plan.Env.ActiveflowID); err != nil || a.EndReason != "stopped" {
					t.Errorf("%v %+v", err, a)
				}
			})
			end := w.p.Perform(t.Context(), plan, w.call.stage())
			synctest.Wait()
			if end.Reason != "stopped" || end.Hangup != "normal" || !strings.HasSuffix(w.call.told(true), "1.5s leaves: hangup") {
				t.Errorf("%+v %s", end, w.call.told(true))
			}
		})
	}
}
