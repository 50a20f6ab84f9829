// Package jitter puts the packets of one RTP stream back in order and says which one is due at a given time. It adapts its
// depth to what it measures, comes back after a stall, and names losses so that the codec can conceal them. A Buffer belongs
// to one goroutine, receives time as values and never allocates after construction.
package jitter
