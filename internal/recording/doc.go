// Package recording owns the recordings of a node from the capture of a live room to the files that are downloaded: it starts captures, ends
// what a crash left open, makes renditions once and keeps them in blob, and takes all of it away again. It starts no goroutine but those of
// captures (see package capture); renditions are made one after the other by whoever asks, because media comes first. What may be recorded, who
// may hear it, and what is told about it is left to the rules, the room and the API.
package recording
