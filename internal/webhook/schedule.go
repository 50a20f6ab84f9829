package webhook

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// DefaultSchedule says how long to wait before each attempt.
var DefaultSchedule = []time.Duration{
	0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// waitMax is the longest wait that an endpoint may ask for.
const waitMax = 24 * time.Hour

// wait returns how long to wait after so many attempts, give or take a tenth, and not less than the endpoint asks for; ok is false when there is no
// further attempt.
func wait(schedule []time.Duration, attempts int, asked time.Duration) (d time.Duration, ok bool) {
	if attempts >= len(schedule) {
		return 0, false
	}
	d = schedule[attempts]
	d += time.Duration(float64(d) * (rand.Float64()*0.2 - 0.1))
	return max(d, min(asked, waitMax)), true
}

// retryAfter reads the header (RFC 9110 section 10.2.3), 0 when there is none that can be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(max(0, min(seconds, int64(waitMax/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
