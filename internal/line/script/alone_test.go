package script_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/call"
	"parley/internal/fault"
	"parley/internal/flow/action"
	"parley/internal/flow/active"
	"parley/internal/flow/run"
	"parley/internal/line/script"
	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/store/sqlite"
)

// alone is a plan on no call.
func (w *world) alone(list string) script.Plan {
	return script.Plan{CustomerID: me, Actions: actions(w.t, list)}
}

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := ""
		w := newWorld(t, func(o *script.Options) {
			o.Call = func(_ context.Context, p script.Plan, o *action.Calling) error {
				called = p.CustomerID + " " + o.Destinations[0].Target
				return nil
			}
		})
		w.run()
		defer w.stop()
		a, err := w.p.Start(t.Context(), w.alone(`[{"type":"sleep","option":{"duration":1000}},{"type":"talk","option":{"text":"a"}},{"type":"call","option":{"destinations":[{"target":"sip:a"}],"actions":[{"type":"beep"}]}}]`))
		if err != nil || a.Status != "running" || a.ReferenceType != "api" {
			t.Fatalf("%v %+v", err, a)
		}
		time.Sleep(2 * time.Second)
		if a = w.record(a.ID); path(a) != "sleep:done talk:skipped:ACTION_NEEDS_CALL call:done" || a.EndReason != "finished" || called != me+" sip:a" {
			t.Errorf("%s %s %s", path(a), a.EndReason, called)
		}
	})
}

func TestStopAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		defer w.stop()
		ctx := t.Context()
		start := func() string {
			a, err := w.p.Start(ctx, w.alone(`[{"type":"block"}]`))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return a.ID
		}
		id := start()
		for range 2 {
			if a, err := w.p.Stop(ctx, me, strings.ToUpper(id)); err != nil || a.Status != "ended" || a.EndReason != "stopped" {
				t.Errorf("%v %+v", err, a)
			}
		}
		if got := w.events(id); got != "created:running: updated:running:block updated:ended:" {
			t.Error(got)
		}
		id = start()
		for range 2 {
			if a, err := w.p.Delete(ctx, me, id); err != nil || a.Deleted.IsZero() || a.EndReason != "stopped" {
				t.Errorf("%v %+v", err, a)
			}
		}
		if got := w.events(id); got != "created:running: updated:running:block updated:ended: deleted:ended:" {
			t.Error(got)
		}
		id = start()
		for who, reason := range map[string]string{others: "ACTIVEFLOW_NOT_FOUND", me: "INVALID_ID"} {
			at := id
			if who == me {
				at = "x"
			}
			if _, err := w.p.Stop(ctx, who, at); fault.ReasonOf(err) != reason {
				t.Errorf("%v, want %s", err, reason)
			}
			if _, err := w.p.Delete(ctx, who, at); fault.ReasonOf(err) != reason {
				t.Errorf("%v, want %s", err, reason)
			}
		}
		if a := w.record(id); a.Status != "running" {
			t.Errorf("somebody else has stopped it: %+v", a)
		}
	})
}

// TestStopBeforeBegin stops runs whose calls still ring: that is written at once, and nothing is done when somebody answers.
func TestStopBeforeBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for _, end := range []func(context.Context, string, string) (active.Activeflow, error){w.p.Stop, w.p.Delete} {
			plan, err := w.p.Prepare(t.Context(), w.plan(`[{"type":"beep"}]`))
			if err != nil {
				t.Fatal(err)
			}
			if a, err := end(t.Context(), me, plan.Env.ActiveflowID); err != nil || a.EndReason != "stopped" {
				t.Errorf("%v %+v", err, a)
			}
			if end := w.p.Perform(t.Context(), plan, w.call.stage()); end.Reason != "stopped" || end.Hangup != call.Normal || w.call.told(false) != "" {
				t.Errorf("%+v %s", end, w.call.told(false))
			}
			if a := w.record(plan.Env.ActiveflowID); a.EndReason != "stopped" {
				t.Errorf("%+v", a)
			}
		}
	})
}

