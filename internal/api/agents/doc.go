// Package agents is the routes of agents: those of administrators below /agents, and what agents may do themselves, below /me and /service_agents.
// It reads calls, extensions and the customer for them. It starts no goroutine.
package agents
