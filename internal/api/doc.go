// Package api is the HTTP door: the routes under /v1.0 and /v1, the event log, and the description of all this. It reads records and the log
// from the store, and asks rooms and lines for everything that is live. The frame around everything is package web, what routes have in
// common is package rest, customers and their keys are package account. It starts no goroutine but those of net/http.
package api
