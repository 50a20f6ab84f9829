package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/api"
	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/call/group"
	"parley/internal/call/transfer"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line"
	start "parley/internal/line/transfer"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/trunk"
	"parley/internal/trunk/route"
)

type exchange struct {
	w *world

	mu    sync.Mutex
	order line.Order
	wish  line.Control
	long  bool // calls last
	fail  error
}

func (x *exchange) Place(ctx context.Context, o line.Order) (p line.Placed, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.order = o; x.fail != nil {
		return p, x.fail
	}
	for _, to := range o.Destinations {
		hops, err := x.w.ways.Plan(ctx, o.CustomerID, to, o.Source)
		if err != nil {
			return p, fmt.Errorf("place: %w", err)
		}
		pass, err := x.w.ways.Admit(trunk.Request{CustomerID: o.CustomerID, Source: o.Source, Destination: to, Hop: hops[0]})
		if err != nil {
			return p, fmt.Errorf("place: %w", err)
		}
		if !x.long {
			pass.Release()
		}
		if o.Group || hops[0].Kind == route.Extension {
			continue
		}
		c, err := writeCall(ctx, x.w.st, call.Call{}, call.Outgoing{
			At: time.Now(), ID: call.ID(uuid.NewString()), CustomerID: o.CustomerID, Source: o.Source, Destination: to, SIPCallID: "x",
		})
		if err != nil {
			return p, err
		}
		p.Calls = append(p.Calls, c)
		if o.Join != nil {
			id := uuid.NewString()
			_, err := x.w.rooms.Do(ctx, conference.ID(o.Join.ConferenceID), conference.Join{
				At: time.Now(), ID: conference.ParticipantID(id), CustomerID: o.CustomerID, CallID: string(c.ID), Name: o.Join.Name, Role: conference.Role(o.Join.Role),
			}, room.DoOptions{})
			if err != nil {
				return p, err
			}
			p.Participants = append(p.Participants, id)
		}
	}
	if o.Group || len(p.Calls) < len(o.Destinations) {
		g, err := x.write(ctx, group.Groupcall{}, group.Create{
			At: time.Now(), ID: group.ID(uuid.NewString()), CustomerID: o.CustomerID, Source: o.Source, Destinations: o.Destinations,
			Methods: group.Methods{Ring: group.RingMethod(o.RingMethod)},
		})
		p.Groups = append(p.Groups, g)
		return p, err
	}
	return p, nil
}

func (x *exchange) write(ctx context.Context, g group.Groupcall, cmd group.Command) (group.Groupcall, error) {
	events, err := g.Decide(cmd)
	if err != nil || len(events) == 0 {
		return g, err
	}
	change := &store.Change{}
	for _, e := range events {
		g.Apply(e)
		data, _ := e.Data()
		change.Events = append(change.Events, store.Event{ID: uuid.NewString(), Type: e.Type, At: e.At, CustomerID: g.CustomerID, Resource: string(g.ID), Data: data})
	}
	change.Key = "groupcall/" + string(g.ID)
	if _, change.Version, err = x.w.st.Last(ctx, change.Key); err != nil {
		return g, err
	}
	doc, _ := json.Marshal(g)
	change.Records = []store.Record{{
		Kind: store.Groupcall, ID: string(g.ID), CustomerID: g.CustomerID, Status: string(g.Status), Live: g.Status != group.Ended, Created: g.Created, Doc: doc,
	}}
	return g, x.w.st.Append(ctx, change)
}

func (x *exchange) Control(ctx context.Context, customerID, callID string, c line.Control) (v call.Call, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wish = c; x.fail != nil {
		return v, x.fail
	}
	rec, err := x.w.st.Get(ctx, store.Call, callID)
	if err != nil || rec.CustomerID != customerID {
		return v, fault.New(fault.NotFound, "CALL_NOT_FOUND", "there is no such call")
	}
	return rest.Read[call.Call](rec)
}

