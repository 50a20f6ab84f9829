package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"net/http"
	"strings"
)

// exchange is one request with what the log and the counters want to know of it. It belongs to the request's goroutine.
type exchange struct {
	id       string
	route    string // pattern, "" until a route has taken it
	customer string
	reason   string
	err      error
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// RequestID returns the id that the answer's X-Request-Id carries, "" outside the frame.
func RequestID(r *http.Request) string {
	if x := exchangeOf(r); x != nil {
		return x.id
	}
	return ""
}

// Label tells log and counters which route took the request.
func Label(r *http.Request, pattern string) {
	if x := exchangeOf(r); x != nil {
		x.route = pattern
	}
}

// LabelCustomer tells the log whose request it is.
func LabelCustomer(r *http.Request, id string) {
	if x := exchangeOf(r); x != nil {
		x.customer = id
	}
}

// begin gives the request its id: the client's when it is 1 to 64 letters, digits, _ or -, else a new one.
func begin(r *http.Request) (*http.Request, *exchange) {
	id := r.Header.Get("X-Request-Id")
	if !validID(id) {
		id = newID()
	}
	x := &exchange{id: id}
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)), x
}

func validID(id string) bool {
	return len(id) >= 1 && len(id) <= 64 && !strings.ContainsFunc(id, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-')
	})
}

// newID returns req_ and 26 base32 characters.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "req_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}
