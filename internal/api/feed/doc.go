// Package feed is the live side of the log: WebSockets and Server-Sent Events. It owns the end of the log in memory, kept by one goroutine, and
// two goroutines for each WebSocket. Each stream is a reader with a place of its own: one that is slow reads from the store, and
// one that takes nothing is disconnected and resumes by number; nobody waits for it.
package feed
