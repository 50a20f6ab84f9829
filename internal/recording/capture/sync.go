package capture

import "time"

// syncer syncs a file beside its writer: what a slow disk has not taken yet is lost with the power, but not with the program.
type syncer struct {
	dirty  chan struct{} // there is something to sync
	quit   chan struct{}
	ended  chan struct{}
	failed chan error // the disk refused for too long; the syncer has ended
}

// syncEvery is the least time from sync to sync.
const syncEvery = 100 * time.Millisecond

func newSyncer() syncer {
	return syncer{dirty: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}), failed: make(chan error, 1)}
}

// wake says that there is something to sync.
func (s syncer) wake() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// end waits for the last sync. It is called once.
func (s syncer) end() {
	close(s.quit)
	<-s.ended
}

// syncs is the syncer's goroutine.
func (s syncer) syncs(f *file, patience time.Duration) {
	defer close(s.ended)
	var trouble time.Time // when the disk began to refuse
	for {
		select {
		case <-s.dirty:
		case <-s.quit:
			return
		}
		err := f.sync()
		switch {
		case err == nil:
			trouble = time.Time{}
		case trouble.IsZero():
			trouble = time.Now()
		case time.Since(trouble) >= patience:
			s.failed <- err
			return
		}
		if err != nil {
			s.wake()
		}
		select {
		case <-time.After(syncEvery):
		case <-s.quit:
			return
		}
	}
}
