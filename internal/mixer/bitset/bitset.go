// Package bitset is sets of small numbers. It is arithmetic and belongs to whoever calls it.
package bitset

// Set is a set of slots, 64 in a word. What lies beyond its end is not in it.
type Set []uint64

// Has reports whether a slot is in the set.
func (b Set) Has(slot int) bool { return slot/64 < len(b) && b[slot/64]>>(slot%64)&1 != 0 }

// Word returns 64 slots.
func (b Set) Word(i int) uint64 {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// Put puts a slot in or out. It allocates only to grow.
func (b *Set) Put(slot int, on bool) {
	at, bit := slot/64, uint64(1)<<(slot%64)
	switch {
	case on:
		if at >= len(*b) {
			*b = append(*b, make(Set, at+1-len(*b))...)
		}
		(*b)[at] |= bit
	case at < len(*b):
		(*b)[at] &^= bit
	}
}
