package line_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/line"
	"parley/internal/line/script"
	"parley/internal/mixer"
	"parley/internal/prompt"
	"parley/internal/room"
	"parley/internal/store"
)

// voice is a library whose sounds last a second.
type voice struct {
	mu   sync.Mutex // guards said
	said []string
}

func (v *voice) note(what string) (prompt.Sound, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said, what)
	return prompt.Sound{Samples: make([]int16, 8000), Rate: 8000}, nil
}

func (v *voice) Fetch(_ context.Context, _, url string) (prompt.Sound, error) { return v.note(url) }
func (v *voice) Say(_ context.Context, s prompt.Speech) (prompt.Sound, error) { return v.note(s.Text) }

func (v *voice) Tone(name string) (prompt.Sound, error) { return v.note(name) }

func (v *voice) heard() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.said)
}

// theatre is a bench whose calls run flows.
type theatre struct {
	*bench
	voice *voice
}

// perform runs f on a bench with flows, prompts, and an exchange that may place calls.
func perform(t *testing.T, o line.Options, f func(b *theatre)) {
	bubble(t, o, func(b *bench) {
		v := &voice{}
		flows := script.New(script.Options{Store: b.store, Prompts: v, Log: b.o.Log})
		b.o.Flows, b.o.Prompts = flows, v
		b.x = line.New(b.o)
		ctx, cancel := context.WithCancel(b.ctx)
		var running sync.WaitGroup
		running.Go(func() { _ = flows.Run(ctx) })
		running.Go(func() { _ = b.x.Run(ctx) })
		defer func() {
			cancel()
			running.Wait()
		}()
		synctest.Wait()
		f(&theatre{b, v})
		b.runs.Wait()
		time.Sleep(10 * time.Second)
	})
}

// flow keeps a flow and returns its id.
func (b *theatre) flow(actions, hash string) string {
	b.Helper()
	list, err := flow.ReadActions([]byte(actions), flow.Reading{NewID: uuid.NewString})
	if err != nil {
		b.Fatal(err)
	}
	now, id := time.Now(), uuid.NewString()
	f, err := flow.New(now, id, customer, hash, flow.Patch{Actions: &list})
	if err != nil {
		b.Fatal(err)
	}
	doc, err := json.Marshal(f)
	if err != nil {
		b.Fatal(err)
	}
	change := &store.Change{
		Key:     "flow/" + id,
		Events:  []store.Event{{ID: uuid.NewString(), Type: "flow_created", At: now, CustomerID: customer, Resource: id, Data: []byte("{}")}},
		Records: []store.Record{{Kind: store.Flow, ID: id, CustomerID: customer, Created: now, Doc: doc}},
	}
	if hash != "" {
		change.Names = []store.Name{{Space: "direct", Value: hash, Kind: store.Flow, ID: id}}
	}
	if err := b.store.Append(b.ctx, change); err != nil {
		b.Fatal(err)
	}
	return id
}

// pin is a pre-flow that asks for 1234 and hangs up on anything else.
const pin = `[{"type":"talk","option":{"text":"your PIN please"}},{"type":"digits_receive","option":{"length":4,"duration":5000}},
	{"type":"condition_variable","option":{"variable":"${voipbin.call.digits}","condition":"!=","value_string":"1234","false_target_id":"right"}},
	{"type":"talk","option":{"text":"wrong"}},{"type":"hangup"},{"id":"right","type":"talk","option":{"text":"welcome"}}]`

// press presses keys in the newest booth.
func (b *theatre) press(digits string) {
	b.Helper()
	b.media.mu.Lock()
	booth := b.media.booths[len(b.media.booths)-1]
	b.media.mu.Unlock()
	for i := range len(digits) {
		booth.facts <- loopDigit(digits[i])
	}
	synctest.Wait()
}

