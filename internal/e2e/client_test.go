package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

type object = map[string]any

// request sends a request and returns status and body. It may be called from any goroutine.
func (s *server) request(method, path string, body any) (int, object, error) {
	return s.requestBy(s.client, method, path, body)
}

func (s *server) requestBy(client *http.Client, method, path string, body any) (int, object, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.http+"/v1.0"+path, r)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+accessKey)
	req.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	var out object
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return 0, nil, fmt.Errorf("%s %s: %s, body: %w", method, path, answer.Status, err)
	}
	return answer.StatusCode, out, nil
}

// do is request that expects an answer.
func (s *server) do(method, path string, body any) (int, object) {
	s.t.Helper()
	status, out, err := s.request(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, out
}

// must is do that expects 200.
func (s *server) must(method, path string, body any) object {
	s.t.Helper()
	status, out := s.do(method, path, body)
	if status != 200 {
		s.t.Fatalf("%s %s: status %d: %v", method, path, status, out)
	}
	return out
}

// list returns all of a list, newest first.
func (s *server) list(path string) []object {
	s.t.Helper()
	var all []object
	token := ""
	for {
		page := s.must("GET", path+token, nil)
		for _, x := range page["result"].([]any) {
			all = append(all, x.(object))
		}
		next := page["next_page_token"].(string)
		if next == "" {
			return all
		}
		token = "&page_token=" + next
	}
}

// conference makes one and returns its id.
func (s *server) conference(body object) string {
	s.t.Helper()
	if body == nil {
		body = object{"type": "conference", "name": "e2e"}
	}
	return s.must("POST", "/conferences", body)["id"].(string)
}

// event is a log entry.
type event struct {
	Seq  int64
	Type string
	Data object
}

// id is that of the resource that the event shows.
func (e event) id() string { return e.Data["id"].(string) }

// events returns the log of a conference.
func (s *server) events(conference string) []event {
	s.t.Helper()
	var all []event
	after := int64(0)
	for {
		page := s.must("GET", fmt.Sprintf("/events?conference_id=%s&after=%d&limit=1000", conference, after), nil)
		list := page["result"].([]any)
		for _, x := range list {
			e := x.(object)
			all = append(all, event{int64(e["seq"].(float64)), e["type"].(string), e["data"].(object)})
		}
		if len(list) == 0 {
			return all
		}
		after = all[len(all)-1].Seq
	}
}

// types are the types of events, in order.
func types(events []event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}

// count returns how many events of a type there are.
func count(events []event, kind string) int {
	n := 0
	for _, e := range events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// wait waits until the n-th event of the type is in the conference's log and returns it.
func (s *server) wait(conference, kind string, n int) event {
	s.t.Helper()
	var found event
	eventually(s.t, 30*time.Second, fmt.Sprintf("%d × %s", n, kind), func() error {
		seen := 0
		all := s.events(conference)
		for _, e := range all {
			if e.Type == kind {
				if seen++; seen == n {
					found = e
					return nil
				}
			}
		}
		return fmt.Errorf("%d so far, log %q", seen, types(all))
	})
	return found
}

// waitField waits until a field of a resource has the value.
func (s *server) waitField(path, field string, want any) object {
	s.t.Helper()
	var got object
	eventually(s.t, 20*time.Second, fmt.Sprintf("%s: %s = %v", path, field, want), func() error {
		got = s.must("GET", path, nil)
		if got[field] != want {
			return fmt.Errorf("it is %v", got[field])
		}
		return nil
	})
	return got
}
