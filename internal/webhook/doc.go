// Package webhook brings every event of the log to the endpoints that want it: signed, in order per conference, tried for days, kept when
// nobody takes it. It owns the records of deliveries, the state of endpoints, and its readers' cursors. A Dispatcher runs one goroutine
// that follows the endpoints, one for each enabled endpoint, and for each of those a bounded number that post. The endpoints
// themselves are package endpoint's, which addresses may be called is package target's, and routes are the API's.
package webhook
