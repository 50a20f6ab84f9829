//go:build !testhooks

package wall

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestReal: without the tag this is package time.
func TestReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := Now()
		if !at.Equal(time.Now()) {
			t.Errorf("%v is not now", at)
		}
		<-NewTimer(time.Hour).C
		done := make(chan bool)
		AfterFunc(time.Hour, func() { close(done) })
		<-done
		if Since(at) != 2*time.Hour || Until(at) != -2*time.Hour {
			t.Errorf("two hours took %v, %v", Since(at), Until(at))
		}
	})
}
