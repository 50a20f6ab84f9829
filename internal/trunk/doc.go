// Package trunk decides where calls out go and whether they may: it joins the records of trunks (book), the rules of routing (route) and the
// counters of the fraud guard (guard). Run is one goroutine, which keeps the minutes of the day over a restart and tells refusals to the log of
// events. Dialling, registration with trunks and the authentication of what comes in are the doors'.
//
// Whoever dials asks Plan for the ways to a destination, then for each way in turn Admit; NextHop and Failover say whether the next way is tried.
// The pass of an answered call is told so (Answered); when its Over closes, the call is to be ended; it is released when the call is over.
package trunk
