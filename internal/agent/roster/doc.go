// Package roster keeps the agents of customers: their records, names and events, one transaction for each change. A Follower reads the log, in one
// goroutine that its caller lends, and writes what calls make of the status of agents. Passwords come hashed; routes and tokens are the API's.
package roster
