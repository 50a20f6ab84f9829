package sqlite

import (
	"sync"
	"testing"

	"parley/internal/store"
	"parley/internal/store/storetest"
)

// suiteOpener opens one folder for each test, again where the test asks again.
func suiteOpener(opts options) func(*testing.T) store.Store {
	var mu sync.Mutex
	dirs := map[string]string{}
	return func(t *testing.T) store.Store {
		mu.Lock()
		defer mu.Unlock()
		if dirs[t.Name()] == "" {
			dirs[t.Name()] = t.TempDir()
		}
		return openTest(t, dirs[t.Name()], opts)
	}
}

// openTest opens a store that is closed when t ends, unless it was before.
func openTest(t testing.TB, dir string, opts options) *Store {
	t.Helper()
	s, err := open(t.Context(), dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSuite(t *testing.T) {
	storetest.Run(t, suiteOpener(defaults))
}

// TestSuiteNarrow runs the suite where everything has to wait: one place in the queue, groups of one, one reader.
func TestSuiteNarrow(t *testing.T) {
	opts := defaults
	opts.queue, opts.group, opts.readers = 1, 1, 1
	storetest.Run(t, suiteOpener(opts))
}
