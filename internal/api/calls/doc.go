// Package calls is the routes of calls and groupcalls: to place them, to control them while they live, to read, end and delete them. What a call
// does is package line's business, which destinations may be called package trunk's; here is only how it is asked for. It starts no goroutine.
package calls