func TestPreFlowAsksForPIN(t *testing.T) {
	for _, tt := range []struct {
		digits string
		joins  bool
	}{{"1234", true}, {"9999", false}} {
		t.Run(tt.digits, func(t *testing.T) {
			perform(t, open, func(b *theatre) {
				c := b.conference(conference.Settings{PreFlowID: b.flow(pin, "")})
				p := newPhone()
				b.dial(p, c)
				if who := b.participant(); who.Status != conference.Joining || who.ActiveflowID == "" {
					t.Errorf("in the pre-flow the participant is %s, of run %q", who.Status, who.ActiveflowID)
				}
				time.Sleep(1500 * time.Millisecond)
				b.press(tt.digits)
				time.Sleep(5 * time.Second)
				who := b.participant()
				if got := who.Status == conference.Joined; got != tt.joins {
					t.Errorf("participant is %s (%s); heard %q", who.Status, who.LeaveReason, b.voice.heard())
				}
				if tt.joins {
					if now := b.call(); now.ConferenceID != string(c.ID) || now.ConferencecallID != string(who.ID) {
						t.Errorf("call is in %q", now.ConferenceID)
					}
				} else if _, h := p.told(); h != 1 {
					t.Errorf("hung up %d times", h)
				}
				p.end("remote", 0)
			})
		})
	}
}

