// Package render owns what is made of a capture: the mix as an ordinary listener heard it, stereo, a channel for each lane, or one
// participant, as WAV or Ogg Opus; the waveform's peaks; and the manifest that says what is in it and what is missing. It reads a capture
// twice from the begin to the end and keeps 60 ms of it in memory, so that a day costs no more than a minute. It starts no goroutine.
// Where renditions are kept is left to package recording.
package render
