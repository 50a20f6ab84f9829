// Package deck runs recordings: it shows captures what becomes of participants, and brings each recording to its end, with a goroutine for each that
// waits for the end of its capture, has the file made, and has both written down. Close ends those. What may be recorded, and how
// that is written down, is left to whoever the recording is of: a room or a call.
package deck
