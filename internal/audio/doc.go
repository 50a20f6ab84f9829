// Package audio is arithmetic on PCM: frames of mono 16-bit samples of 20 ms, their sums, levels, limits, resampling,
// tones, talk detection and WAV. Everything is a value or a plain struct that belongs to one goroutine; nothing here reads a clock or allocates per frame.
package audio
