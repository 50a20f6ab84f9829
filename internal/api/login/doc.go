// Package login is how agents prove who they are: their passwords, and the tokens that they get for them. It keeps no sessions: a token says whose it
// is and until when, is signed, and is compared with the agent's record each time. It starts no goroutine.
package login