func TestKickInPreFlow(t *testing.T) {
	perform(t, open, func(b *theatre) {
		c := b.conference(conference.Settings{
			PreFlowID: b.flow(`[{"type":"sleep","option":{"duration":60000}}]`, ""), PostFlowID: b.flow(`[{"type":"talk","option":{"text":"bye"}}]`, ""),
		})
		p := newPhone()
		b.dial(p, c)
		time.Sleep(3 * time.Second)
		if _, err := b.rooms.Do(b.ctx, c.ID, conference.Kick{At: time.Now(), ID: b.participant().ID}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		b.runs.Wait()
		if who := b.participant(); who.Status != conference.Leaved || who.LeaveReason != conference.LeftKicked {
			t.Errorf("participant is %s (%s)", who.Status, who.LeaveReason)
		}
		wantCall(t, b.call(), call.Local, call.Normal)
		if len(b.voice.heard()) == 0 {
			t.Error("nobody told the caller")
		}
	})
}

func TestPostFlow(t *testing.T) {
	perform(t, open, func(b *theatre) {
		c := b.conference(conference.Settings{PostFlowID: b.flow(`[{"type":"talk","option":{"text":"result ${voipbin.conference.result}"}}]`, "")})
		p := newPhone()
		b.dial(p, c)
		b.media.packet(string(b.participant().ID))
		synctest.Wait()
		if _, err := b.rooms.Do(b.ctx, c.ID, conference.Kick{At: time.Now(), ID: b.participant().ID}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		b.runs.Wait()
		if heard := b.voice.heard(); !slices.Contains(heard, "result kicked") {
			t.Errorf("heard %q", heard)
		}
		if _, h := p.told(); h != 1 {
			t.Errorf("hung up %d times", h)
		}
	})
}

func TestCallIntoFlow(t *testing.T) {
	perform(t, open, func(b *theatre) {
		const hash = "0123456789ab"
		c := b.conference(conference.Settings{})
		b.flow(`[{"type":"answer"},{"type":"talk","option":{"text":"hello"}},{"type":"conference_join","option":{"conference_id":"`+string(c.ID)+`"}},
			{"type":"talk","option":{"text":"and bye"}}]`, hash)
		p := newPhone()
		b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
		time.Sleep(3 * time.Second)
		who, now := b.participant(), b.call()
		if who.Status != conference.Joined || now.Type != call.ForFlow || now.FlowID == "" || now.ActiveflowID != who.ActiveflowID || now.ConferenceID != string(c.ID) {
			t.Errorf("participant %s; call %s of flow %q in %q", who.Status, now.Type, now.FlowID, now.ConferenceID)
		}
		if !strings.Contains(string(now.Action), "confbridge_join") {
			t.Errorf("the call's action is %s", now.Action)
		}
		if _, err := b.rooms.Do(b.ctx, c.ID, conference.Terminate{At: time.Now()}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		b.runs.Wait()
		if heard := b.voice.heard(); !slices.Equal(heard, []string{"hello", "and bye"}) {
			t.Errorf("heard %q", heard)
		}
		wantCall(t, b.call(), call.Local, call.Normal)
	})
}

func TestHangupInFlow(t *testing.T) {
	perform(t, open, func(b *theatre) {
		const hash = "0123456789ab"
		b.flow(`[{"type":"sleep","option":{"duration":3600000}}]`, hash)
		p := newPhone()
		b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
		time.Sleep(time.Minute)
		if r, h := p.told(); r+h != 0 {
			t.Fatalf("ended after a minute: %d, %d", r, h)
		}
		if _, err := b.x.Hangup(b.ctx, string(b.call().ID)); err != nil {
			t.Error(err)
		}
		if r, _ := p.told(); r != 1 {
			t.Errorf("a call that was not answered was rejected %d times", r)
		}
	})
}

func TestPIN(t *testing.T) {
	for _, tt := range []struct {
		name  string
		typed []string // for each question
		role  conference.Role
	}{
		{"right", []string{"1234#"}, conference.Member},
		{"moderator's", []string{"99#"}, conference.Moderator},
		{"right without #", []string{"1234"}, conference.Member},
		{"right at the third try", []string{"1#", "2#", "1234#"}, conference.Member},
		{"wrong", []string{"1#", "2#", "3#", "1234#"}, ""},
		{"nothing", []string{"", "", "", "", ""}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			perform(t, open, func(b *theatre) {
				c := b.conference(conference.Settings{PIN: "1234", ModeratorPIN: "99"})
				p := newPhone()
				b.dial(p, c)
				if n := len(b.participants()); n != 0 {
					t.Errorf("%d participants before the PIN", n)
				}
				for _, digits := range tt.typed {
					time.Sleep(500 * time.Millisecond)
					if b.x.Live() == 0 {
						break
					}
					b.press(digits)
					time.Sleep(6 * time.Second)
				}
				if tt.role == "" {
					time.Sleep(time.Minute)
				}
				switch all := b.participants(); {
				case tt.role == "":
					if len(all) != 0 || b.x.Live() != 0 {
						t.Errorf("%d got in, %d live", len(all), b.x.Live())
					}
				case len(all) != 1 || all[0].Status != conference.Joined || all[0].Role != tt.role:
					t.Errorf("participants %+v", all)
				}
				p.end("remote", 0)
			})
		})
	}
}

// TestVisitorFollows has a visitor of a call hear it in its booth and in its conference, and be told of its end.
func TestVisitorFollows(t *testing.T) {
	perform(t, open, func(b *theatre) {
		const hash = "0123456789ab"
		c := b.conference(conference.Settings{})
		b.flow(`[{"type":"answer"},{"type":"sleep","option":{"duration":5000}},{"type":"conference_join","option":{"conference_id":"`+string(c.ID)+`"}}]`, hash)
		p := newPhone()
		b.run(b.ctx, b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU"))))
		time.Sleep(time.Second)
		id := string(b.call().ID)
		inlet, err := mixer.NewInlet(8000, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var tags []string
		tap := func(tag string) mixer.Tap {
			tags = append(tags, tag)
			return mixer.NewRing(tag)
		}
		life, detach, err := b.x.Attach(b.ctx, id, tap, inlet)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if want := []string{id, string(b.participant().ID)}; !slices.Equal(tags, want) {
			t.Errorf("heard %q, want %q", tags, want)
		}
		if inlet.Ended() {
			t.Error("the sound has ended with the move")
		}
		p.end("remote", 0)
		b.runs.Wait()
		if fault.ReasonOf(context.Cause(life)) != "CALL_ENDED" {
			t.Errorf("life ended by %v", context.Cause(life))
		}
		detach()
		_, _, err = b.x.Attach(b.ctx, id, tap, nil)
		wantReason(t, err, "CALL_ALREADY_HANGUP")
	})
}
