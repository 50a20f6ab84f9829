package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/internal/store"
)

// report adds the 50th and 99th percentile of the times to b.
func report(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	ms := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.50), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
}

// fillStore appends n conferences.
func fillStore(b *testing.B, s *Store, n int) (last *store.Change) {
	b.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 100 {
		wg.Go(func() {
			for range n / 100 {
				c := change()
				if err := s.Append(context.Background(), c); err != nil {
					b.Error(err)
				}
				mu.Lock()
				last = c
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return last
}

// benchmarkAppend appends from some goroutines to a store that already holds 10,000 conferences.
func benchmarkAppend(b *testing.B, writers int) {
	s := openTest(b, b.TempDir(), defaults)
	fillStore(b, s, 10_000)
	times := make([]time.Duration, b.N)
	next := make(chan int, b.N)
	for i := range b.N {
		next <- i
	}
	close(next)
	before := s.Stats()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range next {
				began := time.Now()
				if err := s.Append(context.Background(), change()); err != nil {
					b.Error(err)
				}
				times[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	report(b, times)
	st := s.Stats()
	b.ReportMetric(float64(st.Appends-before.Appends)/float64(st.Batches-before.Batches), "changes/commit")
}

func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) { benchmarkAppend(b, writers) })
	}
}

// BenchmarkAppendPaced appends 200 changes in each second, each in a goroutine of its own as requests come.
func BenchmarkAppendPaced(b *testing.B) {
	s := openTest(b, b.TempDir(), defaults)
	fillStore(b, s, 10_000)
	times := make([]time.Duration, b.N)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range b.N {
		<-tick.C
		wg.Go(func() {
			began := time.Now()
			if err := s.Append(context.Background(), change()); err != nil {
				b.Error(err)
			}
			times[i] = time.Since(began)
		})
	}
	wg.Wait()
	b.StopTimer()
	report(b, times)
}

func BenchmarkRead(b *testing.B) {
	s := openTest(b, b.TempDir(), defaults)
	last := fillStore(b, s, 10_000).Records[0]
	ctx := context.Background()
	at := last.Created
	reads := map[string]func() (int, error){
		"Get": func() (int, error) {
			_, err := s.Get(ctx, store.Conference, last.ID)
			return 1, err
		},
		"List100": func() (int, error) {
			r, err := s.List(ctx, store.Query{Kind: store.Conference, CustomerID: "customer", Limit: 100})
			return len(r), err
		},
		"List100Middle": func() (int, error) {
			q := store.Query{Kind: store.Conference, CustomerID: "customer", Limit: 100, Before: store.Cursor{Created: at, ID: last.ID}}
			_, err := s.List(ctx, q)
			return 1, err
		},
		"ListRareStatus": func() (int, error) {
			_, err := s.List(ctx, store.Query{Kind: store.Conference, CustomerID: "customer", Status: []string{"rare"}, Limit: 100})
			return 1, err
		},
		"DueNone": func() (int, error) {
			_, err := s.Due(ctx, store.Conference, at, 100)
			return 1, err
		},
		"Events100": func() (int, error) {
			r, _, err := s.Events(ctx, store.LogQuery{After: 9000, Types: []string{"conference_*"}, Limit: 100})
			return len(r), err
		},
		"EventsOfOne": func() (int, error) {
			r, _, err := s.Events(ctx, store.LogQuery{Conference: last.ID, Limit: 100})
			return len(r), err
		},
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n, err := read(); err != nil || n == 0 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a folder with 10,000 conferences and reads all that are live, as a start does.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := openTest(b, dir, defaults)
	fillStore(b, s, 10_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var opening, reading time.Duration
	for b.Loop() {
		began := time.Now()
		s, err := Open(context.Background(), dir)
		if err != nil {
			b.Fatal(err)
		}
		opening += time.Since(began)
		began = time.Now()
		q, n := store.Query{Kind: store.Conference, Live: true, Limit: 1000}, 0
		for {
			page, err := s.List(context.Background(), q)
			if err != nil {
				b.Fatal(err)
			}
			n += len(page)
			if len(page) < q.Limit {
				break
			}
			q.Before = store.Cursor{Created: page[len(page)-1].Created, ID: page[len(page)-1].ID}
		}
		reading += time.Since(began)
		if n != 10_000 {
			b.Fatalf("%d live conferences", n)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(opening.Milliseconds())/float64(b.N), "open-ms")
	b.ReportMetric(float64(reading.Milliseconds())/float64(b.N), "live-ms")
}
