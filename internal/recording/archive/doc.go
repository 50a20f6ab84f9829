// Package archive serves the recordings of a node to the room and to the API: it knows which captures run, makes what a client gets first when
// one has ended, lets renditions be read by range and packed, and counts. It starts a goroutine for each rendition that somebody waits for,
// which goes on when they do not; Close ends those. How captures and renditions are kept is left to package recording, which recordings there
// are and whose to the rules.
package archive
