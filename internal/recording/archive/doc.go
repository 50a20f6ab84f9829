// Package archive owns the folder of all recordings: it starts captures in it, makes renditions of those that have ended and keeps what
// it made, a file each beside the capture, so that nothing is made twice. It starts no goroutine but those of captures. Which recordings
// there are, and whose they are, is left to package room and the API.
package archive
