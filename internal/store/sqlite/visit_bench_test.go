package sqlite

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
)

// visit is what a call writes that joins a conference and leaves it, as the rooms and lines of a server do: three changes of the call, and three of the
// conference.
type visit struct {
	s          *Store
	conference string
	version    int64 // of the conference
	created    time.Time
}

func text(n int) json.RawMessage { return json.RawMessage(`{"x":"` + strings.Repeat("x", n) + `"}`) }

func (v *visit) append(b *testing.B, key string, version int64, records []store.Record, types ...string) int64 {
	c := &store.Change{Key: key, Version: version, Records: records}
	for _, t := range types {
		_, id, _ := strings.Cut(key, "/")
		if strings.HasPrefix(t, "conferencecall") {
			id = records[0].ID
		}
		c.Events = append(c.Events, store.Event{
			ID: uuid.NewString(), Type: t, At: time.Now(), CustomerID: "customer", Conference: v.conference, Resource: id, Data: text(900),
		})
	}
	if err := v.s.Append(b.Context(), c); err != nil {
		b.Error(err)
	}
	return version + int64(len(types))
}

func (v *visit) run(b *testing.B) {
	call := store.Record{Kind: store.Call, ID: uuid.NewString(), CustomerID: "customer", Status: "ringing", Type: "conference", Live: true, Created: time.Now(), Doc: text(900)}
	at := v.append(b, "call/"+call.ID, 0, []store.Record{call}, "call_created", "call_ringing")
	p := store.Record{
		Kind: store.Conferencecall, ID: uuid.NewString(), CustomerID: "customer", Conference: v.conference, Reference: call.ID, Status: "joining", Live: true,
		Created: time.Now(), Doc: text(700),
	}
	room := store.Record{
		Kind: store.Conference, ID: v.conference, CustomerID: "customer", Status: "progressing", Type: "conference", Live: true, Created: v.created,
		Deadline: v.created.Add(time.Hour), Doc: text(1400),
	}
	key := "conference/" + v.conference
	v.version = v.append(b, key, v.version, []store.Record{p, room}, "conferencecall_joining")
	call.Status = "progressing"
	at = v.append(b, "call/"+call.ID, at, []store.Record{call}, "call_updated", "call_progressing")
	p.Status = "joined"
	v.version = v.append(b, key, v.version, []store.Record{p, room}, "conferencecall_joined", "conference_updated")
	p.Status, p.Live = "leaved", false
	v.version = v.append(b, key, v.version, []store.Record{p, room}, "conferencecall_leaving", "conferencecall_leaved", "conference_updated")
	call.Status, call.Live = "hangup", false
	v.append(b, "call/"+call.ID, at, []store.Record{call}, "call_hangup")
}

// BenchmarkVisit: what the log of calls that come and go costs in CPU time, when 16 of them are written at once.
func BenchmarkVisit(b *testing.B) {
	s := openTest(b, b.TempDir(), defaults)
	var left atomic.Int64
	left.Store(int64(b.N))
	var before, after syscall.Rusage
	stats := s.Stats()
	b.ResetTimer()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			v := visit{s: s, conference: uuid.NewString(), created: time.Now()}
			for left.Add(-1) >= 0 {
				v.run(b)
			}
		})
	}
	all.Wait()
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/float64(b.N)/1000, "cpu-us/op")
	now := s.Stats()
	b.ReportMetric(float64(now.Appends-stats.Appends)/float64(now.Batches-stats.Batches), "changes/commit")
}
