// Package catalogue describes the types of events: what each tells, the form of its data, and a sample. The table is in table.go, one entry for
// a type; forms are those of openapi.yaml. It starts no goroutine and keeps nothing.
package catalogue
