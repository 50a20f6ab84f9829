// Package doctor looks at a configuration, the machine it is for, and the server that runs with it, and says what is well, what is doubtful,
// what cannot work, and what to do. It changes nothing but for a file of its own in the data folder, which it removes, and starts no
// goroutine; what a server knows of itself it asks over HTTP.
package doctor

import (
	"context"
	"fmt"

	"parley/internal/config"
)

// Level is how bad a finding is.
type Level string

// The levels. Fail means that the server will not start, or will not do what it is configured for.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line: what was looked at, how it is, and what to do where it is not well.
type Finding struct {
	Level Level  `json:"level"`
	Check string `json:"check"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"`
}

// visit is one examination.
type visit struct {
	c     config.Config
	key   string
	proc  string // where the kernel tells of itself: /proc
	found []Finding
}

// Examine makes every check; key is an access key for what only the API tells, "" leaves that out. It takes a few seconds at most.
func Examine(ctx context.Context, c config.Config, key string) []Finding {
	v := &visit{c: c, key: key, proc: "/proc"}
	v.folder()
	v.addresses()
	v.reach()
	v.mediaPorts()
	v.limits()
	v.clock()
	v.voices()
	v.certificate()
	v.server(ctx)
	return v.found
}

// Worst is the worst level of the findings.
func Worst(found []Finding) Level {
	worst := OK
	for _, f := range found {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

func (v *visit) ok(check, format string, args ...any) {
	v.found = append(v.found, Finding{OK, check, fmt.Sprintf(format, args...), ""})
}

func (v *visit) warn(check, do, format string, args ...any) {
	v.found = append(v.found, Finding{Warn, check, fmt.Sprintf(format, args...), do})
}

func (v *visit) fail(check, do, format string, args ...any) {
	v.found = append(v.found, Finding{Fail, check, fmt.Sprintf(format, args...), do})
}
