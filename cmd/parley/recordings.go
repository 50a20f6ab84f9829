package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"text/tabwriter"
	"time"

	"parley/internal/recording/capture"
	"parley/internal/recording/render"
	"parley/internal/server"
)

type recordingsCommand struct {
	List   listRecordings  `cmd:"" help:"List the captures in the data folder, whether or not the database knows them."`
	Export exportRecording `cmd:"" help:"Make a file of a capture in the data folder, without the server and its database."`
}

type listRecordings struct{ settings }

// Run prints a line for each capture.
func (c *listRecordings) Run() error {
	l, err := c.load()
	if err != nil {
		return err
	}
	key, err := server.CaptureKey(&l.Config)
	if err != nil {
		return err
	}
	dir := filepath.Join(l.Data, "recordings")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list captures: %w", err)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECORDING\tSTARTED\tLENGTH\tEND\tTRACKS\tDAMAGED")
	var problems []error
	for _, e := range entries {
		if e.IsDir() {
			problems = append(problems, listOne(w, dir, e.Name(), key))
		}
	}
	return errors.Join(append(problems, w.Flush())...)
}

func listOne(w *tabwriter.Writer, dir, id string, key []byte) error {
	r, err := render.Open(capture.Path(dir, id), id, key)
	if err != nil {
		return err
	}
	defer r.Close()
	m := r.Manifest()
	end := m.Reason
	if end == "" {
		end = "runs, or died"
	}
	_, err = fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%d\t%d\n", id, m.StartedAt.UTC().Format(time.RFC3339), r.Length().Round(time.Second), end, len(m.Tracks), len(m.Damages))
	return err
}

type exportRecording struct {
	settings
	ID        string `arg:"" help:"Of the recording."`
	Rendition string `help:"mix, stereo, channels, or participant." default:"mix"`
	Track     string `help:"Whose voice, with --rendition=participant: a conferencecall id, or in or out of a call."`
	Format    string `help:"wav or ogg." default:"wav"`
	Out       string `help:"File to write." required:"" type:"path" placeholder:"FILE"`
}

// Run writes the file. What is damaged is left out and told of.
func (c *exportRecording) Run() error {
	l, err := c.load()
	if err != nil {
		return err
	}
	key, err := server.CaptureKey(&l.Config)
	if err != nil {
		return err
	}
	r, err := render.Open(capture.Path(filepath.Join(l.Data, "recordings"), filepath.Base(c.ID)), filepath.Base(c.ID), key)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w := bufio.NewWriter(f)
	made, err := r.Render(ctx, w, render.Rendition{Kind: c.Rendition, Tag: c.Track, Format: c.Format})
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(c.Out))
	}
	for _, d := range r.Manifest().Damages {
		fmt.Fprintf(os.Stderr, "damaged: %d bytes at %d, between %d and %d ms\n", d.Bytes, d.Offset, d.From.Position, d.To.Position)
	}
	_, err = fmt.Printf("%s: %v of %s, %d bytes\n", c.Out, made.Duration.Round(time.Millisecond), made.Kind, made.Size)
	return err
}
