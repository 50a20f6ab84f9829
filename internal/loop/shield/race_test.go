//go:build race

package shield

// pooled is how many allocations a packet may cost in this build: the library keeps small buffers in a sync.Pool, which forgets some at random under the race
// detector.
const pooled = 1
