// Package flows is the part of the API that flows and their runs are made, read and tried with. It starts no goroutine; running a flow on a call is not
// its business.
package flows
