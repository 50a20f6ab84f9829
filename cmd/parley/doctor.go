package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"parley/cmd/parley/remote"
	"parley/internal/server/doctor"
)

type doctorCommand struct {
	settings
	Key     string `help:"Access key, for what only the API tells." env:"PARLEY_ACCESS_KEY"`
	KeyFile string `help:"File with the access key; unset: access-key in the data folder." placeholder:"FILE"`
	JSON    bool   `name:"json" help:"Print a JSON list."`
}

// errUnwell is the exit code 1; what is wrong has been printed.
var errUnwell = errors.New("something does not work: see the lines with fail")

// Run prints a line for each check.
func (c *doctorCommand) Run() error {
	l, err := c.load()
	if err != nil {
		return err
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(l.Data, "access-key")
	}
	key, _ := (&remote.Client{Key: c.Key, KeyFile: c.KeyFile}).AccessKey() // none is a finding
	found := doctor.Examine(context.Background(), l.Config, key)
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		for _, f := range found {
			fmt.Fprintf(w, "%s\t%s\t%s\n", f.Level, f.Check, f.Text)
			if f.Do != "" {
				fmt.Fprintf(w, "\t\t-> %s\n", f.Do)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if doctor.Worst(found) == doctor.Fail {
		return errUnwell
	}
	return nil
}
