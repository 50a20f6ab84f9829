//go:build testhooks

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"parley/cmd/parley/remote"
	"parley/internal/wall"
)

// lookEvery is how often the file is looked at.
const lookEvery = 250 * time.Millisecond

// testClock shifts the clock of the server from outside.
type testClock struct {
	TestClockOffsetFile string `help:"File that says how far the clock is ahead: a time as 1h30m, or seconds. Looked at four times a second; no file: not at all. For tests; only in builds with the tag testhooks." type:"path" placeholder:"FILE"`
}

// follow shifts the clock to what the file says now, and whenever it says something else until ctx ends. What cannot be understood is an
// error at the start; later it is logged and changes nothing.
func (c testClock) follow(ctx context.Context) error {
	if c.TestClockOffsetFile == "" {
		return nil
	}
	last, err := readOffset(c.TestClockOffsetFile)
	if err != nil {
		return remote.UsageError(err)
	}
	wall.Shift(last)
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		said := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			by, err := readOffset(c.TestClockOffsetFile)
			switch {
			case err != nil && err.Error() != said:
				said = err.Error()
				slog.Warn("the clock stays where it is", "error", err)
			case err == nil && by != last:
				slog.Warn("the clock is shifted", "from", last, "to", by)
				last = by
				wall.Shift(by)
			}
		}
	}()
	return nil
}

func readOffset(file string) (time.Duration, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the offset of the clock: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return 0, nil
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > -1e9 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	by, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s says %q: want a time as 1h30m, or seconds", file, text)
	}
	return by, nil
}
