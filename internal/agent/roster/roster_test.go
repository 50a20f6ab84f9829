package roster

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/agent"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const customer = "11111111-0000-4000-8000-000000000001"

func add(t *testing.T, r *Roster, name string, s agent.Status) agent.Agent {
	t.Helper()
	a, err := r.Add(t.Context(), agent.Agent{CustomerID: customer, Username: name, Status: s}, "hash", nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantStatus(t *testing.T, r *Roster, a agent.Agent, want agent.Status) {
	t.Helper()
	if now, err := r.Get(t.Context(), customer, a.ID); err != nil || now.Status != want {
		t.Errorf("%s is %s %v, want %s", a.Username, now.Status, err, want)
	}
}

// tell appends an event of something that an agent owns.
func tell(t *testing.T, st store.Store, kind, id, owner string) {
	t.Helper()
	data, _ := json.Marshal(map[string]string{"id": id, "owner_type": "agent", "owner_id": owner})
	_, version, err := st.Last(t.Context(), id)
	if err == nil {
		err = st.Append(t.Context(), &store.Change{Key: id, Version: version, Events: []store.Event{{
			ID: uuid.NewString(), Type: kind, At: time.Now(), CustomerID: customer, Resource: id, Data: data,
		}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memory.New()
		r := New(st)
		ann, ben := add(t, r, "ann", agent.Available), add(t, r, "ben", agent.Away)
		tell(t, st, "call_created", "early", ann.ID) // of a process that is dead
		start := func() (stop func()) {
			f, err := r.Follow(t.Context(), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- f.Run(ctx) }()
			return func() { cancel(); <-done; synctest.Wait() }
		}
		step := func(kind, id string, anns, bens agent.Status) {
			t.Helper()
			for _, who := range []agent.Agent{ann, ben} {
				tell(t, st, kind, id+who.Username, who.ID)
			}
			synctest.Wait()
			wantStatus(t, r, ann, anns)
			wantStatus(t, r, ben, bens)
		}
		stop := start()
		step("groupcall_created", "g", agent.Ringing, agent.Away)
		step("call_created", "c", agent.Ringing, agent.Away)
		step("call_updated", "c", agent.Ringing, agent.Away)
		step("call_progressing", "c", agent.Busy, agent.Busy)
		step("groupcall_progressing", "g", agent.Busy, agent.Busy)
		step("call_hangup", "c", agent.Busy, agent.Busy)
		step("groupcall_hangup", "g", agent.Available, agent.Away)
		step("call_created", "d", agent.Ringing, agent.Away)
		step("call_progressing", "d", agent.Busy, agent.Busy)
		tell(t, st, "call_created", "nobody", "22222222-0000-4000-8000-000000000002")
		stop()
		// Calls end with their process; the next one finds agents that are in none.
		stop = start()
		wantStatus(t, r, ann, agent.Available)
		wantStatus(t, r, ben, agent.Away)
		step("call_hangup", "d", agent.Available, agent.Away)
		if _, err := r.Delete(t.Context(), customer, ann.ID); err != nil {
			t.Fatal(err)
		}
		tell(t, st, "call_created", "late", ann.ID)
		tell(t, st, "call_created", "e", ben.ID)
		tell(t, st, "call_progressing", "e", ben.ID)
		synctest.Wait()
		wantStatus(t, r, ann, agent.Offline)
		wantStatus(t, r, ben, agent.Busy)
		stop()
	})
}

// TestManyAtOnce says that no change of an agent is lost, and that a username is given once.
func TestManyAtOnce(t *testing.T) {
	r := New(memory.New())
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 8 {
		wg.Go(func() {
			_, err := r.Add(context.Background(), agent.Agent{CustomerID: customer, Username: "Ann"}, "", nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made++
			} else if fault.ReasonOf(err) != "AGENT_ALREADY_EXISTS" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	who, err := r.ByUsername(t.Context(), "aNN")
	if err != nil || made != 1 {
		t.Fatalf("%d were made, %v", made, err)
	}
	for range 8 {
		wg.Go(func() {
			_, err := r.Update(context.Background(), customer, who.ID, func(rec *agent.Record) error { rec.Epoch++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if now, err := r.Record(t.Context(), who.ID); err != nil || now.Epoch != 9 {
		t.Errorf("epoch %d, %v", now.Epoch, err)
	}
}