// TestLimits says how many runs go on at once, for how long, and that a run that has ended makes room.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *script.Options) { o.Alone, o.MaxAge = 2, time.Hour })
		w.run()
		defer w.stop()
		first, err := w.p.Start(t.Context(), w.alone(`[{"type":"block"}]`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.p.Start(t.Context(), w.alone(`[{"type":"sleep","option":{"duration":1000}}]`)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.p.Start(t.Context(), w.alone(`[]`)); fault.ReasonOf(err) != "FLOWS_BUSY" || fault.KindOf(err) != fault.Unavailable {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := w.p.Start(t.Context(), w.alone(`[]`)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if a := w.record(first.ID); a.EndReason != "FLOW_TOO_LONG" || path(a) != "block:failed:FLOW_TOO_LONG" {
			t.Errorf("%s %s", a.EndReason, path(a))
		}
	})
}

// TestChain says that flows follow each other by on_complete_flow_id, five at most, and know where they come from.
func TestChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		defer w.stop()
		again := w.flow(`[{"type":"variable_set","option":{"key":"n","value":"${n}+"}}]`)
		f, err := w.p.Flow(t.Context(), me, again)
		if err != nil {
			t.Fatal(err)
		}
		f.OnCompleteFlowID = again // it follows itself
		doc, _ := json.Marshal(f)
		if err := w.st.Append(t.Context(), &store.Change{
			Key: "flow/" + again, Version: 1, Records: []store.Record{{Kind: store.Flow, ID: again, CustomerID: me, Created: f.Created, Doc: doc}},
			Events: []store.Event{{ID: uuid.NewString(), Type: "flow_updated", At: f.Created, Data: []byte("{}")}},
		}); err != nil {
			t.Fatal(err)
		}
		plan := w.plan(`[{"type":"variable_set","option":{"key":"n","value":"x"}}]`)
		plan.Env.FlowID = w.flow(`[]`, again)
		w.p.Perform(t.Context(), plan, w.call.stage())
		time.Sleep(time.Second)
		page, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Limit: 100})
		if err != nil || len(page) != 6 {
			t.Fatalf("%v: %d runs", err, len(page))
		}
		most := ""
		for i, row := range page {
			a := w.record(row.ID)
			if a.Status != "ended" || a.EndReason != "finished" {
				t.Errorf("%d: %s %s", i, a.Status, a.EndReason)
			}
			if most = max(most, a.Variables["n"]); a.CompleteCount > 0 && (a.ReferenceActiveflowID == "" || a.ReferenceType != "api") {
				t.Errorf("%d: %+v", i, a.Origin)
			}
		}
		if most != "x+++++" {
			t.Error(most)
		}
	})
}

// TestChainWithoutRoom says that what cannot follow leaves a record that says so.
func TestChainWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *script.Options) { o.Alone = 1 })
		w.run()
		defer w.stop()
		if _, err := w.p.Start(t.Context(), w.alone(`[{"type":"block"}]`)); err != nil {
			t.Fatal(err)
		}
		next := w.flow(`[{"type":"variable_set","option":{"key":"n","value":"x"}}]`, uuid.NewString())
		synctest.Wait()
		plan := w.plan(`[]`)
		plan.Env.OnCompleteFlowID = next
		w.p.Perform(t.Context(), plan, w.call.stage())
		page, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, row := range page {
			if a := w.record(row.ID); a.FlowID == next {
				found = a.EndReason == "FLOWS_BUSY" && len(a.Executed) == 0
			}
		}
		if !found || len(page) != 3 {
			t.Errorf("%d records", len(page))
		}
	})
}

// TestEndOfServer says that runs on no call end with the server, and that nothing begins after that.
func TestEndOfServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		a, err := w.p.Start(t.Context(), w.alone(`[{"type":"sleep","option":{"duration":80000}}]`))
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.stop()
		if a = w.record(a.ID); a.EndReason != "lost" || path(a) != "sleep:failed:lost" {
			t.Errorf("%s %s", a.EndReason, path(a))
		}
		if _, err := w.p.Start(t.Context(), w.alone(`[]`)); fault.ReasonOf(err) != "STOPPING" {
			t.Error(err)
		}
		rows, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Live: true, Limit: 10})
		if err != nil || len(rows) != 0 {
			t.Errorf("%v: %d are left", err, len(rows))
		}
	})
}

// TestCrash says that a run that a dead process left is ended as lost, once, and that runs of this process are left alone.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newWorld(t)
		plan, err := dead.p.Prepare(t.Context(), dead.plan(`[{"type":"sleep","option":{"duration":80000}}]`))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		frozen := &stuck{Store: dead.st}
		deadAgain := script.New(script.Options{Store: frozen, Log: quiet})
		half, err := deadAgain.Prepare(t.Context(), dead.plan(`[{"type":"sleep","option":{"duration":80000}}]`))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { deadAgain.Perform(ctx, half, dead.call.stage()); close(done) }()
		time.Sleep(time.Second)
		frozen.stuck.Store(true)
		cancel()
		<-done // its end is not written

		w := newWorld(t, func(o *script.Options) { o.Store = dead.st })
		mine, err := w.p.Prepare(t.Context(), w.plan(`[]`))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.p.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for id, want := range map[string]string{plan.Env.ActiveflowID: "", half.Env.ActiveflowID: "sleep:failed:lost"} {
			if a := w.record(id); a.EndReason != "lost" || a.Status != "ended" || path(a) != want {
				t.Errorf("%s %s %s", a.Status, a.EndReason, path(a))
			}
			if got := w.events(id); strings.Count(got, "updated:ended") != 1 {
				t.Error(got)
			}
		}
		if a := w.record(mine.Env.ActiveflowID); a.Status != "running" {
			t.Error("a run of this process was ended")
		}
		w.p.Perform(t.Context(), mine, w.call.stage())
	})
}

