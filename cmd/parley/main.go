// Command parley is the conference server and its tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"parley/cmd/parley/remote"
	"parley/internal/config"
	"parley/internal/server"
)

// version is set by the linker for releases.
var version = "0.1.0-dev"

// settings are the flags that stand for settings; nil means not given.
type settings struct {
	Config     string  `help:"YAML file with settings." type:"path" placeholder:"FILE"`
	Dev        bool    `help:"For trying out on one machine: anonymous calls and joins, loopback only."`
	Data       *string `help:"Folder of the database, recordings and the first access key." placeholder:"DIR"`
	HTTP       *string `name:"http" help:"Address of API and console." placeholder:"ADDR"`
	Admin      *string `help:"Address of /healthz, /readyz and /metrics; unset: on the HTTP address." placeholder:"ADDR"`
	SIP        *string `name:"sip" help:"Address of SIP over UDP and TCP." placeholder:"ADDR"`
	MediaIP    *string `name:"media-ip" help:"Address of RTP sockets." placeholder:"IP"`
	MediaPorts *string `name:"media-ports" help:"Range of RTP ports." placeholder:"LO-HI"`
}

// load reads the configuration; its errors are usage errors.
func (s *settings) load() (*config.Loaded, error) {
	flags := map[string]string{}
	for name, value := range map[string]*string{
		"data": s.Data, "http": s.HTTP, "admin": s.Admin, "sip": s.SIP, "media-ip": s.MediaIP, "media-ports": s.MediaPorts,
	} {
		if value != nil {
			flags[name] = *value
		}
	}
	if s.Dev {
		flags["dev"] = "true"
	}
	l, err := config.Load(s.Config, os.Environ(), flags)
	if err != nil {
		return nil, remote.UsageError(err)
	}
	return l, nil
}

type serveCommand struct {
	settings
	testClock
}

// Run serves until SIGTERM or SIGINT; a second signal ends the process at once.
func (c *serveCommand) Run() error {
	l, err := c.load()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop)
	if err := c.testClock.follow(ctx); err != nil {
		return err
	}
	defer c.reread(l)()
	return server.Serve(ctx, l.Config, os.Stdout, version)
}

// reread reads the configuration again at each SIGHUP until the returned function is called. One that is wrong changes nothing.
func (c *serveCommand) reread(l *config.Loaded) (stop func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGHUP)
	go func() {
		for range asked {
			if next, err := c.load(); err != nil {
				slog.Error("the configuration cannot be used; the server goes on with the old one", "error", err)
			} else {
				l = server.Reread(l, next)
			}
		}
	}()
	return func() {
		signal.Stop(asked)
		close(asked)
	}
}

type configCommand struct {
	Print printCommand `cmd:"" help:"Print every setting with its value and origin."`
}

type printCommand struct{ settings }

// Run prints the settings as a table.
func (c *printCommand) Run() error {
	l, err := c.load()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tORIGIN\tENVIRONMENT\tWHAT")
	for _, s := range l.Settings() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Key, s.Value, s.Origin, s.Env, s.Doc)
	}
	return w.Flush()
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	_, err := fmt.Println("parley", version)
	return err
}

type commands struct {
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Conferences remote.Conferences `cmd:"" help:"See and steer the conferences of a running server."`
	Calls       remote.Calls       `cmd:"" help:"See, explain, hang up and make calls of a running server."`
	Doctor      doctorCommand      `cmd:"" help:"Look at this machine, a configuration and its server: what does not work, and what to do."`
	Bench       benchCommand       `cmd:"" help:"Measure what a server on this machine carries."`
	Events      eventsCommand      `cmd:"" help:"Read the log of a running server."`
	Listen      listenCommand      `cmd:"" help:"Forward the events of a running server to a program on this machine."`
	Receive     receiveCommand     `cmd:"" help:"Print what webhooks bring, and check who signed it."`
	Trigger     triggerCommand     `cmd:"" help:"Send a sample of an event, signed, to try a receiver."`
	Recordings  recordingsCommand  `cmd:"" help:"Get at the sound in the data folder."`
	Resend      resendCommand      `cmd:"" help:"Deliver events to a webhook again."`
	Config      configCommand      `cmd:"" help:"Show the configuration."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// untilStopped ends with SIGINT or SIGTERM.
func untilStopped() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run returns the exit code: 0, 2 for usage, 1 otherwise.
func run(args []string) int {
	parser, err := kong.New(&commands{}, kong.Name("parley"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Description("A self-hosted conference server: phones and browsers in one room, by API."))
	if err != nil {
		panic(err) // the grammar above is broken
	}
	cmd, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "parley: %v\n(parley --help shows what there is)\n", err)
		return 2
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "parley: %v\n", err)
		if errors.As(err, new(remote.Usage)) {
			return 2
		}
		return 1
	}
	return 0
}
