// Package web is the HTTP frame around every route of the API: request ids, CORS, limits of size, time and rate, refusals as bodies that
// satisfy RFC 9457 and VoIPBIN at once, JSON bodies, page tokens, the access log and counters. It knows no resource and starts no goroutine;
// what a route does, and who may do it, is the business of package api.
package web
