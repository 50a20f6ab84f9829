// Package parley holds what the binary carries of the repository's root: the description of the API and the list of its refusals. Everything
// else is in internal.
package parley

import _ "embed"

// OpenAPI is the description of the HTTP API, YAML, OpenAPI 3.1.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Errors is docs/errors.md, the list of reasons that refusals have.
//
//go:embed docs/errors.md
var Errors []byte
