//go:build testhooks

package wall

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestShift: a shift brings forward what is due by then, leaves the rest, and fires nothing twice.
func TestShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		defer Shift(0)
		real, fired := time.Now(), make(chan string, 8)
		hour, day := NewTimer(time.Hour), NewTimer(24*time.Hour)
		stopped := AfterFunc(time.Minute, func() { fired <- "stopped" })
		AfterFunc(30*time.Minute, func() { fired <- "half" })
		stopped.Stop()
		Shift(time.Hour)
		synctest.Wait()
		if got := Since(real); got != time.Hour {
			t.Errorf("an hour ago is %v ago", got)
		}
		if got := Until(real.Add(3 * time.Hour)); got != 2*time.Hour {
			t.Errorf("in two hours is in %v", got)
		}
		if got := <-fired; got != "half" || len(fired) != 0 {
			t.Errorf("fired: %s and %d more", got, len(fired))
		}
		<-hour.C
		if time.Since(real) != 0 {
			t.Errorf("the hour took %v", time.Since(real))
		}
		Shift(2 * time.Hour)
		synctest.Wait()
		if len(fired) != 0 {
			t.Error("fired twice")
		}
		<-day.C
		if got := time.Since(real); got != 22*time.Hour {
			t.Errorf("a day after two hours of shift took %v", got)
		}
	})
}
