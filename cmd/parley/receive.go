package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"parley/cmd/parley/remote"
)

type receiveCommand struct {
	Address string `arg:"" help:"Where to listen." default:"127.0.0.1:3000" placeholder:"ADDR"`
	Secret  string `help:"Secret of the webhook, whsec_…; what it did not sign is refused. None: everything is taken." env:"PARLEY_WEBHOOK_SECRET" placeholder:"SECRET"`
	Count   int    `help:"End after so many events." placeholder:"N"`
}

// Run takes what webhooks bring and prints one line for each, until it is interrupted.
func (c *receiveCommand) Run() error {
	var verify *standardwebhooks.Webhook
	if c.Secret != "" {
		var err error
		if verify, err = standardwebhooks.NewWebhook(c.Secret); err != nil {
			return remote.UsageError(fmt.Errorf("--secret: %w", err))
		}
	}
	l, err := net.Listen("tcp", c.Address)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "parley: receiving at http://%s/\n", l.Addr())
	ctx, stop := untilStopped()
	defer stop()
	taken := make(chan string)
	s := &http.Server{ReadTimeout: 15 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		line, err := received(verify, w, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			line = "refused: " + err.Error()
		}
		select {
		case taken <- line:
		case <-ctx.Done():
		}
	})}
	context.AfterFunc(ctx, func() { _ = s.Shutdown(context.Background()) })
	go func() {
		for n := 1; ; n++ {
			fmt.Println(<-taken)
			if n == c.Count {
				stop()
			}
		}
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// received returns a request in a line: number, type, id.
func received(verify *standardwebhooks.Webhook, w http.ResponseWriter, r *http.Request) (string, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
	if err != nil {
		return "", err
	}
	if verify != nil {
		if err := verify.Verify(body, r.Header); err != nil {
			return "", err
		}
	}
	var e remote.Streamed
	if err := json.Unmarshal(body, &e); err != nil {
		return "", fmt.Errorf("read body: %w", err)
	}
	return fmt.Sprint(e.Seq, " ", e.Type, " ", e.ID), nil
}
