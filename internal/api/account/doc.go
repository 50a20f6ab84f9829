// Package account keeps what the API knows about who may use it: customers, their access keys, and their extensions, the names that phones register
// with. It owns these records and their events, checks access keys, and makes the first customer. It starts no goroutine; routes and HTTP are
// the business of package api.
package account
