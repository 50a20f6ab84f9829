// Package udp holds the sockets of media streams: pairs of an even port for RTP and the next for RTCP, read and written by raw calls that
// neither block nor allocate nor tell the scheduler. It owns the range of media ports. It starts no goroutine: Ports may be used by many, a Socket by one
// at a time.
package udp
