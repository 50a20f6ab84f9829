// Package page owns the format of a capture on disk: pages that are appended one after the other, each of which says by itself what it
// is, whose it is, where on the room's clock it stands, and whether it is whole. It starts no goroutine and opens no file: it turns
// samples and marks into bytes, and a stream of bytes, however damaged, back into pages. When pages are written is left to package
// capture, what becomes of them to package render.
//
// A page is a head of 48 bytes, little-endian, and a payload:
//
//	0  magic 89 50 4C 52      16  clock, samples at 48 kHz    36  count of samples
//	4  version 1              24  number, from 0 on           40  length of the payload
//	5  kind                   28  lane                        44  CRC-32C of bytes 0 to 43 and the payload
//	6  coding of the payload  30  0
//	7  0                      32  rate in Hz
//	8  stream: whose page it is
//
// Magic, length and checksum stand at these places in every version, so that a whole page of another version can be told from a damaged one. What a
// reader does not know it refuses; nobody may take that for damage and cut it off.
//
// Audio that nobody heard has no page. A run of samples in a page is without a hole and within a cell of the clock.
package page
