package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Churn prints, for each rate, what calls of one second cost that join a conference and leave: a new server on the first core, four who stay and talk in
// the first conference, and the calls dealt to all.
func (s Suite) Churn(ctx context.Context, rates []int, rooms int) error {
	if rooms < 1 || rooms > 1000 {
		return fmt.Errorf("want 1-1000 conferences")
	}
	// The phones may have one core, and threads of theirs wait in the system: Go is to run others meanwhile.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, rate := range rates {
		if err := s.churn(ctx, filepath.Join(dir, strconv.Itoa(rate)), rate, rooms); err != nil {
			return fmt.Errorf("%d calls a second: %w", rate, err)
		}
	}
	return nil
}

func (s Suite) churn(ctx context.Context, dir string, rate, rooms int) error {
	server, _, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer server.stop()
	c := Churn{SIP: server.sip, Rate: rate, Hold: time.Second, Time: s.Time, Staying: 4, PID: server.cmd.Process.Pid}
	for range rooms {
		id, _, err := server.create(ctx)
		if err != nil {
			return err
		}
		c.Rooms = append(c.Rooms, id)
	}
	out, err := c.Run(ctx)
	if err != nil {
		return err
	}
	within, err := server.inside(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%d calls a second of 1 s into %d conferences: %v; %v\n", rate, rooms, out, within)
	return err
}

// inside is what the server says of itself since its start.
type inside struct {
	slots, late           float64 // of 5 ms of the media loops; begun more than 20 ms late
	lost                  float64 // frames given up
	appends, transactions float64 // of the store
	waited                float64 // microseconds, all appends together
}

func (l inside) String() string {
	return fmt.Sprintf("media loop: %.2f %% of its slots begun over 20 ms late, %.0f frames lost; store: %.0f appends in %.0f transactions, %.1f ms each",
		100*l.late/max(l.slots, 1), l.lost, l.appends, l.transactions, l.waited/max(l.appends, 1)/1000)
}

func (s *subject) inside(ctx context.Context) (l inside, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http+"/metrics", nil)
	if err != nil {
		return l, err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return l, err
	}
	defer r.Body.Close()
	prompt := 0.0
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		value, _ := strconv.ParseFloat(text, 64)
		switch metric, labels, _ := strings.Cut(name, "{"); {
		case metric == "parley_mixer_tick_lateness_seconds_bucket" && strings.Contains(labels, `le="0.02"`):
			prompt += value
		case metric == "parley_mixer_tick_lateness_seconds_count":
			l.slots += value
		case metric == "parley_media_frames_lost_total":
			l.lost += value
		case metric == "parley_store_appends_total":
			l.appends = value
		case metric == "parley_store_transactions_total":
			l.transactions = value
		case metric == "parley_store_append_microseconds_total":
			l.waited = value
		}
	}
	l.late = l.slots - prompt
	return l, nil
}
