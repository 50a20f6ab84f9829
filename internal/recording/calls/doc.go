// Package calls records single calls: the caller's voice in the lane "in", what is played to the caller in the lane "out", wherever the call is heard
// just now. It keeps the records and events of such recordings, one active at a time for each call, and ends those that a crash left open. It starts a
// goroutine for each recording (package deck) and one more while silence or a key may end it; Close ends them. What a call is, and its own record and
// events, is left to whoever runs it.
//
// A line starts a recording with Desk.Start, tells it with Recording.Switch in which room the call is heard, and again when it moves; it stops it with
// Desk.Stop, at the latest when the call ends. A recording may end by itself: Recording.Stopped tells.
package calls
