package apitest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/internal/api/apitest"
)

// TestCheckerReports says that the checker finds each kind of difference, and none where there is none.
func TestCheckerReports(t *testing.T) {
	const problem = `{"type":"/errors/ROUTE_NOT_FOUND","title":"t","status":404,"detail":"d","instance":"/","message":"m",
		"error":{"status":"NOT_FOUND","reason":"ROUTE_NOT_FOUND","message":"m","request_id":"r"}}`
	for _, c := range []struct {
		name, method, path, send string
		status                   int
		media, answer            string
		wrong                    string // part of what is reported, "" for nothing
	}{
		{"as described", "GET", "/v1.0/conferences", "", 200, "application/json; charset=utf-8", `{"result":[],"next_page_token":""}`, ""},
		{"other prefix", "GET", "/v1/conferences", "", 200, "application/json", `{"result":[],"next_page_token":""}`, ""},
		{"field missing", "GET", "/v1/conferences", "", 200, "application/json", `{"result":[]}`, "next_page_token"},
		{"field not described", "GET", "/v1/conferences", "", 200, "application/json", `{"result":[],"next_page_token":"","more":1}`, "more"},
		{"item wrong", "GET", "/v1/conferences", "", 200, "application/json", `{"result":[{"id":"x"}],"next_page_token":""}`, "not as described"},
		{"null for a list", "GET", "/v1/conferences", "", 200, "application/json", `{"result":null,"next_page_token":""}`, "not as described"},
		{"media type", "GET", "/v1/conferences", "", 200, "text/html", `{"result":[],"next_page_token":""}`, "not as described"},
		{"status", "GET", "/ping", "", 500, "application/problem+json", problem, "status"},
		{"path", "GET", "/v1/rooms", "", 200, "application/json", `{}`, "not described"},
		{"unknown path refused", "GET", "/v1/rooms", "", 404, "application/problem+json", problem, ""},
		{"method", "PATCH", "/v1/conferences", "", 200, "application/json", `{}`, "not described"},
		{"refusal wrong", "GET", "/v1/conferences", "", 401, "application/problem+json", `{"error":{}}`, "not as described"},
		{"request forbidden", "GET", "/v1/events?limit=0", "", 200, "application/json", `{"result":[],"next_after":0}`, "although"},
		{"body forbidden", "POST", "/v1/extensions", `{}`, 404, "application/problem+json", problem, ""},
		{"outside", "GET", "/ping", "", 200, "application/json", `{"message":"pong"}`, ""},
		{"outside wrong", "GET", "/ping", "", 200, "application/json", `{"message":"ping"}`, "not as described"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.media)
				w.Header().Set("X-Request-Id", "r")
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.answer)
			}))
			defer s.Close()
			var said []string
			checker, err := apitest.New(nil, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
			if err != nil {
				t.Fatal(err)
			}
			r, _ := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(c.send))
			answer, err := checker.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if all := strings.Join(said, "\n"); (c.wrong == "") != (all == "") || !strings.Contains(all, c.wrong) {
				t.Errorf("said %q, want %q", all, c.wrong)
			}
		})
	}
}
