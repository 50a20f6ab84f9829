// Package route says where a call out goes: which forms of destinations can be dialled, over which trunks and in which order, which failures
// go on to the next one, which destinations are allowed at all, and whose trunk an incoming address belongs to. Everything here is a function of
// its arguments; records and limits are its neighbours' business.
package route
