// Package endpoint keeps the endpoints of webhooks: who wants which events where, signed with which secrets. It owns their records and events
// in the store and starts no goroutine; deliveries are package webhook's.
package endpoint
