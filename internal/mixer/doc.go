// Package mixer mixes rooms of ports: every 20 ms it pulls a frame from each source, sums the audible ones once in 32 bits, gives
// each of them the sum without its own voice and all others one shared mix, and has every distinct mix encoded once per codec. Taps
// copy, players add. A Room belongs to the media loop that ticks it; nothing here blocks, locks, logs or allocates per tick.
package mixer
