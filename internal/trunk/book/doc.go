// Package book keeps the records of trunks and their events in the store, and every trunk in memory for whoever routes calls. It starts no
// goroutine. Which trunks may be made, and what goes over them, is decided elsewhere.
package book
