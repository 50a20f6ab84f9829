// Package capture owns the captures of live rooms: it takes what the media loop shows it, through a ring on which the loop never waits,
// and appends it as pages to a file that is synced every 100 ms of the room's clock. It starts one goroutine for each capture, which ends
// with it. After a crash Recover ends what was not ended. What is made of a capture is left to package render, what becomes of its file
// to whoever started it.
package capture
