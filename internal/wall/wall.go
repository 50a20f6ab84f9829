// Package wall is the clock of everything that is written down or compared with what is written down: the times of events, deadlines of
// conferences, expiry of keys and tokens, schedules of webhooks, days and hours of limits. It is package time, but in builds with the tag
// testhooks, where Shift moves it for tests from outside. What measures media, sockets and other intervals asks package time itself.
// It starts no goroutine.
package wall

import "time"

// Now returns the time. The monotonic reading is kept, so that differences are those of this clock.
func Now() time.Time { return time.Now().Add(offset()) }

// Since returns how long ago t was by this clock.
func Since(t time.Time) time.Duration { return Now().Sub(t) }

// Until returns how long it is to t by this clock.
func Until(t time.Time) time.Duration { return t.Sub(Now()) }

// NewTimer is time.NewTimer for a time of this clock. When the clock is shifted, the timer fires when its time has come by then; one that
// was reset since may fire early, and whoever waits has to look at what is due.
func NewTimer(d time.Duration) *time.Timer {
	t := time.NewTimer(d)
	watch(t, d)
	return t
}

// AfterFunc is time.AfterFunc for a time of this clock.
func AfterFunc(d time.Duration, f func()) *time.Timer {
	t := time.AfterFunc(d, f)
	watch(t, d)
	return t
}
