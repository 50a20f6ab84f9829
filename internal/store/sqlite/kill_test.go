package sqlite

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"parley/internal/store"
)

const killWriters = 16

// change returns one that makes a conference with a new id.
func change() *store.Change {
	id := uuid.NewString()
	now := time.Now()
	doc := json.RawMessage(`{"id":"` + id + `","name":"` + strings.Repeat("x", 900) + `"}`)
	event := func(kind string) store.Event {
		return store.Event{
			ID: uuid.NewString(), Type: kind, At: now, CustomerID: "customer", Conference: id, Resource: id, Data: doc,
		}
	}
	return &store.Change{
		Key:    "conference/" + id,
		Events: []store.Event{event("conference_created"), event("conference_updated")},
		Records: []store.Record{{
			Kind: store.Conference, ID: id, CustomerID: "customer", Status: "progressing", Type: "conference",
			Live: true, Created: now, Deadline: now.Add(time.Hour), Doc: doc,
		}},
	}
}

// child appends from many goroutines and says what was acknowledged, until it is killed.
func child(dir string) {
	ctx := context.Background()
	s, err := Open(ctx, dir)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for range killWriters {
		go func() {
			for {
				c := change()
				if err := s.Append(ctx, c); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				// One write, so that the line is in the pipe or not.
				_, _ = os.Stdout.WriteString(fmt.Sprintln("ack", c.Records[0].ID, c.Events[1].Seq))
			}
		}()
	}
	select {}
}

// TestKill kills a writing process again and again, without warning: whatever it acknowledged is there afterwards.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]int64{}
	rounds, each := 4, 400
	if testing.Short() {
		rounds, each = 2, 100
	}
	for round := range rounds {
		killOne(t, dir, each, acked)
		began := time.Now()
		s, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		opened := time.Since(began)
		checkAcked(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("round %d: %d acknowledged changes are there; opened in %v", round, len(acked), opened)
	}
}

// killOne runs a child, kills it after some acknowledgements, and adds all that it sent.
func killOne(t *testing.T, dir string, after int, acked map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		var id string
		var seq int64
		if _, err := fmt.Sscanf(lines.Text(), "ack %s %d", &id, &seq); err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		acked[id] = seq
	}
}

// checkAcked looks for every acknowledged change: its record, its place in the log, and a log without gaps.
func checkAcked(t *testing.T, s *Store, acked map[string]int64) {
	t.Helper()
	places := map[int64]string{}
	for q := (store.LogQuery{Limit: 1000}); ; {
		events, next, err := s.Events(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range events {
			if e.Seq != q.After+int64(i)+1 {
				t.Fatalf("after %d comes %d", q.After+int64(i), e.Seq)
			}
			places[e.Seq] = e.Resource
		}
		if next == q.After {
			break
		}
		q.After = next
	}
	for id, seq := range acked {
		if places[seq] != id {
			t.Fatalf("entry %d of the log is of %q, acknowledged was %s", seq, places[seq], id)
		}
		r, err := s.Get(t.Context(), store.Conference, id)
		if err != nil || r.Version != 2 || !json.Valid(r.Doc) {
			t.Fatalf("conference %s: %+v, %v", id, r, err)
		}
	}
}
