package sqlite

import (
	"context"
	"fmt"
	"time"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
)

// Claim records a running request; see store.Answers.
func (s *Store) Claim(ctx context.Context, a store.Answer) (known *store.Answer, err error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	err = s.do(ctx, "claim an idempotency key", func(w *session) error {
		known, err = w.claim(&a)
		return err
	})
	return known, err
}

func (w *session) claim(a *store.Answer) (*store.Answer, error) {
	isNew, err := w.keep(a, `ON CONFLICT (customer, key) DO NOTHING`)
	if err != nil || isNew {
		return nil, err
	}
	known := store.Answer{CustomerID: a.CustomerID, Key: a.Key}
	var request []byte
	var at int64
	err = w.row("SELECT request, status, body, at FROM answers WHERE customer = ? AND key = ?",
		[]any{a.CustomerID, a.Key}, &request, &known.Status, &known.Body, &at)
	if err != nil {
		return nil, fmt.Errorf("read a known answer: %w", err)
	}
	copy(known.Request[:], request)
	known.At = moment(at)
	return &known, nil
}

// answer keeps the answer that belongs to a change.
func (w *session) answer(a *store.Answer) error {
	mine, err := w.keep(a, `ON CONFLICT (customer, key) DO UPDATE SET status = excluded.status, body = excluded.body
		WHERE answers.request = excluded.request AND answers.status = 0`)
	if err == nil && !mine {
		return fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "this Idempotency-Key belongs to another request: use a new key for each request")
	}
	return err
}

// keep inserts a, in place of an answer that is too old, and reports whether it did or what the clause on conflict wrote.
func (w *session) keep(a *store.Answer, conflict string) (bool, error) {
	at := a.At
	if at.IsZero() {
		at = wall.Now()
	}
	err := w.exec("DELETE FROM answers WHERE customer = ? AND key = ? AND at <= ?",
		a.CustomerID, a.Key, at.Add(-store.AnswersKept).UnixMicro())
	if err != nil {
		return false, fmt.Errorf("forget an old answer: %w", err)
	}
	done, err := w.changed("INSERT INTO answers (customer, key, request, status, body, at) VALUES (?, ?, ?, ?, ?, ?) "+conflict,
		a.CustomerID, a.Key, a.Request[:], a.Status, append([]byte{}, a.Body...), at.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("keep an answer: %w", err)
	}
	return done, nil
}

// Finish stores the answer of a claimed request, or forgets the claim; see store.Answers.
func (s *Store) Finish(ctx context.Context, a store.Answer) error {
	if err := a.Check(); err != nil {
		return err
	}
	return s.do(ctx, "finish an idempotency key", func(w *session) error {
		if a.Status == 0 {
			return w.exec("DELETE FROM answers WHERE customer = ? AND key = ? AND request = ? AND status = 0",
				a.CustomerID, a.Key, a.Request[:])
		}
		found, err := w.changed("UPDATE answers SET status = ?, body = ? WHERE customer = ? AND key = ? AND request = ?",
			a.Status, append([]byte{}, a.Body...), a.CustomerID, a.Key, a.Request[:])
		if err == nil && !found {
			return fault.New(fault.NotFound, "IDEMPOTENCY_KEY_UNKNOWN", "no request with this Idempotency-Key is running: claim it first")
		}
		return err
	})
}

// moment is the inverse of time.Time.UnixMicro.
func moment(micro int64) time.Time { return time.UnixMicro(micro).UTC() }
