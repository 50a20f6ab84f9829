// Package rest is what the routes of the API have in common: who asks, whether a request is a repetition, whether the resource still is as the
// client knows it, whose records are whose, lists and answers. The routes themselves are in the packages of their resources. It starts no
// goroutine.
package rest
