package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"parley/cmd/parley/remote"
	"parley/internal/bench"
)

type benchCommand struct {
	Suite suiteCommand `cmd:"" help:"Start a server of its own and print the figures that the README quotes."`
	Churn churnCommand `cmd:"" help:"Start servers of its own and load them with calls of one second."`
	Calls callsCommand `cmd:"" help:"Load a running server on this machine with calls."`
}

type churnCommand struct {
	Rates []int         `help:"Calls a second, one run of a new server for each." default:"125,200,250,300"`
	Rooms int           `help:"Conferences that the calls are dealt to." default:"1"`
	Time  time.Duration `help:"How long calls are placed." default:"12s"`
	Serve string        `help:"The binary to measure; default: this one."`
}

// Run measures calls of one second.
func (c churnCommand) Run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return bench.Suite{Binary: cmp.Or(c.Serve, self), Time: c.Time, Out: os.Stdout, Logs: true}.Churn(ctx, c.Rates, c.Rooms)
}

type suiteCommand struct {
	Time time.Duration `help:"Length of each measurement of calls." default:"15s"`
}

// Run runs the suite with this binary.
func (c suiteCommand) Run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return bench.Suite{Binary: self, Time: c.Time, Out: os.Stdout}.Run(ctx)
}

type callsCommand struct {
	SIP     string        `name:"sip" help:"SIP address of the server." default:"127.0.0.1:5060"`
	Rooms   string        `help:"Conference ids, separated by commas." required:""`
	Count   int           `help:"Number of calls." default:"10"`
	Talkers int           `help:"How many talk in each conference; -1: all." default:"3"`
	Rate    int           `help:"Calls placed per second." default:"40"`
	Time    time.Duration `help:"Length of the measurement." default:"15s"`
	PID     int           `name:"pid" help:"Process id of the server." required:""`
}

// Run loads the server and prints the report.
func (c callsCommand) Run() error {
	at, err := netip.ParseAddrPort(c.SIP)
	if err != nil {
		return remote.UsageError(fmt.Errorf("--sip: want IP:PORT: %w", err))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	report, err := bench.Calls{
		SIP: at, Rooms: strings.Split(c.Rooms, ","), Count: c.Count, Talkers: c.Talkers, Rate: c.Rate, Settle: 3 * time.Second, Time: c.Time, PID: c.PID,
	}.Run(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Println(report)
	return err
}
