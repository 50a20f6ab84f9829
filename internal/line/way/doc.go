// Package way finds where calls that come in go: by the id of a conference, its alias or number, or a direct hash, which also flows have. It counts who
// guesses hashes. It starts no goroutine and writes nothing.
package way
