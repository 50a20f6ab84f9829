// Package capture owns the captures of live rooms: it takes what the media loop shows it, through a ring on which the loop never waits,
// and appends it as pages to a file every 60 ms of the room's clock, which is synced every 100 ms. It starts two goroutines for each capture,
// one that writes and one that syncs, because a program that is killed loses only what is not written; they end with it. After a crash Recover ends what was not ended. What is made of a capture is left to package render, what becomes of its file
// to whoever started it.
package capture
