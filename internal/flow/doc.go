// Package flow holds the scripts that calls run: flows and their actions as data, how documents are read and refused with the place of what is
// wrong in them, and the rules of a flow as a resource. Below it, action has the options, run walks through a flow, active records one run. It
// is pure: values in, values out; no goroutine, no clock, no ids of its own.
package flow
