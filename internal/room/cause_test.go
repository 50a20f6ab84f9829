package room_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/room"
	"parley/internal/store/cause"
)

// wantCauses compares the last entries of the log with what is wanted: type and cause.
func (b *bench) wantCauses(id conference.ID, want ...string) {
	b.Helper()
	all := b.events(id)
	for i, e := range all[len(all)-len(want):] {
		if got := e.Type + " " + string(e.Cause); got != want[i] {
			b.Errorf("entry %d is\n     %s\nwant %s", e.Seq, got, want[i])
		}
	}
}

// TestCauses looks at what the log says of who did it: the request, the keys, the audio, the clock, the end of the process.
func TestCauses(t *testing.T) {
	listening(t, func(b *bench) {
		asked := cause.Cause{Kind: cause.API, RequestID: "req_1", AccesskeyID: "key"}
		api := string(asked.JSON())
		ctx := cause.With(b.ctx, asked)
		do := func(id conference.ID, c conference.Command) {
			if _, err := b.host.Do(ctx, id, c, room.DoOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		v, err := b.host.Create(ctx, conference.Create{CustomerID: customer, Settings: conference.Settings{Keypad: "consumer", Timeout: time.Hour}})
		if err != nil {
			t.Fatal(err)
		}
		id := v.Conference.ID
		b.wantCauses(id, "conference_created "+api, "conference_updated "+api)
		first, second := b.enter(id), b.enter(id)
		b.wantCauses(id, "conferencecall_joined "+string(cause.ByMedia), "conference_updated "+string(cause.ByMedia))

		b.types(first, "*6")
		keys, _ := json.Marshal(map[string]string{"digits": "*6"})
		last := b.events(id)[len(b.events(id))-1]
		var by cause.Cause
		if err := json.Unmarshal(last.Cause, &by); err != nil || by.Kind != cause.Keypad || by.Digits != "*6" || by.Participant != string(first.ID()) {
			t.Errorf("muted by keys: %s %s, want %s (%v)", last.Type, last.Cause, keys, err)
		}
		b.media.tell(string(second.ID()), loop.SpeechStarted, 0)
		time.Sleep(100 * time.Millisecond)
		b.wantCauses(id, "conferencecall_speech_started "+string(cause.ByMedia))

		do(id, conference.Kick{At: time.Now(), ID: first.ID()})
		b.wantEnd(first, conference.LeftKicked)
		b.wantCauses(id, "conferencecall_leaving "+api, "conferencecall_leaved "+api, "conference_updated "+api)
		if got := string(first.By()); got != api {
			t.Errorf("the seat ended by %q", got)
		}
		time.Sleep(time.Hour)
		b.wantEnd(second, conference.LeftTimeout)
		for _, e := range b.events(id) {
			if e.At.After(time.Now().Add(-time.Minute)) && string(e.Cause) != string(cause.ByTimer) {
				t.Errorf("at the timeout %s has cause %s", e.Type, e.Cause)
			}
		}
	})
}

// TestCauseSurvivesTheStore has a leave wait for a store that cannot write: the cause is that of the leave, not of the second attempt.
func TestCauseSurvivesTheStore(t *testing.T) {
	bubble(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		b.store.fail(errFull)
		ctx := cause.With(b.ctx, cause.Cause{Kind: cause.SIP, CallID: "call"})
		go func() { _ = s.Leave(ctx, conference.LeftHangup) }()
		time.Sleep(5 * time.Second)
		b.store.fail(nil)
		time.Sleep(10 * time.Second)
		all := b.events(id)
		left := all[len(all)-2]
		if !strings.Contains(string(left.Cause), `"call_id":"call"`) {
			t.Errorf("%s has cause %s", left.Type, left.Cause)
		}
	})
}
