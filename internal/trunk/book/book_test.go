package book_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/store/memory"
	"parley/internal/trunk/book"
	"parley/internal/trunk/route"
)

const (
	ann = "a0000000-0000-4000-8000-000000000000"
	bob = "b0000000-0000-4000-8000-000000000000"
	id  = "10000000-0000-4000-8000-000000000000"
)

func open(t *testing.T, st store.Store) *book.Book {
	t.Helper()
	b, err := book.Open(t.Context(), st, func(_ string, x *route.Trunk) error {
		if x.Host == "forbidden.example" {
			return fault.New(fault.Denied, "DESTINATION_NOT_ALLOWED", "no")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func patch(t *testing.T, text string) (p book.Patch) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func noAnswer(route.Trunk) (*store.Answer, error) { return nil, nil }

func TestLife(t *testing.T) {
	st := memory.New()
	b := open(t, st)
	made, err := b.Add(t.Context(), ann, id, patch(t, `{"host":"sip.example","auth":"register","username":"u","password":"very secret","limits":{"concurrent":5}}`), noAnswer)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintln(made.Prefixes, made.Transport, made.Enabled, made.Limits) != "[{+ 0 +}] udp true {0 0 5 0}\n" {
		t.Error(made)
	}
	if all := b.Of(ann); len(all) != 1 || all[0].Password != "very secret" || len(b.Of(bob)) != 0 {
		t.Error(all)
	}
	if _, err := b.Add(t.Context(), ann, id, patch(t, `{"host":"x.example"}`), noAnswer); fault.ReasonOf(err) != "ALREADY_EXISTS" {
		t.Error(err)
	}
	got, err := b.Update(t.Context(), ann, id, patch(t, `{"password":"********","prefixes":[{"prefix":"+49"},{"prefix":"+1","strip":1,"add":""}],"limits":{"calls_per_minute":9},"enabled":false}`), nil)
	if err != nil || got.Password != "very secret" || fmt.Sprint(got.Prefixes, got.Limits, got.Enabled) != "[{+49 0 +} {+1 1 }] {0 9 5 0} false" {
		t.Error(got, err)
	}
	if again, err := b.Update(t.Context(), ann, id, patch(t, `{"enabled":false}`), nil); err != nil || again.Updated != got.Updated {
		t.Error("no change, and written", err)
	}
	if open(t, st).Of(ann)[0].Limits != got.Limits || b.Of(ann)[0].Enabled {
		t.Error("memory and store differ")
	}
	for want, do := range map[string]func() error{
		"TRUNK_NOT_FOUND": func() error { _, err := b.Update(t.Context(), bob, id, patch(t, `{}`), nil); return err },
		"VERSION_MISMATCH": func() error {
			_, err := b.Update(t.Context(), ann, id, patch(t, `{"name":"x"}`), func(route.Trunk) error { return fault.New(fault.Conflict, "VERSION_MISMATCH", "no") })
			return err
		},
		"DESTINATION_NOT_ALLOWED": func() error {
			_, err := b.Update(t.Context(), ann, id, patch(t, `{"host":"forbidden.example"}`), nil)
			return err
		},
		"INVALID_ARGUMENT": func() error {
			_, err := b.Update(t.Context(), ann, id, patch(t, `{"limits":{"concurrent":"x"}}`), nil)
			return err
		},
	} {
		if err := do(); fault.ReasonOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for range 2 {
		gone, err := b.Delete(t.Context(), ann, id)
		if err != nil || gone.Password != "" || gone.Enabled || len(b.Of(ann)) != 0 {
			t.Error(gone, err)
		}
	}
	if _, err := b.Update(t.Context(), ann, id, patch(t, `{"name":"x"}`), nil); fault.ReasonOf(err) != "STATE_INVALID" {
		t.Error(err)
	}
	events, _, err := st.Events(t.Context(), store.LogQuery{Limit: 10})
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
		if strings.Contains(string(e.Data), "secret") || e.CustomerID != ann || e.Resource != id {
			t.Errorf("%s %s", e.Type, e.Data)
		}
	}
	if err != nil || strings.Join(types, " ") != "trunk_created trunk_updated trunk_deleted" {
		t.Error(types, err)
	}
}

func TestMost(t *testing.T) {
	b := open(t, memory.New())
	p := patch(t, `{"host":"sip.example"}`)
	for i := range 100 {
		if _, err := b.Add(t.Context(), ann, fmt.Sprintf("10000000-0000-4000-8000-%012d", i), p, noAnswer); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Add(t.Context(), ann, id[:35]+"f", p, noAnswer); fault.ReasonOf(err) != "RESOURCE_LIMIT_EXCEEDED" {
		t.Error(err)
	}
	if len(b.All()) != 100 {
		t.Error(len(b.All()))
	}
	var seen []int
	b.Follow(func(all []route.Trunk) { seen = append(seen, len(all)) })
	if _, err := b.Delete(t.Context(), ann, id[:35]+"1"); err != nil || fmt.Sprint(seen) != "[100 99]" {
		t.Error(seen, err)
	}
	broken := errors.New("no answer")
	if _, err := b.Add(t.Context(), bob, id, p, func(route.Trunk) (*store.Answer, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
