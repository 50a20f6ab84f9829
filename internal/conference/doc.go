// Package conference holds the rules of a conference and its participants: what each state is, which commands it accepts,
// and which events follow. Decide is a pure function from state and command to events, Apply folds events into the state.
// Nothing here starts a goroutine, reads a clock or makes an id: time and ids come in with the commands, so a replay
// gives the same result. Where state lives, who runs commands and what happens outside is package room's business.
package conference
