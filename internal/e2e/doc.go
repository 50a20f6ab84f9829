// Package e2e runs the built server with real phones: baresip, SIPp and curl as a user would. It holds tests only.
package e2e
