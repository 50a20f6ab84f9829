package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"parley/internal/store"
)

// listener is a WebSocket of somebody who is logged in.
type listener struct {
	w   *world
	ctx context.Context
	c   *websocket.Conn
}

func (w *world) listen(ctx context.Context, path, token string, topics ...string) *listener {
	w.t.Helper()
	c, res, err := websocket.Dial(ctx, w.server.URL+"/v1.0"+path+"?token="+token, &websocket.DialOptions{HTTPClient: &http.Client{}})
	if err != nil {
		w.t.Fatal(err)
	}
	if res.Body != nil {
		res.Body.Close()
	}
	w.t.Cleanup(func() { _ = c.CloseNow() })
	text, _ := json.Marshal(object{"type": "subscribe", "topics": topics, "after": 0})
	if err := c.Write(ctx, websocket.MessageText, text); err != nil {
		w.t.Fatal(err)
	}
	return &listener{w, ctx, c}
}

// until reads to the first entry of the type and returns the types before it; or the reason that the server ends the stream for.
func (l *listener) until(kind string) (before []string, reason string) {
	l.w.t.Helper()
	for {
		_, text, err := l.c.Read(l.ctx)
		if err != nil {
			if status := websocket.CloseStatus(err); status != websocket.StatusPolicyViolation {
				l.w.t.Fatalf("status %d: %v", status, err)
			}
			return before, err.Error()
		}
		var e object
		if err := json.Unmarshal(text, &e); err != nil {
			l.w.t.Fatal(err)
		}
		if e["type"] == kind {
			return before, ""
		}
		before = append(before, e["type"].(string))
	}
}

// owned writes an event of a call that is an agent's.
func (w *world) owned(kind, agentID string) {
	w.t.Helper()
	id := uuid.NewString()
	data, _ := json.Marshal(object{"id": id, "owner_type": "agent", "owner_id": agentID})
	err := w.st.Append(w.t.Context(), &store.Change{Key: "call/" + id, Events: []store.Event{{
		ID: uuid.NewString(), Type: kind, At: time.Now(), CustomerID: w.me, Resource: id, Data: data,
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestAgentsFollowTheirOwn says which entries of the log reach an agent, and when its stream ends.
func TestAgentsFollowTheirOwn(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ann, ben := w.agent("ann", 16), w.agent("ben", 32)
	for name, topic := range map[string]string{"the customer's": "customer_id:" + w.me, "a colleague's": "agent_id:" + ben, "a part of its own": "agent_id:" + ann[:35]} {
		if _, reason := w.listen(ctx, "/service_agents/ws", w.login("ann"), topic).until("x"); !strings.Contains(reason, "not yours") {
			t.Errorf("%s: %s", name, reason)
		}
	}
	everything := w.listen(ctx, "/service_agents/ws", w.login("ann"), "agent_id:"+ann)
	calls := w.listen(ctx, "/service_agents/ws", w.login("ann"), "agent_id:"+ann+":call:call_created")
	w.must("POST", "/conferences", object{})
	w.owned("call_created", ben)
	w.owned("call_created", ann)
	w.owned("call_hangup", ann)
	w.must("PUT", "/agents/"+ann+"/status", object{"status": "away"})
	if before, reason := everything.until("agent_updated"); reason != "" || strings.Join(before, " ") != "agent_created call_created call_hangup" {
		t.Errorf("heard %v %s", before, reason)
	}
	w.owned("call_created", ann)
	if _, reason := calls.until("call_created"); reason != "" {
		t.Error(reason)
	}
	if before, reason := calls.until("call_created"); reason != "" || len(before) != 0 {
		t.Errorf("heard %v %s", before, reason)
	}
	admin := w.listen(ctx, "/service_agents/ws", w.login("ben"), "customer_id:"+w.me)
	if _, reason := admin.until("conference_created"); reason != "" {
		t.Error(reason)
	}
	w.must("PUT", "/agents/"+ben+"/permission", object{"permission": 16})
	if _, reason := admin.until("x"); !strings.Contains(reason, "log in again") {
		t.Errorf("another permission: %s", reason)
	}
	w.must("PUT", "/agents/"+ann+"/password", object{"password": "another password"})
	if _, reason := calls.until("x"); !strings.Contains(reason, "log in again") {
		t.Errorf("another password: %s", reason)
	}
	gone := w.listen(ctx, "/service_agents/ws", w.login("ben"), "agent_id:"+ben)
	w.must("DELETE", "/agents/"+ben, nil)
	if _, reason := gone.until("x"); !strings.Contains(reason, "log in again") {
		t.Errorf("deleted: %s", reason)
	}
}
