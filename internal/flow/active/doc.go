// Package active holds the record of one run of a flow: who runs it on what, how far it is, how it ended. Decide is a pure function from record and command
// to the changed record; the run itself is package run's. No goroutine, no clock, no ids of its own.
package active
