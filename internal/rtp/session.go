// Package rtp is the audio session of one SIP leg without its sockets: packets in, frames out; payloads in, packets out;
// RTCP, telephone events, statistics and the rule which addresses are believed (symmetric RTP with a latch). A Session belongs to the
// media loop that visits it: no method blocks, locks, logs or, once configured, allocates.
package rtp
