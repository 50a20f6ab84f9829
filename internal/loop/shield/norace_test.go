//go:build !race

package shield

const pooled = 0
