// Package group holds the rules of a groupcall: several destinations that are dialled for one answer, all at once or one after the other.
// Decide is a pure function from groupcall and command to events, Apply folds events into the groupcall; Dial and Surplus say what is to be
// done next. Nothing here starts a goroutine, reads a clock or makes an id. Who dials and hangs up is package line's business.
package group
