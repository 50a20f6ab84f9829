package bench

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// recordedRounds is how often the server is measured without and with a recording: what else the machine does falls on both.
const recordedRounds = 4

// recorded measures what a recording adds to a conference of 100, and what it takes of the disk.
func (s Suite) recorded(ctx context.Context, dir string) error {
	server, _, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer server.stop()
	id, _, err := server.create(ctx)
	if err != nil {
		return err
	}
	c := Calls{
		SIP: server.sip, Rooms: []string{id}, Count: 100, Talkers: 3, Rate: 40, Settle: 3 * time.Second, Time: max(s.Time/recordedRounds, 2*time.Second),
		PID: server.cmd.Process.Pid,
	}
	var without, with float64
	var disk volume
	_, err = c.during(ctx, func(ctx context.Context, media *wheel, r *Report) error {
		for range recordedRounds {
			if err := c.measure(ctx, media, r); err != nil {
				return err
			}
			without += r.ServerCPU / recordedRounds
			v, err := server.record(ctx, id, func() error { return c.measure(ctx, media, r) })
			if err != nil {
				return err
			}
			with += r.ServerCPU / recordedRounds
			disk.add(v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "one conference of 100, 3 talking, PCMU: server %.3f ms CPU per participant-second, recorded %.3f: %.1f %% are the recording's; "+
		"%.2f bytes on disk for each byte of the %.0f s of audio that was said\n", without, with, 100*(with-without)/with,
		float64(disk.kept)/float64(max(disk.said, 1)), disk.seconds)
	return nil
}

// volume is what a recording keeps and what was said.
type volume struct {
	kept, said int64 // bytes; what was said in samples of 16 bits
	seconds    float64
}

func (v *volume) add(x volume) {
	v.kept, v.said, v.seconds = v.kept+x.kept, v.said+x.said, v.seconds+x.seconds
}

// record records a conference while something is measured, and waits for the end of the file's making.
func (s *subject) record(ctx context.Context, id string, measure func() error) (v volume, err error) {
	var room struct {
		ID string `json:"recording_id"`
	}
	path := "/conferences/" + id + "/recording_"
	if err := s.ask(ctx, http.MethodPost, path+"start", "", &room); err != nil {
		return v, err
	}
	if err := measure(); err != nil {
		return v, err
	}
	var out struct{ Status string }
	if err := s.ask(ctx, http.MethodPost, path+"stop", "", &out); err != nil {
		return v, err
	}
	for out.Status = ""; out.Status != "ended"; {
		if err := s.ask(ctx, http.MethodGet, "/recordings/"+room.ID, "", &out); err != nil {
			return v, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return v, err
		}
	}
	return s.volume(ctx, room.ID)
}

// volume reads what a recording has kept from its manifest.
func (s *subject) volume(ctx context.Context, recording string) (v volume, err error) {
	var m struct {
		Tracks []struct {
			Stored int64 `json:"stored_ms"`
			Rates  []int64
		}
		Capture struct{ Size int64 }
	}
	if err := s.ask(ctx, http.MethodGet, "/recordings/"+recording+"/manifest", "", &m); err != nil {
		return v, err
	}
	v.kept = m.Capture.Size
	for _, t := range m.Tracks {
		if len(t.Rates) > 0 {
			v.said += t.Stored * t.Rates[0] * 2 / 1000
			v.seconds += float64(t.Stored) / 1000
		}
	}
	return v, nil
}
