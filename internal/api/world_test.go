package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"parley/internal/api"
	"parley/internal/api/account"
	"parley/internal/api/apitest"
	"parley/internal/api/trunks"
	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/conference/tape"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/trunk"
)

const (
	key      = "first-customers-key-0123"
	otherKey = "other-customers-key-0123"
	tokenKey = "a key that signs the tokens of tests"
)

// world is a door with everything behind it but media.
type world struct {
	t          testing.TB
	st         store.Store
	rooms      *rooms
	lines      *lines
	calls      *exchange
	ways       *trunk.Trunks
	states     map[string]trunks.State
	door       *api.Door
	server     *httptest.Server
	client     *http.Client
	log        *lockedBuffer
	me, others string // customer ids
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newWorld(t testing.TB, change ...func(*api.Options)) *world {
	t.Helper()
	st := memory.New()
	w := &world{t: t, st: st, rooms: &rooms{st: st}, lines: &lines{st: st}, log: &lockedBuffer{}}
	w.open(change...)
	if _, err := api.Bootstrap(t.Context(), st, key); err != nil {
		t.Fatal(err)
	}
	who, err := account.New(st, "parley").Authenticate(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	w.me = who.CustomerID
	if w.others, err = account.New(st, "parley").AddCustomer(t.Context(), "other", otherKey); err != nil {
		t.Fatal(err)
	}
	return w
}

// open starts a door on the world's store, as a new process would.
func (w *world) open(change ...func(*api.Options)) {
	w.t.Helper()
	o := api.Options{Store: w.st, Rooms: w.rooms, Lines: w.lines, Log: slog.New(slog.NewTextHandler(w.log, nil)), TokenKey: []byte(tokenKey), TokenCost: bcrypt.MinCost, More: append(readers(w), outward(w)...)}
	calling(w)(&o)
	for _, c := range change {
		c(&o)
	}
	door, err := api.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.door = door
	w.server = httptest.NewUnstartedServer(nil)
	w.server.Config = door.Server(door)
	w.server.Start()
	w.t.Cleanup(w.server.Close)
	checker, err := apitest.New(w.server.Client().Transport, w.t.Errorf)
	if err != nil {
		w.t.Fatal(err)
	}
	w.client = &http.Client{Transport: checker, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type object = map[string]any

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   object
}

func (a answer) reason() string {
	e, _ := a.body["error"].(object)
	reason, _ := e["reason"].(string)
	return reason
}

func (a answer) id() string { id, _ := a.body["id"].(string); return id }

func (a answer) list() []any { list, _ := a.body["result"].([]any); return list }

// send does a request below /v1.0, or elsewhere for a path that begins with //. Headers come as name, value, name, value.
func (w *world) send(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	case []byte:
		text = b
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	if rest, outside := strings.CutPrefix(path, "//"); outside {
		path = "/" + rest
	} else {
		path = "/v1.0" + path
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) answer {
	w.t.Helper()
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, header: res.Header}
	if a.raw, err = io.ReadAll(res.Body); err != nil {
		w.t.Fatal(err)
	}
	_ = json.Unmarshal(a.raw, &a.body)
	return a
}

// must is send that wants 200.
func (w *world) must(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.send(method, path, body, headers...)
	if a.status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, a.status, a.raw)
	}
	return a
}

// refused is send that wants a refusal.
func (w *world) refused(status int, reason, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.send(method, path, body, headers...)
	if a.status != status || a.reason() != reason {
		w.t.Errorf("%s %s: %d %s, want %d %s: %s", method, path, a.status, a.reason(), status, reason, a.raw)
	}
	return a
}

// join lets somebody into a conference, as a phone would.
func (w *world) join(conferenceID, name string, role conference.Role) (id string) {
	w.t.Helper()
	return w.joinBy(conferenceID, name, role, uuid.NewString())
}

// joinBy is join by a call.
func (w *world) joinBy(conferenceID, name string, role conference.Role, call string) (id string) {
	w.t.Helper()
	id = uuid.NewString()
	for _, c := range []conference.Command{
		conference.Join{At: time.Now(), ID: conference.ParticipantID(id), CustomerID: w.me, CallID: call, Name: name, Role: role},
		conference.Connected{At: time.Now(), ID: conference.ParticipantID(id)},
	} {
		w.tell(conferenceID, c)
	}
	return id
}

func (w *world) tell(conferenceID string, c conference.Command) {
	w.t.Helper()
	if _, err := w.rooms.Do(w.t.Context(), conference.ID(conferenceID), c, room.DoOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// types returns the types of the log's events, all of them or those of a conference.
func (w *world) types(conferenceID string) []string {
	w.t.Helper()
	var types []string
	for after := "0"; ; {
		a := w.must("GET", "/events?limit=1000&conference_id="+conferenceID+"&after="+after, nil)
		if len(a.list()) == 0 {
			return types
		}
		for _, e := range a.list() {
			types = append(types, e.(object)["type"].(string))
		}
		next, _ := json.Marshal(a.body["next_after"])
		after = string(next)
	}
}

// rooms decides with the real rules and writes to the real store, one command at a time, without media.
type rooms struct {
	mu     sync.Mutex
	st     store.Store
	before func() // when set, runs once before the next Do
	after  func() error
}

func (h *rooms) Create(ctx context.Context, c conference.Create) (room.View, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var s conference.State
	v, err := h.step(ctx, &s, c, "conference/"+string(c.ID), 0)
	if errors.Is(err, store.ErrFenced) {
		return v, fault.New(fault.Conflict, "ALREADY_EXISTS", "conference %s exists", c.ID)
	}
	if err == nil && h.after != nil {
		err = h.after()
	}
	return v, err
}

func (h *rooms) Do(ctx context.Context, id conference.ID, c conference.Command, o room.DoOptions) (room.View, error) {
	if before := h.before; before != nil {
		h.before = nil
		before()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	rec, err := h.st.Get(ctx, store.Conference, string(id))
	if err != nil || o.CustomerID != "" && o.CustomerID != rec.CustomerID {
		return room.View{}, fault.New(fault.NotFound, "CONFERENCE_NOT_FOUND", "there is no such conference")
	}
	var s conference.State
	if err := json.Unmarshal(rec.Doc, &s.Conference); err != nil {
		return room.View{}, err
	}
	inside, err := h.st.List(ctx, store.Query{Kind: store.Conferencecall, Conference: string(id), Live: true, Limit: 1000})
	if err != nil {
		return room.View{}, err
	}
	for i := len(inside) - 1; i >= 0; i-- {
		var p conference.Participant
		if err := json.Unmarshal(inside[i].Doc, &p); err != nil {
			return room.View{}, err
		}
		s.Participants = append(s.Participants, &p)
	}
	live, err := h.st.List(ctx, store.Query{Kind: store.Recording, Conference: string(id), Live: true, Limit: 1000})
	if err != nil {
		return room.View{}, err
	}
	for i := len(live) - 1; i >= 0; i-- {
		var r tape.Recording
		if err := json.Unmarshal(live[i].Doc, &r); err != nil {
			return room.View{}, err
		}
		s.Recordings = append(s.Recordings, r)
	}
	key := "conference/" + string(id)
	_, version, err := h.st.Last(ctx, key)
	if err != nil {
		return room.View{}, err
	}
	if o.IfVersion > 0 && o.IfVersion != version {
		return room.View{}, fault.New(fault.Conflict, "VERSION_MISMATCH", "it is at version %d", version)
	}
	return h.step(ctx, &s, c, key, version)
}

func (h *rooms) step(ctx context.Context, s *conference.State, c conference.Command, key string, version int64) (v room.View, err error) {
	events, err := s.Decide(c)
	if err != nil {
		return v, err
	}
	change := &store.Change{Key: key, Version: version}
	for _, e := range events {
		s.Apply(e)
		data, err := e.Data()
		if err != nil {
			return v, err
		}
		row := store.Event{ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: s.Conference.CustomerID, Conference: string(s.Conference.ID), Data: data}
		row.Resource = row.Conference
		if p := e.Participant; p != nil {
			row.Resource = string(p.ID)
			v.Participant = p
			doc, _ := json.Marshal(p)
			change.Records = append(change.Records, store.Record{
				Kind: store.Conferencecall, ID: string(p.ID), CustomerID: p.CustomerID, Conference: string(p.ConferenceID), Reference: p.CallID,
				Status: string(p.Status), Live: p.Status != conference.Leaved, Created: p.Created, Doc: doc,
			})
		}
		if r := e.Recording; r != nil {
			row.Resource = r.ID
			doc, _ := json.Marshal(r)
			change.Records = append(change.Records, store.Record{
				Kind: store.Recording, ID: r.ID, CustomerID: r.CustomerID, Conference: string(r.ConferenceID), Reference: string(r.ConferenceID),
				Status: string(r.Status), Live: r.Status != tape.Ended, Created: r.Created,
				Deleted: !r.Deleted.IsZero(), Doc: doc,
			})
		}
		change.Events = append(change.Events, row)
	}
	n := &s.Conference
	doc, _ := json.Marshal(n)
	change.Records = append(change.Records, store.Record{
		Kind: store.Conference, ID: string(n.ID), CustomerID: n.CustomerID, Status: string(n.Status), Type: string(n.Type),
		Live: n.Status != conference.Terminated, Created: n.Created, Deleted: !n.Times.Deleted.IsZero(), Doc: doc,
	})
	if n.DialIn != "" {
		change.Names = append(change.Names, store.Name{Space: "dial_in", Value: n.DialIn, Kind: store.Conference, ID: string(n.ID)})
	}
	if len(events) > 0 {
		if err := h.st.Append(ctx, change); err != nil {
			return v, err
		}
	}
	v.Conference = *n
	v.Seq, v.Version, err = h.st.Last(ctx, key)
	return v, err
}

// lines ends calls in the store at once.
type lines struct {
	st   store.Store
	slow bool // leaves them live
}

func (l *lines) Hangup(ctx context.Context, id string) (c call.Call, err error) {
	rec, err := l.st.Get(ctx, store.Call, id)
	if err != nil {
		return c, fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such call")
	}
	if err := json.Unmarshal(rec.Doc, &c); err != nil {
		return c, err
	}
	if c.Status == call.Ended {
		return c, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", id)
	}
	if l.slow {
		return c, nil
	}
	return writeCall(ctx, l.st, c, call.Hangup{At: time.Now(), By: call.Local, Reason: call.Normal})
}

func writeCall(ctx context.Context, st store.Store, c call.Call, cmd call.Command) (call.Call, error) {
	events, err := c.Decide(cmd)
	if err != nil {
		return c, err
	}
	change := &store.Change{}
	for _, e := range events {
		c.Apply(e)
		data, _ := e.Data()
		change.Events = append(change.Events, store.Event{ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: c.CustomerID, Resource: string(c.ID), Data: data})
	}
	change.Key = "call/" + string(c.ID)
	if _, change.Version, err = st.Last(ctx, change.Key); err != nil {
		return c, err
	}
	doc, _ := json.Marshal(c)
	change.Records = []store.Record{{
		Kind: store.Call, ID: string(c.ID), CustomerID: c.CustomerID, Status: string(c.Status), Live: c.Status != call.Ended, Created: c.Created, Doc: doc,
	}}
	return c, st.Append(ctx, change)
}

// call makes a call of a customer.
func (w *world) call(customer string) string {
	w.t.Helper()
	id := uuid.NewString()
	_, err := writeCall(w.t.Context(), w.st, call.Call{}, call.Incoming{
		At: time.Now(), ID: call.ID(id), CustomerID: customer, Source: call.Address{Type: "sip", Target: "a@b"}, SIPCallID: "x",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}
