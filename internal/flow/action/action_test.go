package action_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"parley/internal/flow/action"
)

func TestRead(t *testing.T) {
	for _, tt := range []struct {
		kind   action.Type
		option string
		want   action.Option
	}{
		{action.Answer, `{"x":1}`, &action.None{}},
		{action.Echo, ``, &action.Lasting{Duration: 180000}},
		{action.Echo, `{"duration":5}`, &action.Lasting{Duration: 5}},
		{action.Sleep, `{}`, &action.Lasting{}},
		{action.Branch, `{}`, &action.Branching{Variable: action.DefaultVariable}},
		{action.DigitsSend, `{"digits":"1*#"}`, &action.Sending{Digits: "1*#", Duration: 100}},
		{action.Fetch, `{"event_url":"http://a/","event_method":"put"}`, &action.Fetching{EventURL: "http://a/", EventMethod: "PUT"}},
		{action.Hangup, `{"reference_id":"00000000-0000-0000-0000-000000000000"}`, &action.Ending{}},
		{action.RecordingStart, `{"on_end_flow_id":""}`, &action.Recording{}},
		{action.Play, `{"stream_urls":["blob:welcome.wav"]}`, &action.Playing{StreamURLs: []string{"blob:welcome.wav"}}},
	} {
		got, err := action.Read(tt.kind, []byte(tt.option), action.Final)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s %s: %+v, %v", tt.kind, tt.option, got, err)
		}
	}
}

// TestStages says that a variable may stand for what is judged only when it is there, and for nothing else.
func TestStages(t *testing.T) {
	for option, kind := range map[string]action.Type{
		`{"conference_id":"${x}"}`: action.ConferenceJoin, `{"stream_urls":["${x}"]}`: action.Play, `{"digits":"${x}"}`: action.DigitsSend,
		`{"reason":"${x}"}`: action.Hangup, `{"uri":"${x}/a"}`: action.WebhookSend,
	} {
		if _, err := action.Read(kind, []byte(option), action.Written); err != nil {
			t.Errorf("%s written: %v", option, err)
		}
		if _, err := action.Read(kind, []byte(option), action.Final); err == nil {
			t.Errorf("%s is accepted without a value", option)
		}
	}
	if _, err := action.Read(action.Goto, []byte(`{"target_id":"${x}"}`), action.Written); err == nil || !strings.HasPrefix(err.Error(), "target_id: ") {
		t.Errorf("a target from a variable: %v", err)
	}
}

func TestTake(t *testing.T) {
	for _, tt := range []struct {
		o                   action.Receiving
		digits, value, rest string
		complete            bool
	}{
		{action.Receiving{Length: 4}, "123", "123", "", false},
		{action.Receiving{Length: 4}, "12345", "1234", "5", true},
		{action.Receiving{Key: "#*"}, "12#3", "12#", "3", true},
		{action.Receiving{Length: 2, Key: "#"}, "123#", "12", "3#", true},
		{action.Receiving{Duration: 1}, "123", "123", "", false},
		{action.Receiving{Length: 1}, "", "", "", false},
	} {
		if value, rest, complete := tt.o.Take(tt.digits); value != tt.value || rest != tt.rest || complete != tt.complete {
			t.Errorf("%+v %s: %q %q %v", tt.o, tt.digits, value, rest, complete)
		}
	}
}

// TestTime pins the original's order of comparison: the option's part first, then the time's.
func TestTime(t *testing.T) {
	at := time.Date(2026, 1, 15, 9, 59, 0, 0, time.FixedZone("", 0))
	for _, tt := range []struct {
		o    action.IfTime
		want bool
	}{
		{action.IfTime{Condition: ">=", Hour: 9, Minute: 59}, true},
		{action.IfTime{Condition: ">=", Hour: 9}, false}, // minute 0 is compared, too
		{action.IfTime{Condition: "<=", Hour: 8}, true},
		{action.IfTime{Condition: "==", Hour: 9, Minute: 59, Day: 15, Month: 1, Weekdays: []int64{4}}, true},
		{action.IfTime{Condition: "==", Hour: 9, Minute: 59, Day: 16}, false},
		{action.IfTime{Condition: "!=", Hour: 8, Minute: 1, Weekdays: []int64{0, 6}}, false},
	} {
		if got := tt.o.Holds(at); got != tt.want {
			t.Errorf("%+v: %v", tt.o, got)
		}
	}
}