// stuck is a store that cannot be written while it is stuck.
type stuck struct {
	store.Store
	stuck atomic.Bool
}

func (s *stuck) Append(ctx context.Context, c *store.Change) error {
	if s.stuck.Load() {
		return fault.New(fault.Unavailable, "STORE_FULL", "full")
	}
	return s.Store.Append(ctx, c)
}

// TestStuckStore says that a store that cannot be written holds no caller up, and gets the end as soon as it can.
func TestStuckStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &stuck{Store: memory.New()}
		w := newWorld(t, func(o *script.Options) { o.Store = st })
		w.run()
		defer w.stop()
		time.AfterFunc(500*time.Millisecond, func() { st.stuck.Store(true) })
		began := time.Now()
		plan, err := w.p.Prepare(t.Context(), w.plan(`[{"type":"sleep","option":{"duration":1000}},{"type":"beep"}]`))
		if err != nil {
			t.Fatal(err)
		}
		end := w.p.Perform(t.Context(), plan, w.call.stage())
		if end.Reason != "finished" || time.Since(began) != 1100*time.Millisecond {
			t.Errorf("%+v after %v", end, time.Since(began))
		}
		if a := w.record(plan.Env.ActiveflowID); a.Status != "running" {
			t.Error(a.Status)
		}
		st.stuck.Store(false)
		time.Sleep(3 * time.Second)
		if a := w.record(plan.Env.ActiveflowID); a.EndReason != "finished" || path(a) != "sleep:done beep:done" {
			t.Errorf("%s %s", a.EndReason, path(a))
		}
		if _, err := w.p.Prepare(t.Context(), w.plan(`[]`)); err != nil {
			t.Error(err)
		}
		st.stuck.Store(true)
		if _, err := w.p.Prepare(t.Context(), w.plan(`[]`)); fault.ReasonOf(err) != "STORE_FULL" {
			t.Error(err)
		}
		st.stuck.Store(false)
	})
}

// TestAfterRecording says that on_end_flow_id runs once for each recording, also when the process dies before it has noted that.
func TestAfterRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.run()
		id := w.flow(`[{"type":"variable_set","option":{"key":"seen","value":"${voipbin.recording.id}"}},
			{"type":"variable_set","option":{"key":"how","value":"${voipbin.recording.status} ${voipbin.recording.end_reason}"}}]`)
		how := "finished stopped"
		finished := func(customer, flow string) string {
			status, reason, _ := strings.Cut(how, " ")
			rec := uuid.NewString()
			data, _ := json.Marshal(map[string]string{"id": rec, "format": "wav", "reference_type": "conference", "on_end_flow_id": flow, "end_reason": reason})
			if err := w.st.Append(t.Context(), &store.Change{Key: "recording/" + rec, Events: []store.Event{{
				ID: uuid.NewString(), Type: "recording_" + status, At: time.Now(), CustomerID: customer, Resource: rec, Data: data,
			}}}); err != nil {
				t.Fatal(err)
			}
			return rec
		}
		first := finished(me, id)
		finished(me, "00000000-0000-0000-0000-000000000000")
		finished(others, id) // it is not their flow
		time.Sleep(time.Second)
		w.stop()
		if err := w.st.SetCursor(t.Context(), "flows", 1); err != nil { // as if the place had not been noted
			t.Fatal(err)
		}
		again := newWorld(t, func(o *script.Options) { o.Store = w.st })
		again.run()
		time.Sleep(time.Second)
		how = "failed disk_full"
		second := finished(me, id)
		time.Sleep(time.Second)
		again.stop()
		rows, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Limit: 10})
		if err != nil || len(rows) != 2 {
			t.Fatalf("%v: %d runs", err, len(rows))
		}
		for i, want := range []string{second, first} {
			if a := w.record(rows[i].ID); a.Variables["seen"] != want || a.ReferenceType != "recording" || a.ReferenceID != want {
				t.Errorf("%d: %+v", i, a)
			} else if hows := []string{"failed disk_full", "finished stopped"}; a.Variables["how"] != hows[i] {
				t.Errorf("%d: the recording was %q, want %q", i, a.Variables["how"], hows[i])
			}
		}
	})
}

