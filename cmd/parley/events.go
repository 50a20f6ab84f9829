package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"parley/cmd/parley/remote"
)

type eventsCommand struct {
	Tail tailCommand `cmd:"" help:"Print the log as it grows, one JSON object a line."`
}

// selection are the flags that say which entries are wanted.
type selection struct {
	After      int64    `help:"Begin after this number; -1: with what happens now." default:"-1"`
	Conference string   `help:"Only this conference." placeholder:"ID"`
	Type       []string `help:"Only these types; a * at the end stands for anything." placeholder:"TYPE"`
}

func (s *selection) query() url.Values {
	q := url.Values{"type": s.Type}
	if s.Conference != "" {
		q.Set("conference_id", s.Conference)
	}
	return q
}

type tailCommand struct {
	remote.Client
	selection
}

// Run prints until it is interrupted.
func (c *tailCommand) Run() error {
	ctx, stop := untilStopped()
	defer stop()
	return c.Follow(ctx, c.After, c.query(), func(e remote.Streamed) error {
		_, err := os.Stdout.Write(append(e.Text, '\n'))
		return err
	})
}

type listenCommand struct {
	remote.Client
	selection
	ForwardTo string `help:"URL that gets each entry, as a webhook would." required:"" placeholder:"URL"`
	Secret    string `help:"Secret to sign with, whsec_…; none: unsigned." placeholder:"SECRET"`
}

// Run forwards until it is interrupted. What the receiver does not take is reported and not tried again.
func (c *listenCommand) Run() error {
	if err := checkURL("--forward-to", c.ForwardTo); err != nil {
		return err
	}
	ctx, stop := untilStopped()
	defer stop()
	fmt.Fprintf(os.Stderr, "parley: forwarding to %s\n", c.ForwardTo)
	return c.Follow(ctx, c.After, c.query(), func(e remote.Streamed) error {
		status, err := post(ctx, c.ForwardTo, c.Secret, e.ID, e.Text)
		if err != nil {
			status = err.Error()
		}
		fmt.Printf("%d %s %s\n", e.Seq, e.Type, status)
		return nil
	})
}

type resendCommand struct {
	remote.Client
	Webhook string `arg:"" help:"Id of the webhook."`
	Event   string `help:"Id of the event to deliver again." placeholder:"ID" xor:"what" required:""`
	After   *int64 `help:"Deliver everything after this number of the log again." placeholder:"SEQ" xor:"what" required:""`
}

// Run asks for the redelivery.
func (c *resendCommand) Run() error {
	body := map[string]any{}
	if c.Event != "" {
		body["event_id"] = c.Event
	} else {
		body["after"] = c.After
	}
	r, err := c.Request(context.Background(), http.MethodPost, "/webhooks/"+url.PathEscape(c.Webhook)+"/redeliver", body)
	if err != nil {
		return err
	}
	res, err := remote.Send(r)
	if err != nil {
		return err
	}
	fmt.Println("on their way")
	return res.Body.Close()
}
