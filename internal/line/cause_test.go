package line_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/cause"
)

// causeOf returns the cause of the newest entry of the type.
func (b *bench) causeOf(kind string) (c cause.Cause) {
	b.Helper()
	rows, _, err := b.store.Events(context.Background(), store.LogQuery{Types: []string{kind}, Limit: 1000})
	if err != nil || len(rows) == 0 {
		b.Fatalf("%d entries of type %s (%v)", len(rows), kind, err)
	}
	if raw := rows[len(rows)-1].Cause; raw != nil {
		if err := json.Unmarshal(raw, &c); err != nil {
			b.Fatal(err)
		}
	}
	return c
}

// TestWhoEndsACall has a call ended by its phone, by a request, by a kick, by the server's stop: the ends of call and participant name the same.
func TestWhoEndsACall(t *testing.T) {
	asked := cause.Cause{Kind: cause.API, RequestID: "req_1", AccesskeyID: "key"}
	for name, tt := range map[string]struct {
		end  func(b *bench, p *phone, c conference.Conference, stop func())
		want cause.Cause
	}{
		"phone": {func(_ *bench, p *phone, _ conference.Conference, _ func()) { p.end("remote", 0) }, cause.Cause{Kind: cause.SIP}},
		"request": {func(b *bench, _ *phone, _ conference.Conference, _ func()) {
			_, _ = b.x.Hangup(cause.With(b.ctx, asked), string(b.call().ID))
		}, asked},
		"kick": {func(b *bench, _ *phone, c conference.Conference, _ func()) {
			_, _ = b.rooms.Do(cause.With(b.ctx, asked), c.ID, conference.Kick{At: time.Now(), ID: b.participant().ID}, room.DoOptions{})
		}, asked},
		"stop": {func(_ *bench, _ *phone, _ conference.Conference, stop func()) { stop() }, cause.Cause{Kind: cause.Recovery}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, open, func(b *bench) {
				p, c := newPhone(), b.conference(conference.Settings{})
				ctx, stop := context.WithCancel(b.ctx)
				defer stop()
				done := b.run(ctx, b.accept(p, b.invite(string(c.ID), offer("sendrecv", "PCMU"))))
				synctest.Wait()
				if by := b.causeOf("call_created"); by.Kind != cause.SIP || by.CallID != string(b.call().ID) || by.SIPCallID == "" {
					t.Errorf("the call came by %+v", by)
				}
				if by := b.causeOf("conferencecall_joining"); by.Kind != cause.SIP {
					t.Errorf("the participant came by %+v", by)
				}
				tt.end(b, p, c, stop)
				<-done
				synctest.Wait()
				if b.call().Status != call.Ended {
					t.Fatalf("the call is %s", b.call().Status)
				}
				for _, kind := range []string{"conferencecall_leaved", "call_hangup"} {
					by := b.causeOf(kind)
					if tt.want.Kind == cause.SIP {
						if by.CallID != string(b.call().ID) {
							t.Errorf("%s by the phone of call %q", kind, by.CallID)
						}
						by = cause.Cause{Kind: by.Kind}
					}
					if by != tt.want {
						t.Errorf("%s by %+v, want %+v", kind, by, tt.want)
					}
				}
			})
		})
	}
}
