// Package ledger keeps the records of calls and groupcalls: it decides with their rules, and writes state and events as one change. Who owns a call or a
// groupcall has its entry; nobody else writes it while that one lives. It starts no goroutine but for the recovery.
package ledger
