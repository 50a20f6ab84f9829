// Package action holds what a flow can ask for: the types of actions and their options, read and checked. An option is data; who carries it out, and
// what follows, is decided in package run and by whoever owns the call. It starts no goroutine and keeps no state.
package action