// TestShares says that a customer whose flows take all that it may have leaves room for others, and holds up no flow that follows a recording of theirs.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *script.Options) { o.AloneEach = 2 })
		w.run()
		defer w.stop()
		synctest.Wait() // it follows what comes from now on
		for range 2 {
			if _, err := w.p.Start(t.Context(), w.alone(`[{"type":"block"}]`)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.p.Start(t.Context(), w.alone(`[]`)); fault.ReasonOf(err) != "FLOWS_BUSY" {
			t.Error(err)
		}
		id := w.flow(`[{"type":"sleep"}]`)
		rec := uuid.NewString()
		data, _ := json.Marshal(map[string]string{"id": rec, "on_end_flow_id": id})
		if err := w.st.Append(t.Context(), &store.Change{Key: "recording/" + rec, Events: []store.Event{{
			ID: uuid.NewString(), Type: "recording_finished", At: time.Now(), CustomerID: me, Resource: rec, Data: data,
		}}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		rows, err := w.st.List(t.Context(), store.Query{Kind: store.Activeflow, Reference: rec, Limit: 10})
		if err != nil || len(rows) != 1 || w.record(rows[0].ID).EndReason != "FLOWS_BUSY" {
			t.Errorf("%d runs after the recording, %v", len(rows), err)
		}
		plan := w.alone(`[{"type":"block"}]`)
		plan.CustomerID = others
		if _, err := w.p.Start(t.Context(), plan); err != nil {
			t.Error(err)
		}
	})
}

// TestManyAtOnce runs flows at once and stops some of them meanwhile.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, func(o *script.Options) { o.Alone = 50 })
	w.run()
	defer w.stop()
	var ids []string
	for i := range 200 {
		plan := w.alone(`[{"type":"sleep","option":{"duration":1}},{"type":"sleep","option":{"duration":1}}]`)
		if i%5 == 0 {
			plan = w.alone(`[{"type":"block"}]`)
		}
		a, err := w.p.Start(t.Context(), plan)
		if fault.ReasonOf(err) == "FLOWS_BUSY" {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, a.ID); i%5 == 0 || i%7 == 0 {
			if _, err := w.p.Stop(t.Context(), me, a.ID); err != nil {
				t.Error(err)
			}
		}
	}
	w.stop()
	for _, id := range ids {
		if a := w.record(id); a.Status != active.Ended {
			t.Errorf("%s %s", a.Status, path(a))
		}
	}
	if len(ids) < 50 {
		t.Errorf("only %d began", len(ids))
	}
}

// forgetful is a store that takes everything and keeps nothing.
type forgetful struct{ store.Store }

func (forgetful) Append(_ context.Context, c *store.Change) error {
	for i := range c.Records {
		c.Records[i].Version = c.Version + int64(len(c.Events))
	}
	return nil
}

// BenchmarkStep is the CPU time of one step that does nothing, in runs of so many steps, begin and end of the run in it: with its record in memory, in a
// database, and without the store's part.
func BenchmarkStep(b *testing.B) {
	for _, steps := range []int{5, 20, 100} {
		benchmarkStep(b, fmt.Sprintf("steps=%d/store=memory", steps), steps, memory.New())
		benchmarkStep(b, fmt.Sprintf("steps=%d/store=none", steps), steps, forgetful{})
		db, err := sqlite.Open(b.Context(), b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		benchmarkStep(b, fmt.Sprintf("steps=%d/store=sqlite", steps), steps, db)
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkStep(b *testing.B, name string, steps int, st store.Store) {
	b.Run(name, func(b *testing.B) {
		list := strings.Repeat(`{"type":"sleep","option":{"duration":0}},`, steps)
		got := actions(b, `[`+strings.TrimSuffix(list, ",")+`]`)
		p := script.New(script.Options{Store: st, Log: quiet})
		b.ReportAllocs()
		b.ResetTimer()
		began := cpu(b)
		for range b.N {
			end := p.Perform(context.Background(), script.Plan{CustomerID: me, Actions: got, Env: run.Env{ReferenceType: active.OnCall, ReferenceID: callID}}, nil)
			if end.Reason != run.Finished {
				b.Fatal(end)
			}
		}
		b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N*steps), "cpu-us/step")
	})
}

// cpu is the time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
