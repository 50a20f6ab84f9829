// Package tape holds the rules of one recording, of a conference or of a call: its record, the steps of its life, and how the API writes it. It is
// pure: no goroutine, no clock, no ids. Which recording may start, and what ends with it, is for the rules of the conference and for the call.
package tape
