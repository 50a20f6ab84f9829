package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"

	"parley/cmd/parley/remote"
	"parley/internal/api/catalogue"
	"parley/internal/webhook"
	"parley/internal/webhook/endpoint"
)

type triggerCommand struct {
	Type     string `arg:"" help:"Type of the event; GET /event_types lists all." placeholder:"TYPE"`
	To       string `help:"URL that gets it; no server is needed." placeholder:"URL" xor:"where" required:""`
	Endpoint string `help:"Id of a webhook of a running server that gets it, signed with its secret." placeholder:"ID" xor:"where" required:""`
	Secret   string `help:"Secret to sign with, for --to; none: one is made and printed." placeholder:"SECRET"`
	remote.Client
}

// Run sends one event that never happened.
func (c *triggerCommand) Run() error {
	e, err := catalogue.Find(c.Type)
	if err != nil {
		return remote.UsageError(err)
	}
	if c.Endpoint != "" {
		return c.ask()
	}
	if err := checkURL("--to", c.To); err != nil {
		return err
	}
	if c.Secret == "" {
		c.Secret = endpoint.NewSecret()
		fmt.Fprintf(os.Stderr, "parley: signed with %s\n", c.Secret)
	}
	sample, err := e.Sample(time.Now())
	if err != nil {
		return err
	}
	sample.ID = uuid.NewString()
	text, err := json.Marshal(sample)
	if err != nil {
		return err
	}
	status, err := post(context.Background(), c.To, c.Secret, sample.ID, text)
	if err != nil {
		return err
	}
	fmt.Println(c.Type, status)
	return nil
}

// ask lets the server send it.
func (c *triggerCommand) ask() error {
	r, err := c.Request(context.Background(), http.MethodPost, "/webhooks/"+url.PathEscape(c.Endpoint)+"/test", map[string]string{"type": c.Type})
	if err != nil {
		return err
	}
	res, err := remote.Send(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var tried struct {
		Answer struct {
			Status int
			Error  string
		}
	}
	text, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(text, &tried)
	}
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if tried.Answer.Error != "" {
		return fmt.Errorf("the webhook did not take it: %s", tried.Answer.Error)
	}
	fmt.Println(c.Type, tried.Answer.Status)
	return nil
}

func checkURL(flag, text string) error {
	if u, err := url.Parse(text); err != nil || u.Host == "" {
		return remote.UsageError(fmt.Errorf("%s: want a URL, for example http://127.0.0.1:3000/hook", flag))
	}
	return nil
}

// post sends a body to a receiver as a webhook would; an empty secret leaves it unsigned.
func post(ctx context.Context, to, secret, id string, body []byte) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/json")
	var secrets []string
	if secret != "" {
		secrets = []string{secret}
	}
	if err := webhook.Sign(r.Header, secrets, id, time.Now(), body); err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	return res.Status, res.Body.Close()
}
