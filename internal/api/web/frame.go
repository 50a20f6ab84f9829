package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"parley/internal/fault"
	"parley/internal/wire"
)

// Frame goes around a mux: it gives each request its id, answers preflights, holds back clients that ask too often, turns panics into answers,
// and writes one log line and one count for each.
type Frame struct {
	Log     *slog.Logger
	Address *Limiter // per client address; nil for none
	Counts  *Counts
}

// Wrap returns next inside the frame.
func (f *Frame) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		r, x := begin(r)
		rec := &recorder{ResponseWriter: w}
		f.headers(rec.Header(), x.id)
		f.Counts.enter()
		defer func() {
			f.Counts.leave(x.route, rec.code())
			f.line(r, x, rec, time.Since(start))
		}()
		defer func() {
			if p := recover(); p != nil {
				f.panicked(rec, r, x, p)
			}
		}()
		f.serve(rec, r, next)
	})
}

func (f *Frame) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Method == http.MethodOptions {
		w.Header().Set("Access-Control-Max-Age", "43200")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err := f.Address.Take(AddressKey(r)); err != nil {
		Limited(w, r, err, "ip")
		return
	}
	// The mux would redirect a path that is not clean; the original has no such route.
	if p := r.URL.Path; p != "/" && path.Clean(p) != p {
		NotFound(w, r)
		return
	}
	next.ServeHTTP(w, r)
}

func (f *Frame) headers(h http.Header, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "POST, GET, PUT, DELETE, PATCH, HEAD, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Origin, X-Requested-With, Content-Type, Accept, Authorization, Idempotency-Key, If-Match, X-Request-Id")
	h.Set("Access-Control-Expose-Headers", "ETag, Idempotent-Replayed, Retry-After, X-Request-Id")
}

// panicked answers for a route that broke. What was already sent cannot be taken back: the connection is cut then.
func (f *Frame) panicked(rec *recorder, r *http.Request, x *exchange, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	f.Counts.panicked()
	f.Log.Error("panic in a request", "request_id", x.id, "route", x.route, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if rec.status != 0 {
		panic(http.ErrAbortHandler)
	}
	Refuse(rec, r, fmt.Errorf("panic: %v", p))
}

// line writes the access log.
func (f *Frame) line(r *http.Request, x *exchange, rec *recorder, took time.Duration) {
	level := slog.LevelInfo
	if rec.code() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("path", shown(r.URL, x.route)), slog.Int("status", rec.code()),
		slog.Int64("bytes", rec.bytes), slog.Duration("took", took), slog.String("address", r.RemoteAddr), slog.String("request_id", x.id),
	}
	if x.customer != "" {
		attrs = append(attrs, slog.String("customer_id", x.customer))
	}
	if x.reason != "" {
		attrs = append(attrs, slog.String("reason", x.reason))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	f.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// shown returns path and query for the log. Of a path that is no route's, anything may be a credential that slipped into it.
func shown(u *url.URL, route string) string {
	if route != "" {
		return Redact(u)
	}
	parts := strings.Split(u.Path, "/")
	for i, part := range parts {
		if _, ok := wire.ParseUUID(part); !ok && len(part) >= secretLeast {
			parts[i] = "redacted"
		}
	}
	clean := *u
	clean.Path = strings.Join(parts, "/")
	return Redact(&clean)
}

// secretLeast is the length of the shortest access key.
const secretLeast = 16

// Redact returns path and query without the values of credentials. A query that cannot be read is left out.
func Redact(u *url.URL) string {
	if u.RawQuery == "" {
		return u.Path
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return u.Path + "?(unreadable)"
	}
	for name := range q {
		switch strings.ToLower(name) {
		case "accesskey", "token", "password", "secret", "authorization":
			q[name] = []string{"redacted"}
		}
	}
	return u.Path + "?" + q.Encode()
}

// NotFound refuses a route or method that does not exist.
func NotFound(w http.ResponseWriter, r *http.Request) {
	Refuse(w, r, fault.New(fault.NotFound, "ROUTE_NOT_FOUND", "the requested endpoint does not exist; /openapi.json lists those that do"))
}

// Limited refuses a client that asks too often; by says whose limit it is, ip or customer.
func Limited(w http.ResponseWriter, r *http.Request, err error, by string) {
	wait := time.Second
	if t, ok := err.(tooOften); ok {
		wait = max(wait, t.wait)
	}
	seconds := int64((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	Refuse(w, r, Detail(fault.New(fault.Exhausted, "RATE_LIMIT_EXCEEDED", "too many requests; try again in %d s", seconds),
		map[string]any{"limited_by": by}))
}

// AddressKey is the client's address, of IPv6 the network that one subscriber has.
func AddressKey(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Unmap().Is4() {
		return host
	}
	network, err := a.Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) code() int {
	if w.status == 0 {
		return http.StatusOK
	}
	return w.status
}
