// Package flows is the part of the API that flows and their runs are made, read, tried, started and stopped with. It starts no goroutine; who
// performs a run is behind Runs.
package flows
