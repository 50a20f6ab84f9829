package webhook

import (
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/flow/active"
	"parley/internal/store"
	"parley/internal/webhook/endpoint"
)

// activeflow writes a run of a flow with a webhook, as its executor does, and returns its id.
func (w *world) activeflow(uri, method string) string {
	w.t.Helper()
	id := uuid.NewString()
	events, err := active.Decide(active.Activeflow{}, active.Create{At: time.Now(), ID: id, CustomerID: me, Origin: active.Origin{WebhookURI: uri, WebhookMethod: method}})
	if err != nil {
		w.t.Fatal(err)
	}
	data, _ := events[0].Data()
	doc, _ := json.Marshal(events[0].Activeflow)
	err = w.st.Append(w.t.Context(), &store.Change{
		Key:     "activeflow/" + id,
		Records: []store.Record{{Kind: store.Activeflow, ID: id, CustomerID: me, Live: true, Created: time.Now(), Doc: doc}},
		Events:  []store.Event{{ID: uuid.NewString(), Type: "activeflow_created", At: time.Now(), CustomerID: me, Resource: id, Data: data}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// called logs an event of a call that an activeflow runs on.
func (w *world) called(activeflow string) {
	w.t.Helper()
	id := uuid.NewString()
	err := w.st.Append(w.t.Context(), &store.Change{Key: "call/" + id, Events: []store.Event{{
		ID: uuid.NewString(), Type: "call_created", At: time.Now(), CustomerID: me, Conference: conf(1), Resource: id,
		Data: json.RawMessage(`{"id":"` + id + `","activeflow_id":"` + activeflow + `"}`),
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestActiveflow says that each activeflow's events go to its own address, signed with the customer's secret, and that an address which fails or is
// gone holds up no other.
func TestActiveflow(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.customer("", "")
		const secret = "whsec_00112233445566778899aabbccddeeff0011223344556677"
		for _, host := range []string{"a.example", "b.example", "gone.example"} {
			w.secrets[host] = secret
		}
		w.behave(func(c call) (int, http.Header) {
			return map[string]int{"b.example": 500, "gone.example": 410}[c.host] + map[bool]int{true: 200}[c.host == "a.example"], nil
		})
		first, second := w.activeflow("http://a.example/x", ""), w.activeflow("http://b.example/y", "PUT")
		gone, none := w.activeflow("http://gone.example/", ""), w.activeflow("", "")
		for range 3 {
			for _, id := range []string{first, second, gone, none, uuid.NewString()} {
				w.called(id)
			}
		}
		w.log(conf(1), "conference_updated")
		if got := w.calls("a.example"); len(got) != 4 || got[0].entry.Type != "activeflow_created" || got[0].path != "/x" || got[3].entry.Type != "call_created" {
			t.Errorf("%d calls: %+v", len(got), got)
		}
		if got := w.calls("b.example"); len(got) != 1 {
			t.Errorf("%d calls before the first retry", len(got))
		}
		if got := w.calls("gone.example"); len(got) != 4 {
			t.Errorf("%d calls of one that is gone: each is given up at once", len(got))
		}
		w.behave(nil)
		time.Sleep(time.Minute)
		if got := w.calls("b.example"); len(got) != 5 || got[1].entry.ID != got[0].entry.ID || got[4].path != "/y" {
			t.Errorf("%d calls after it", len(got))
		}
		list, err := w.st.List(t.Context(), store.Query{Kind: store.Webhook, CustomerID: me, Limit: 10})
		if err != nil || len(list) != 1 || list[0].Type != endpoint.OfActiveflows {
			t.Fatalf("%+v, %v", list, err)
		}
		if _, err := w.d.Book().Delete(t.Context(), me, list[0].ID); err == nil {
			t.Error("it was deleted")
		}
		uri, off := "http://c.example/", endpoint.Disabled
		if _, err := w.d.Book().Update(t.Context(), me, list[0].ID, endpoint.Patch{URI: &uri}, nil); err == nil {
			t.Error("its address was changed")
		}
		w.stop()
		w.start() // a restart brings nothing twice and loses nothing
		w.called(first)
		if got := w.calls("a.example"); len(got) != 5 {
			t.Errorf("%d calls after a restart", len(got))
		}
		if _, err := w.d.Book().Update(t.Context(), me, list[0].ID, endpoint.Patch{Status: &off}, nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		w.called(first)
		if got := w.calls("a.example"); len(got) != 5 {
			t.Error("a disabled one is called")
		}
	})
}