func (x *exchange) HangupGroup(ctx context.Context, _, id string) (g group.Groupcall, err error) {
	rec, err := x.w.st.Get(ctx, store.Groupcall, id)
	if err != nil {
		return g, err
	}
	if g, err = rest.Read[group.Groupcall](rec); err != nil {
		return g, err
	}
	return x.write(ctx, g, group.Hangup{At: time.Now()})
}

func (x *exchange) Transfer(ctx context.Context, callID string, q start.Request) (t transfer.Transfer, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fail != nil {
		return t, x.fail
	}
	t, err = transfer.New(time.Now(), transfer.Transfer{ID: uuid.NewString(), CustomerID: q.CustomerID, Type: q.Type, Transferer: callID, Addresses: q.Addresses})
	if err != nil {
		return t, err
	}
	return t, x.keep(ctx, t, "transfer_created")
}

func (x *exchange) CancelTransfer(ctx context.Context, _, id string) (t transfer.Transfer, err error) {
	rec, err := x.w.st.Get(ctx, store.Transfer, id)
	if err != nil {
		return t, err
	}
	if t, err = rest.Read[transfer.Transfer](rec); err != nil {
		return t, err
	}
	kind := t.Fail(time.Now(), transfer.Canceled)
	if kind == "" {
		return t, fault.New(fault.Conflict, "TRANSFER_ENDED", "it has ended")
	}
	return t, x.keep(ctx, t, kind)
}

func (x *exchange) keep(ctx context.Context, t transfer.Transfer, kind string) (err error) {
	doc, _ := json.Marshal(t)
	data, _ := json.Marshal(t.Resource())
	change := &store.Change{
		Key:     "transfer/" + t.ID,
		Events:  []store.Event{{ID: uuid.NewString(), Type: kind, At: time.Now(), CustomerID: t.CustomerID, Resource: t.ID, Data: data}},
		Records: []store.Record{{Kind: store.Transfer, ID: t.ID, CustomerID: t.CustomerID, Status: string(t.Status), Live: !t.Over(), Created: t.Created, Doc: doc}},
	}
	if _, change.Version, err = x.w.st.Last(ctx, change.Key); err != nil {
		return err
	}
	return x.w.st.Append(ctx, change)
}

// groupcall makes a groupcall of the customer's.
func (w *world) groupcall() string {
	w.t.Helper()
	return w.must("POST", "/groupcalls", object{"destinations": []object{{"target": "a@127.0.0.1"}}}).id()
}

func sip(targets ...string) (list []object) {
	for _, t := range targets {
		list = append(list, object{"type": "sip", "target": t})
	}
	return list
}

func TestPlaceCalls(t *testing.T) {
	w := newWorld(t)
	flow := w.must("POST", "/flows", object{"actions": []object{{"type": "answer"}}}).id()
	w.must("POST", "/extensions", object{"extension": "alice", "password": "secret"})
	a := w.must("POST", "/calls", object{
		"source": object{"type": "tel", "target": "+4930"}, "destinations": []object{{"target": "sip:a@127.0.0.1"}, {"type": "extension", "target": "alice"}},
		"flow_id": flow, "actions": []object{}, "anonymous": "auto", "timeout": 20,
		"variables": object{"name": "Ada", "voipbin.call.id": "forged"},
	})
	calls, groups := a.body["calls"].([]any), a.body["groupcalls"].([]any)
	if len(calls) != 1 || len(groups) != 1 || calls[0].(object)["status"] != "dialing" || calls[0].(object)["destination"].(object)["type"] != "sip" {
		t.Errorf("%s", a.raw)
	}
	o := w.calls.order
	if o.CustomerID != w.me || o.FlowID != flow || o.Actions != nil || o.Anonymous != "auto" || o.Timeout != 20*time.Second || o.Group || len(o.Variables) != 1 || o.Variables["name"] != "Ada" {
		t.Errorf("%+v", o)
	}
	w.must("POST", "/calls", object{"destinations": sip("a@127.0.0.1"), "actions": []object{{"type": "conference_join", "option": object{"conference_id": uuid.NewString()}}}})
	if o = w.calls.order; !strings.Contains(string(o.Actions), "conference_join") || o.FlowID != "" {
		t.Errorf("%+v", o)
	}
	w.must("POST", "/calls", object{"destinations": sip("a@127.0.0.1"), "flow_id": "00000000-0000-0000-0000-000000000000", "source": nil, "variables": nil, "actions": nil})
}

