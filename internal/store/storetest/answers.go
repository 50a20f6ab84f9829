package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
)

func claim(t *testing.T, s store.Store, a store.Answer) *store.Answer {
	t.Helper()
	known, err := s.Claim(ctxOf(t), a)
	must(t, err)
	return known
}

func wantAnswer(t *testing.T, got *store.Answer, want store.Answer) {
	t.Helper()
	if got == nil || got.CustomerID != want.CustomerID || got.Key != want.Key || got.Request != want.Request ||
		got.Status != want.Status || string(got.Body) != string(want.Body) || !sameTime(got.At, want.At) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func testAnswers(t *testing.T, s store.Store) {
	at := time.Now().UTC()
	a := store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{1, 2, 3}, At: at}
	if known := claim(t, s, a); known != nil {
		t.Fatalf("a new key is known: %+v", known)
	}
	later := a
	later.At = at.Add(time.Minute)
	wantAnswer(t, claim(t, s, later), a) // still running
	other := store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{9}, At: later.At}
	wantAnswer(t, claim(t, s, other), a) // the caller compares the request
	foreign := store.Answer{CustomerID: id(2), Key: "k", At: at}
	if known := claim(t, s, foreign); known != nil {
		t.Fatalf("customers share keys: %+v", known)
	}

	must(t, s.Finish(ctxOf(t), a)) // forgotten
	if known := claim(t, s, a); known != nil {
		t.Fatalf("a forgotten claim is known: %+v", known)
	}
	a.Status, a.Body = 201, []byte("{\"x\":\x00\xff}")
	must(t, s.Finish(ctxOf(t), a))
	wantAnswer(t, claim(t, s, later), a)
	forget := a
	forget.Status = 0
	must(t, s.Finish(ctxOf(t), forget)) // there is an answer: it stays
	wantAnswer(t, claim(t, s, later), a)
	other.Status = 500
	wantFault(t, s.Finish(ctxOf(t), other), fault.NotFound, "IDEMPOTENCY_KEY_UNKNOWN")
	wantAnswer(t, claim(t, s, later), a)

	later.At = at.Add(store.AnswersKept - time.Second)
	wantAnswer(t, claim(t, s, later), a)
	later.At = at.Add(store.AnswersKept)
	if known := claim(t, s, later); known != nil {
		t.Fatalf("known after %v: %+v", store.AnswersKept, known)
	}
	if _, err := s.Claim(ctxOf(t), store.Answer{CustomerID: id(1)}); err == nil {
		t.Fatal("a claim without key was kept")
	}
	before := time.Now().Add(-time.Second)
	claim(t, s, store.Answer{Key: "now"})
	if known := claim(t, s, store.Answer{Key: "now"}); known == nil || known.At.Before(before) {
		t.Fatalf("a claim without time was not made now: %+v", known)
	}
}

func testAnswerInChange(t *testing.T, s store.Store) {
	at := time.Now().UTC()
	a := store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{1}, At: at}
	if known := claim(t, s, a); known != nil {
		t.Fatalf("a new key is known: %+v", known)
	}
	done := a
	done.Status, done.Body = 201, []byte("made")

	wrong := create(1)
	wrong.Answer = &store.Answer{CustomerID: id(1), Key: "k", Request: [32]byte{2}, Status: 201, At: at}
	wantFault(t, s.Append(ctxOf(t), wrong), fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
	wantLast(t, s, key(1), 0, 0)
	wantAnswer(t, claim(t, s, a), a)

	right := create(1)
	right.Answer = &done
	add(t, s, right)
	wantAnswer(t, claim(t, s, a), done)
	must(t, s.Finish(ctxOf(t), done)) // says the same again
	wantAnswer(t, claim(t, s, a), done)

	again := create(2) // the same request once more, by another way: it must not have its effect twice
	again.Answer = &done
	wantFault(t, s.Append(ctxOf(t), again), fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
	wantLast(t, s, key(2), 2, 0)

	unclaimed := create(3)
	unclaimed.Answer = &store.Answer{CustomerID: id(1), Key: "other", Status: 204, At: at}
	add(t, s, unclaimed)
	wantAnswer(t, claim(t, s, store.Answer{CustomerID: id(1), Key: "other", At: at}), *unclaimed.Answer)
}

func testClaimRace(t *testing.T, s store.Store) {
	at := time.Now()
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			known, err := s.Claim(ctxOf(t), store.Answer{CustomerID: id(1), Key: "k", At: at})
			if err != nil {
				t.Error(err)
			}
			if known == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d requests won one key", won.Load())
	}
}
