package server

import (
	"log/slog"
	"os"

	"parley/internal/config"
	"parley/internal/server/flood"
)

// level is the log's, of the whole process as slog's default logger is.
var level slog.LevelVar

func newLog(c config.Log) *slog.Logger {
	_ = level.UnmarshalText([]byte(c.Level)) // checked by config
	o := &slog.HandlerOptions{Level: &level}
	if c.Format == "json" {
		return slog.New(flood.New(slog.NewJSONHandler(os.Stderr, o)))
	}
	return slog.New(flood.New(slog.NewTextHandler(os.Stderr, o)))
}

// Reread takes over what next has otherwise than now and can be had while the server runs, and says in the log what that is and what
// needs a restart. It returns what the server runs with from now on.
func Reread(now, next *config.Loaded) *config.Loaded {
	changes := now.Changes(next)
	for _, c := range changes {
		if !c.Live {
			slog.Warn("setting changed: needs a restart", "key", c.Key, "runs_with", c.From, "file_says", c.To)
			continue
		}
		_ = level.UnmarshalText([]byte(next.Log.Level)) // checked by config; the only live setting
		now.Log.Level = next.Log.Level
		slog.Info("setting changed", "key", c.Key, "from", c.From, "to", c.To)
	}
	slog.Info("configuration read again", "changed", len(changes))
	return now
}
