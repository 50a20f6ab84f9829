package memory

import (
	"context"
	"fmt"
	"sync"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wall"
)

// Events implements store.Log.
func (s *Store) Events(ctx context.Context, q store.LogQuery) ([]store.Event, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, q.After, fmt.Errorf("read the log: %w", err)
	}
	if err := q.Check(); err != nil {
		return nil, q.After, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []store.Event
	next := q.After
	for i := q.After; i < int64(len(s.events)) && len(found) < q.Limit; i++ {
		e := s.events[i]
		next = e.Seq
		if wanted(&e, &q) {
			found = append(found, e)
		}
	}
	return found, next, nil
}

func wanted(e *store.Event, q *store.LogQuery) bool {
	return (q.CustomerID == "" || e.CustomerID == q.CustomerID) && (q.Conference == "" || e.Conference == q.Conference) &&
		(q.Resource == "" || e.Resource == q.Resource) && store.OfType(e.Type, q.Types)
}

// Last implements store.Log.
func (s *Store) Last(ctx context.Context, key string) (seq, version int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, fmt.Errorf("read the end of the log: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.events)), s.versions[key], nil
}

// Hints implements store.Log.
func (s *Store) Hints() (<-chan struct{}, func()) {
	hint := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hints[hint] = struct{}{}
	return hint, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hints, hint)
	})
}

// Cursor implements store.Log.
func (s *Store) Cursor(ctx context.Context, reader string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("read cursor of %s: %w", reader, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[reader], nil
}

// SetCursor implements store.Log.
func (s *Store) SetCursor(ctx context.Context, reader string, seq int64) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("set cursor of %s: %w", reader, err)
	}
	if reader == "" || seq < 0 {
		return fmt.Errorf("store: cursor of reader %q at %d", reader, seq)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursors[reader] = seq
	return nil
}

// Claim implements store.Answers.
func (s *Store) Claim(ctx context.Context, a store.Answer) (*store.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	if err := a.Check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.At.IsZero() {
		a.At = wall.Now()
	}
	if has, ok := s.answer(a); ok {
		return &has, nil
	}
	a.Status, a.Body = 0, nil
	s.keepAnswer(a)
	return nil, nil
}

// Finish implements store.Answers.
func (s *Store) Finish(ctx context.Context, a store.Answer) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("finish an idempotency key: %w", err)
	}
	if err := a.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	has, ok := s.answer(a)
	mine := ok && has.Request == a.Request
	switch {
	case a.Status == 0:
		if mine && has.Status == 0 {
			delete(s.answers, answerKey{a.CustomerID, a.Key})
		}
		return nil
	case !mine:
		return fault.New(fault.NotFound, "IDEMPOTENCY_KEY_UNKNOWN", "idempotency key %q has no running request to answer", a.Key)
	}
	has.Status, has.Body = a.Status, a.Body
	s.keepAnswer(has)
	return nil
}

func (s *Store) answer(a store.Answer) (store.Answer, bool) {
	has, ok := s.answers[answerKey{a.CustomerID, a.Key}]
	now := a.At
	if now.IsZero() {
		now = wall.Now()
	}
	if !ok || now.Sub(has.At) >= store.AnswersKept {
		return store.Answer{}, false
	}
	return has, true
}

func (s *Store) tryAnswer(a *store.Answer) error {
	if a == nil {
		return nil
	}
	if has, ok := s.answer(*a); ok && (has.Request != a.Request || has.Status != 0) {
		return fault.New(fault.Conflict, "IDEMPOTENCY_KEY_REUSED", "idempotency key %q belongs to another request", a.Key)
	}
	return nil
}

func (s *Store) keepAnswer(a store.Answer) {
	if a.At.IsZero() {
		a.At = wall.Now()
	}
	a.At = micro(a.At)
	s.answers[answerKey{a.CustomerID, a.Key}] = a
}
