package sqlite

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childDir names the data folder when this test binary runs as the process that gets killed.
const childDir = "PARLEY_STORE_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}
