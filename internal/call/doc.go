// Package call holds the rules of a call: one SIP, phone or WebRTC leg with its states, hangup reasons and address forms. Decide is a
// pure function from call and command to events, Apply folds events into the call; nothing here starts a goroutine, reads a clock or
// makes an id. Who runs a call, and what happens on the line, is package line's business.
package call
