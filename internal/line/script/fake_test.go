package script_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script"
	"parley/internal/prompt"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const (
	me     = "11111111-0000-4000-8000-000000000001"
	others = "11111111-0000-4000-8000-000000000002"
	callID = "22222222-0000-4000-8000-000000000001"
	roomID = "33333333-0000-4000-8000-000000000001"
	partID = "44444444-0000-4000-8000-000000000001"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// world is a performer with everything that it needs, and one call.
type world struct {
	t     *testing.T
	st    store.Store
	p     *script.Performer
	voice *voice
	call  *fake
	stop  func() // ends Run
}

func newWorld(t *testing.T, change ...func(*script.Options)) *world {
	t.Helper()
	w := &world{t: t, st: memory.New(), voice: &voice{sounds: map[*int16]string{}}}
	o := script.Options{Store: w.st, Prompts: w.voice, Log: quiet}
	for _, c := range change {
		c(&o)
	}
	w.st = o.Store
	w.p = script.New(o)
	w.call = &fake{w: w, began: time.Now(), digits: make(chan byte, 16), seats: map[string]*place{}}
	return w
}

// run starts the goroutines of the performer.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.p.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
}

func actions(t testing.TB, list string) []flow.Action {
	t.Helper()
	got, err := flow.ReadActions([]byte(list), flow.Reading{NewID: uuid.NewString})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// flow puts a flow into the store.
func (w *world) flow(list string, onComplete ...string) string {
	return keepFlow(w.t, w.st, list, onComplete...)
}

func keepFlow(t testing.TB, st store.Store, list string, onComplete ...string) string {
	t.Helper()
	got := actions(t, list)
	patch := flow.Patch{Actions: &got}
	if len(onComplete) > 0 {
		patch.OnCompleteFlowID = &onComplete[0]
	}
	f, err := flow.New(time.Now(), uuid.NewString(), me, "", patch)
	if err != nil {
		t.Fatal(err)
	}
	doc, _ := json.Marshal(f)
	data, _ := f.Data()
	if err := st.Append(t.Context(), &store.Change{
		Key:     "flow/" + f.ID,
		Records: []store.Record{{Kind: store.Flow, ID: f.ID, CustomerID: me, Created: f.Created, Doc: doc}},
		Events:  []store.Event{{ID: uuid.NewString(), Type: "flow_created", At: f.Created, CustomerID: me, Resource: f.ID, Data: data}},
	}); err != nil {
		t.Fatal(err)
	}
	return f.ID
}

func (w *world) plan(list string) script.Plan {
	return script.Plan{CustomerID: me, Actions: actions(w.t, list), Env: run.Env{ReferenceType: active.OnCall, ReferenceID: callID, Direction: call.Inbound}}
}

// perform runs the actions on the call to their end.
func (w *world) perform(ctx context.Context, list string) (run.End, active.Activeflow) {
	w.t.Helper()
	plan, err := w.p.Prepare(ctx, w.plan(list))
	if err != nil {
		w.t.Fatal(err)
	}
	end := w.p.Perform(ctx, plan, w.call.stage())
	return end, w.record(plan.Env.ActiveflowID)
}

func (w *world) record(id string) (a active.Activeflow) {
	w.t.Helper()
	rec, err := w.st.Get(context.Background(), store.Activeflow, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(rec.Doc, &a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// events returns the types of a run's events with what ran after each.
func (w *world) events(id string) string {
	w.t.Helper()
	got, _, err := w.st.Events(context.Background(), store.LogQuery{Resource: id, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	var text []string
	for _, e := range got {
		var r active.Resource
		if err := json.Unmarshal(e.Data, &r); err != nil {
			w.t.Fatal(err)
		}
		text = append(text, fmt.Sprintf("%s:%s:%s", strings.TrimPrefix(e.Type, "activeflow_"), r.Status, r.CurrentAction.Type))
	}
	return strings.Join(text, " ")
}

// path writes what a run has executed.
func path(a active.Activeflow) string {
	var b strings.Builder
	for _, v := range a.Executed {
		fmt.Fprintf(&b, " %s:%s", v.Action.Type, v.Outcome)
		if v.Reason != "" {
			b.WriteString(":" + v.Reason)
		}
	}
	return strings.TrimSpace(b.String())
}

// voice is a library whose sounds have names: a text or URL that ends in a number is so many milliseconds long, any other 100.
type voice struct {
	mu     sync.Mutex
	sounds map[*int16]string
	slow   time.Duration // of each fetch
	mute   bool          // it cannot speak
}

func (v *voice) sound(name string, ms int) prompt.Sound {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := prompt.Sound{Samples: make([]int16, 8*ms), Rate: 8000}
	v.sounds[&s.Samples[0]] = name
	return s
}

func (v *voice) name(s prompt.Sound) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if name := v.sounds[&s.Samples[0]]; name != "" {
		return name
	}
	return "unknown"
}

func length(name string) int {
	ms := 100
	if i := strings.LastIndexAny(name, "/ "); i >= 0 {
		_, _ = fmt.Sscan(name[i+1:], &ms)
	}
	return ms
}

func (v *voice) Fetch(ctx context.Context, _, url string) (prompt.Sound, error) {
	if strings.Contains(url, "missing") {
		return prompt.Sound{}, fault.New(fault.Unavailable, "PROMPT_UNREACHABLE", "gone")
	}
	select {
	case <-time.After(v.slow):
		return v.sound(url, length(url)), nil
	case <-ctx.Done():
		return prompt.Sound{}, ctx.Err()
	}
}

func (v *voice) Say(_ context.Context, s prompt.Speech) (prompt.Sound, error) {
	if v.mute {
		return prompt.Sound{}, fault.New(fault.Unavailable, "VOICE_UNAVAILABLE", "mute")
	}
	return v.sound(s.Text, length(s.Text)), nil
}

func (v *voice) Tone(name string) (prompt.Sound, error) { return v.sound("tone "+name, 100), nil }

// fake is a call whose every step is written down.
type fake struct {
	w      *world
	began  time.Time
	digits chan byte

	mu      sync.Mutex
	said    []string
	up      bool
	machine bool
	seats   map[string]*place // by conference
	refuse  error
	relay   call.HangupReason
	again   bool  // conferences can be joined again and again
	script  *keys // nil: nobody types but types
}

// keys are what a caller types into each digits_receive; a comma is where it waits until that gives up.
type keys struct {
	left string
	stop func()
}

// acting types what a digits_receive takes, and nothing outside of one.
func (f *fake) acting(_ context.Context, a flow.Action) {
	if f.script == nil {
		return
	}
	if f.script.stop != nil {
		f.script.stop()
		f.script.stop = nil
	}
	if a.Type != action.DigitsReceive {
		return
	}
	quit, done := make(chan struct{}), make(chan struct{})
	f.script.stop = func() { close(quit); <-done }
	go func() {
		defer close(done)
		o, err := action.Read(a.Type, a.Option, action.Final)
		if err != nil {
			return
		}
		typed := ""
		for f.script.left != "" {
			if _, _, complete := o.(*action.Receiving).Take(typed); complete {
				return
			}
			d := f.script.left[0]
			if d == ',' { // the next one is for the next
				f.script.left = f.script.left[1:]
				return
			}
			select {
			case f.digits <- d:
				f.script.left, typed = f.script.left[1:], typed+string(d)
			case <-quit:
				return
			}
		}
	}()
}

func (f *fake) stage() *script.Stage {
	return &script.Stage{Phone: f, Rooms: f, Dials: f, Tapes: tapes{f}, Media: media{f}, Acting: f.acting, Digits: f.digits}
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf("%v ", time.Since(f.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// told returns what happened to the call, with the times or without.
func (f *fake) told(times bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, s := range f.said {
		if _, what, _ := strings.Cut(s, " "); !times {
			s = what
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

// types lets the caller press keys after a while, one each 10 ms.
func (f *fake) types(after time.Duration, keys string) {
	for i := range len(keys) {
		time.AfterFunc(after+time.Duration(i)*10*time.Millisecond, func() { f.digits <- keys[i] })
	}
}

func (f *fake) Answer(context.Context) error {
	f.mu.Lock()
	up := f.up
	f.up = true
	f.mu.Unlock()
	if !up {
		f.note("answered")
	}
	return nil
}

func (f *fake) Play(ctx context.Context, s prompt.Sound) error {
	f.note("plays %s", f.w.voice.name(s))
	select {
	case <-time.After(time.Duration(len(s.Samples)) * time.Second / time.Duration(s.Rate)):
		return nil
	case <-ctx.Done():
		f.note("cut")
		return ctx.Err()
	}
}

func (f *fake) Echo(ctx context.Context) error {
	f.note("echo")
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) SendDigits(_ context.Context, o *action.Sending) error {
	f.note("sends %s", o.Digits)
	return nil
}

func (f *fake) Mute(_ context.Context, direction string) error {
	f.note("mute %s", direction)
	return nil
}

func (f *fake) Listen(ctx context.Context) (bool, error) {
	f.note("listens")
	select {
	case <-time.After(2 * time.Second):
		return f.machine, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func (f *fake) Call(_ context.Context, o *action.Calling) error {
	f.note("calls %s", o.Destinations[0].Target)
	return nil
}

func (f *fake) Connect(ctx context.Context, o *action.Connecting) (call.HangupReason, error) {
	f.note("connects %s", o.Destinations[0].Target)
	select {
	case <-time.After(5 * time.Second):
		return f.relay, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

type tapes struct{ *fake }

func (f tapes) Start(_ context.Context, o *action.Recording) (map[string]string, error) {
	f.note("records %s", o.Format)
	return map[string]string{"voipbin.recording.id": "tape"}, nil
}

func (f tapes) Stop(context.Context) error {
	f.note("recorded")
	return nil
}

type media struct{ *fake }

func (f media) Link(_ context.Context, o *action.MediaLink) error {
	f.note("links %s", o.ExternalHost)
	return nil
}

func (f media) Unlink(context.Context) error {
	f.note("unlinked")
	return nil
}

// place is a seat of the fake.
type place struct {
	f      *fake
	place  script.Place
	stay   time.Duration // how long the call is in the mix
	result string
	refuse error // of Enter
	once   sync.Once
	done   chan struct{}
}

// room makes a conference that can be joined once.
func (f *fake) room(id, pre, post string) *place {
	p := &place{
		f: f, stay: time.Minute, result: "left", done: make(chan struct{}),
		place: script.Place{Conference: id, Name: "room", Participant: strings.Replace(id, "3333", "4444", 1), PreFlow: pre, PostFlow: post},
	}
	f.seats[id] = p
	return p
}

// end is what a room does that ends the participant.
func (p *place) end(result string) {
	p.once.Do(func() { p.result = result; close(p.done) })
}

func (f *fake) Join(_ context.Context, id string) (script.Seat, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	p := f.seats[id]
	if p == nil {
		return nil, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "no such conference")
	}
	f.note("joins")
	if f.again {
		fresh := &place{f: f, place: p.place, stay: p.stay, result: p.result, done: make(chan struct{})}
		fresh.place.Participant = uuid.NewString()
		return fresh, nil
	}
	return p, nil
}

func (p *place) Place() script.Place   { return p.place }
func (p *place) Done() <-chan struct{} { return p.done }
func (p *place) Result() string        { return p.result }

func (p *place) Enter(ctx context.Context) (string, error) {
	if p.refuse != nil {
		p.end("refused")
		return "", p.refuse
	}
	p.f.note("enters")
	select {
	case <-time.After(p.stay):
		p.end(p.result)
	case <-p.done:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	p.f.note("is out")
	return p.result, nil
}

func (p *place) Leave(_ context.Context, reason string) {
	p.f.note("leaves: %s", reason)
	p.end(reason)
}
