// Package arch guards the shape of the repository: which package may import which, how large files, functions, interfaces and packages may
// grow, that every package says what it owns, and which words do not occur. It holds tests only.
package arch
