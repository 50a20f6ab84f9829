// Package mixer mixes rooms of ports: every 20 ms it pulls a frame from each leg, sums the audible ones once in 32 bits, gives
// each of them the sum without its own voice and all others one shared mix, and has every distinct mix encoded once per codec. Taps
// copy, players add. It owns encoders, resamplers and talk detection; legs own sockets, jitter buffers and decoders. It starts no goroutine:
// a Room belongs to the media loop that ticks it, and nothing in a tick blocks, locks, logs or, in a steady state, allocates.
package mixer