func TestPlaceCallsRefusals(t *testing.T) {
	w := newWorld(t)
	flow := w.must("POST", "/flows", object{"actions": []object{{"type": "answer"}}}).id()
	long, many := strings.Repeat("x", 33<<10), object{}
	for i := range 101 {
		many[fmt.Sprint(i)] = ""
	}
	fifty := make([]string, 51)
	for i := range fifty {
		fifty[i] = "a@127.0.0.1"
	}
	other := w.must("POST", "/flows", object{}, "Authorization", "Bearer "+otherKey).id()
	for _, tt := range []struct {
		status        int
		reason, field string
		change        object
	}{
		{400, "INVALID_ARGUMENT", "destinations", object{"destinations": nil}},
		{400, "INVALID_ARGUMENT", "destinations", object{"destinations": sip(fifty...)}},
		{400, "INVALID_DESTINATION", "destinations[1]", object{"destinations": sip("a@127.0.0.1", "nonsense")}},
		{400, "INVALID_DESTINATION", "destinations[0]", object{"destinations": []object{{"type": "tel", "target": "030"}}}},
		{400, "INVALID_DESTINATION", "destinations[0]", object{"destinations": []object{{"type": "pigeon", "target": "a"}}}},
		{400, "INVALID_DESTINATION", "destinations[0]", object{"destinations": []object{{}}}},
		{400, "INVALID_DESTINATION", "destinations[0]", object{"destinations": []object{{"type": "conference", "target": "lobby"}}}},
		{400, "INVALID_DESTINATION", "destinations[0]", object{"destinations": []object{{"type": "agent", "target": "ann"}}}},
		{400, "DESTINATION_UNSUPPORTED", "destinations[0]", object{"destinations": []object{{"type": "whatsapp", "target": "+1234"}}}},
		{400, "INVALID_JSON_BODY", "", object{"destinations": "a@127.0.0.1"}},
		{400, "INVALID_ARGUMENT", "source", object{"source": object{"type": "pigeon"}}},
		{400, "INVALID_ARGUMENT", "anonymous", object{"anonymous": "perhaps"}},
		{400, "INVALID_ARGUMENT", "timeout", object{"timeout": 601}},
		{400, "INVALID_ARGUMENT", "flow_id", object{"flow_id": "x"}},
		{400, "INVALID_ARGUMENT", "actions", object{"flow_id": flow, "actions": []object{{"type": "answer"}}}},
		{400, "", "actions[0].type", object{"actions": []object{{"type": "dance"}}}},
		{404, "FLOW_NOT_FOUND", "", object{"flow_id": other}},
		{404, "FLOW_NOT_FOUND", "", object{"flow_id": uuid.NewString()}},
		{400, "INVALID_VARIABLES", "variables", object{"variables": many}},
		{400, "INVALID_VARIABLES", "variables", object{"variables": object{"a": long}}},
		{400, "INVALID_VARIABLES", "variables", object{"variables": object{"a": long[:30<<10], "b": long[:30<<10], "c": long[:30<<10]}}},
		{400, "INVALID_VARIABLES", "variables", object{"variables": object{"": "x"}}},
		{400, "INVALID_JSON_BODY", "", object{"variables": object{"a": 7}}},
		{403, "DESTINATION_NOT_ALLOWED", "", object{"destinations": sip("a@192.0.2.1")}},
		{403, "DESTINATION_NOT_ALLOWED", "", object{"destinations": []object{{"target": "+1555000"}}}},
		{409, "NO_TRUNK_FOR_DESTINATION", "", object{"destinations": []object{{"target": "+4930000"}}}},
		{404, "EXTENSION_NOT_FOUND", "", object{"destinations": []object{{"type": "extension", "target": "nobody"}}}},
	} {
		body := object{"destinations": sip("a@127.0.0.1")}
		for k, v := range tt.change {
			body[k] = v
		}
		for _, path := range []string{"/calls", "/groupcalls"} {
			a := w.send("POST", path, body)
			if a.status != tt.status || tt.reason != "" && a.reason() != tt.reason || detail(a, "field") != tt.field {
				t.Errorf("%s %v: %d %s", path, tt.change, a.status, a.raw)
			}
		}
	}
	if n := len(w.must("GET", "/calls", nil).list()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
	w.calls = nil
	w.open(func(o *api.Options) { o.Exchange, o.Ways = nil, nil })
	w.refused(503, "CALLS_OUT_UNAVAILABLE", "POST", "/calls", object{"destinations": sip("a@127.0.0.1")})
	w.refused(503, "CALLS_OUT_UNAVAILABLE", "POST", "/calls/"+w.call(w.me)+"/hold", nil)
}

func detail(a answer, name string) string {
	e, _ := a.body["error"].(object)
	list, _ := e["details"].([]any)
	if len(list) == 0 {
		return ""
	}
	v, ok := list[0].(object)[name]
	if !ok {
		return ""
	}
	return fmt.Sprint(v)
}

// TestGuardIsNamed: the rule that refuses is in the details of the answer.
func TestGuardIsNamed(t *testing.T) {
	w := newWorld(t)
	w.calls.long = true
	a := w.refused(403, "DESTINATION_NOT_ALLOWED", "POST", "/calls", object{"destinations": sip("a@192.0.2.1")})
	if detail(a, "rule") != "allow_sip" {
		t.Errorf("%s", a.raw)
	}
	id := w.must("POST", "/trunks", object{"host": "sip.invalid", "limits": object{"concurrent": 1}}).id()
	tel := object{"destinations": []object{{"target": "+4930123"}}}
	w.must("POST", "/calls", tel)
	if a = w.refused(429, "CALLS_OUT_LIMIT_REACHED", "POST", "/calls", tel); detail(a, "rule") != "trunk_concurrent" || detail(a, "limit") != "1" || detail(a, "trunk_id") != id {
		t.Errorf("%s", a.raw)
	}
	w.must("POST", "/calls", object{"destinations": sip("a@127.0.0.1", "b@127.0.0.1")})
	if a = w.refused(429, "CALLS_OUT_LIMIT_REACHED", "POST", "/calls", object{"destinations": sip("a@127.0.0.1")}); detail(a, "rule") != "customer_concurrent" {
		t.Errorf("%s", a.raw)
	}
}

func TestGroupcalls(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/groupcalls", object{"destinations": sip("a@127.0.0.1", "b@[::1]"), "ring_method": "linear"})
	path := "/groupcalls/" + made.id()
	if !w.calls.order.Group || made.body["status"] != "progressing" || made.body["ring_method"] != "linear" || len(made.body["destinations"].([]any)) != 2 {
		t.Errorf("%s", made.raw)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/groupcalls", object{"destinations": sip("a@127.0.0.1"), "ring_method": "random"})
	w.refused(400, "INVALID_ARGUMENT", "POST", "/groupcalls", object{"destinations": sip("a@127.0.0.1"), "answer_method": "all"})
	if got := w.must("GET", path, nil); string(got.raw) != string(made.raw) {
		t.Errorf("made %s\nread %s", made.raw, got.raw)
	}
	for query, want := range map[string]int{"": 1, "?status=progressing": 1, "?status=hangup": 0} {
		if n := len(w.must("GET", "/groupcalls"+query, nil).list()); n != want {
			t.Errorf("%s: %d", query, n)
		}
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/groupcalls?status=asleep", nil)
	if a := w.must("POST", path+"/hangup", nil); a.body["status"] != "hangup" {
		t.Errorf("%s", a.raw)
	}
	w.refused(409, "GROUPCALL_ALREADY_HANGUP", "POST", path+"/hangup", nil)
	second := "/groupcalls/" + w.groupcall()
	for _, p := range []string{path, second} {
		gone := w.must("DELETE", p, nil)
		if again := w.must("DELETE", p, nil); gone.body["status"] != "hangup" || gone.body["tm_delete"] == nil || string(again.raw) != string(gone.raw) {
			t.Errorf("%s\n%s", gone.raw, again.raw)
		}
	}
	if n := len(w.must("GET", "/groupcalls", nil).list()); n != 0 {
		t.Errorf("%d after deletion", n)
	}
	if types := strings.Join(w.types(""), " "); strings.Count(types, "groupcall_deleted") != 2 || strings.Count(types, "groupcall_hangup") != 2 {
		t.Error(types)
	}
}

func TestControlCalls(t *testing.T) {
	w := newWorld(t)
	id := w.call(w.me)
	flow := w.must("POST", "/flows", object{}).id()
	for _, tt := range []struct {
		method, path string
		body         any
		want         line.Control
	}{
		{"POST", "hold", nil, line.Control{Do: "hold"}},
		{"DELETE", "hold", nil, line.Control{Do: "unhold"}},
		{"POST", "mute", object{"direction": "in"}, line.Control{Do: "mute", Direction: "in"}},
		{"POST", "mute", nil, line.Control{Do: "mute", Direction: "both"}},
		{"POST", "mute", object{"direction": ""}, line.Control{Do: "mute", Direction: "both"}},
		{"DELETE", "mute", object{"direction": "out"}, line.Control{Do: "unmute", Direction: "out"}},
		{"DELETE", "mute", nil, line.Control{Do: "unmute", Direction: "both"}},
		{"POST", "moh", nil, line.Control{Do: "moh"}},
		{"DELETE", "moh", nil, line.Control{Do: "unmoh"}},
		{"POST", "silence", nil, line.Control{Do: "silence"}},
		{"DELETE", "silence", nil, line.Control{Do: "unsilence"}},
		{"POST", "talk", object{"text": "Hello", "language": "en-US", "provider": "x", "voice_id": "y", "gender": "z"}, line.Control{Do: "talk", Text: "Hello", Language: "en-US", Provider: "x", Voice: "y"}},
		{"POST", "talk", object{"text": "Hello", "gender": "female"}, line.Control{Do: "talk", Text: "Hello", Voice: "female"}},
		{"POST", "play", object{"stream_urls": []string{"https://a.example/b.wav"}}, line.Control{Do: "play", URLs: []string{"https://a.example/b.wav"}}},
		{"POST", "play", object{"stream_urls": []string{"blob:gong.wav"}}, line.Control{Do: "play", URLs: []string{"blob:gong.wav"}}},
		{"POST", "stop_playing", nil, line.Control{Do: "stop"}},
		{"POST", "digits", object{"digits": "12#a"}, line.Control{Do: "digits", Digits: "12#A"}},
		{"POST", "refer", object{"destination": object{"target": "bob@127.0.0.1"}}, line.Control{Do: "refer", To: "sip:bob@127.0.0.1"}},
		{"POST", "recording_start", object{}, line.Control{Do: "recording_start", Format: "wav"}},
		{"POST", "recording_start", nil, line.Control{Do: "recording_start", Format: "wav"}},
		{"POST", "recording_start", object{"format": "ogg", "end_of_silence": 3, "end_of_key": "#", "duration": 60, "on_end_flow_id": flow}, line.Control{Do: "recording_start", Format: "ogg", EndOfSilence: 3 * time.Second, EndOfKey: "#", Duration: time.Minute, OnEndFlowID: flow}},
		{"POST", "recording_start", object{"end_of_key": "none", "on_end_flow_id": ""}, line.Control{Do: "recording_start", Format: "wav"}},
		{"POST", "recording_stop", nil, line.Control{Do: "recording_stop"}},
	} {
		a := w.must(tt.method, "/calls/"+id+"/"+tt.path, tt.body)
		if got := w.calls.wish; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) || a.id() != id {
			t.Errorf("%s %s: %+v, want %+v", tt.method, tt.path, got, tt.want)
		}
	}
	for _, tt := range []struct {
		status       int
		reason, path string
		body         any
	}{
		{400, "INVALID_ARGUMENT", "mute", object{"direction": "sideways"}},
		{400, "INVALID_ARGUMENT", "talk", object{"text": " "}},
		{400, "INVALID_ARGUMENT", "talk", object{"text": strings.Repeat("x", 10001)}},
		{400, "INVALID_ARGUMENT", "talk", object{"text": "x", "language": strings.Repeat("x", 65)}},
		{400, "INVALID_JSON_BODY", "talk", nil},
		{400, "INVALID_ARGUMENT", "play", object{}},
		{400, "INVALID_ARGUMENT", "play", object{"stream_urls": []string{"file:///etc/passwd"}}},
		{400, "INVALID_ARGUMENT", "play", object{"stream_urls": []string{"blob:"}}},
		{400, "INVALID_ARGUMENT", "digits", object{"digits": "12x"}},
		{400, "INVALID_ARGUMENT", "digits", object{"digits": ""}},
		{400, "INVALID_DESTINATION", "refer", object{"destination": object{"target": "bob"}}},
		{400, "DESTINATION_UNSUPPORTED", "refer", object{"destination": object{"type": "extension", "target": "bob"}}},
		{403, "DESTINATION_NOT_ALLOWED", "refer", object{"destination": object{"target": "bob@192.0.2.1"}}},
		{400, "INVALID_ARGUMENT", "recording_start", object{"format": "mp3"}},
		{400, "INVALID_ARGUMENT", "recording_start", object{"duration": -1}},
		{400, "INVALID_ARGUMENT", "recording_start", object{"end_of_silence": 99999}},
		{400, "INVALID_ARGUMENT", "recording_start", object{"end_of_key": "x"}},
		{404, "FLOW_NOT_FOUND", "recording_start", object{"on_end_flow_id": uuid.NewString()}},
	} {
		w.refused(tt.status, tt.reason, "POST", "/calls/"+id+"/"+tt.path, tt.body)
	}
	w.calls.fail = fault.New(fault.Conflict, "CALL_NOT_ANSWERED", "not yet")
	w.refused(409, "CALL_NOT_ANSWERED", "POST", "/calls/"+id+"/hold", nil)
	w.must("POST", "/calls/"+id+"/hangup", nil)
	w.refused(409, "CALL_ALREADY_HANGUP", "POST", "/calls/"+id+"/hold", nil)
}

// TestPressForParticipant says that keys for a participant are pressed in its call.
func TestPressForParticipant(t *testing.T) {
	w := newWorld(t)
	room := w.must("POST", "/conferences", object{}).id()
	ada, id := uuid.NewString(), w.call(w.me)
	w.tell(room, conference.Join{At: time.Now(), ID: conference.ParticipantID(ada), CustomerID: w.me, CallID: id})
	path := "/conferencecalls/" + ada + "/digits"
	if a := w.must("POST", path, object{"digits": "12#a"}); a.id() != ada || a.body["reference_id"] != id || w.calls.wish.Digits != "12#A" {
		t.Errorf("pressed %+v", w.calls.wish)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", path, object{"digits": "x"})
	w.refused(404, "CONFERENCECALL_NOT_FOUND", "POST", "/conferencecalls/"+uuid.NewString()+"/digits", object{"digits": "1"})
	w.tell(room, conference.Leave{At: time.Now(), ID: conference.ParticipantID(ada)})
	w.refused(409, "CONFERENCECALL_LEAVED", "POST", path, object{"digits": "1"})
}

func TestBringIntoConference(t *testing.T) {
	w := newWorld(t)
	room := w.must("POST", "/conferences", object{}).id()
	path := "/conferences/" + room + "/conferencecalls"
	a := w.must("POST", path, object{"destination": object{"type": "sip", "target": "ada@127.0.0.1", "target_name": "Ada"}, "role": "listener", "muted": true})
	calls := a.body["calls"].([]any)
	if len(calls) != 1 || a.body["conference_id"] != room || a.body["status"] != "joining" || a.body["name"] != "Ada" || a.body["reference_id"] != calls[0].(object)["id"] {
		t.Errorf("%s", a.raw)
	}
	if j := w.calls.order.Join; j == nil || *j != (line.Joining{ConferenceID: room, Name: "Ada", Role: "listener", Muted: true}) {
		t.Errorf("%+v", j)
	}
	w.must("POST", "/extensions", object{"extension": "alice", "password": "secret"})
	if a = w.must("POST", path, object{"destination": object{"type": "extension", "target": "alice"}}); len(a.body["groupcalls"].([]any)) != 1 || a.id() != "" {
		t.Errorf("%s", a.raw)
	}
	for reason, body := range map[string]object{
		"INVALID_DESTINATION": {}, "INVALID_ARGUMENT": {"destination": sip("a@127.0.0.1")[0], "role": "king"}, "FLOW_NOT_FOUND": {"destination": sip("a@127.0.0.1")[0], "pre_flow_id": uuid.NewString()},
		"DESTINATION_NOT_ALLOWED": {"destination": sip("a@192.0.2.1")[0]}, "INVALID_JSON_BODY": {"destination": "a@b"},
	} {
		if a := w.send("POST", path, body); a.reason() != reason {
			t.Errorf("%v: %d %s", body, a.status, a.raw)
		}
	}
	w.refused(404, "CONFERENCE_NOT_FOUND", "POST", "/conferences/"+uuid.NewString()+"/conferencecalls", object{"destination": sip("a@127.0.0.1")[0]})
}

func TestTransfers(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/calls", object{"destinations": sip("a@127.0.0.1")})
	id := w.must("GET", "/calls", nil).list()[0].(object)["id"].(string)
	good := object{"transfer_type": "attended", "transferer_call_id": id, "transferee_addresses": sip("b@127.0.0.1")}
	with := func(field string, value any) object {
		out := maps.Clone(good)
		out[field] = value
		return out
	}
	for _, tt := range []struct {
		status int
		reason string
		body   object
	}{
		{400, "INVALID_ARGUMENT", with("transfer_type", "warm")},
		{400, "INVALID_ARGUMENT", with("transferer_call_id", "x")},
		{400, "INVALID_ARGUMENT", with("transferee_addresses", []object{})},
		{400, "INVALID_ARGUMENT", with("transferee_addresses", sip("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"))},
		{404, "CALL_NOT_FOUND", with("transferer_call_id", uuid.NewString())},
	} {
		w.refused(tt.status, tt.reason, "POST", "/transfers", tt.body)
	}
	made := w.must("POST", "/transfers", good)
	path := "/transfers/" + made.id()
	if made.body["status"] != "dialing" || made.body["transferer_call_id"] != id || made.body["type"] != "attended" {
		t.Errorf("made %v", made.body)
	}
	if got := w.must("GET", path, nil); got.id() != made.id() {
		t.Errorf("read %v", got.body)
	}
	for query, want := range map[string]int{"": 1, "?status=dialing": 1, "?status=completed,failed": 0} {
		if n := len(w.must("GET", "/transfers"+query, nil).list()); n != want {
			t.Errorf("%q lists %d, want %d", query, n, want)
		}
	}
	w.refused(400, "INVALID_REQUEST_PARAMETER", "GET", "/transfers?status=asleep", nil)
	if got := w.must("POST", path+"/cancel", nil); got.body["status"] != "failed" || got.body["end_reason"] != "canceled" {
		t.Errorf("canceled %v", got.body)
	}
	w.refused(409, "TRANSFER_ENDED", "POST", path+"/cancel", nil)
	w.refused(404, "TRANSFER_NOT_FOUND", "GET", "/transfers/"+uuid.NewString(), nil)
	w.calls.fail = fault.New(fault.Conflict, "REFER_PENDING", "one is under way")
	w.refused(409, "REFER_PENDING", "POST", "/transfers", good)
}
