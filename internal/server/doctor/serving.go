package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"parley/internal/recording/capture"
	"parley/internal/recording/render"
)

// server asks the running server how it is. One that does not run is looked at in its folder.
func (v *visit) server(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ops := v.c.Admin
	if ops == "" {
		ops = v.c.HTTP
	}
	text, err := get(ctx, "http://"+ops+"/readyz", "")
	if err != nil && text == nil {
		v.ok("server", "does not run")
		v.unfinished()
		return
	}
	var state struct{ Reasons []string }
	_ = json.Unmarshal(text, &state)
	if err != nil {
		v.fail("server", "the log says more; 'parley doctor' again in a minute", "does not take calls: %s", strings.Join(state.Reasons, "; "))
	} else {
		v.ok("server", "takes calls at %s", v.c.SIP)
	}
	if text, err := get(ctx, "http://"+ops+"/metrics", ""); err == nil {
		v.figures(parse(text))
	}
	if v.key == "" {
		v.warn("api", "give --key, PARLEY_ACCESS_KEY or --key-file", "without an access key trunks and webhooks are not looked at")
		return
	}
	v.trunks(ctx)
	v.webhooks(ctx)
}

// unfinished counts the recordings that a dead process left.
func (v *visit) unfinished() {
	dir := filepath.Join(v.c.Data, "recordings")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // no recording yet
	}
	open := 0
	for _, e := range entries {
		r, err := render.Open(capture.Path(dir, e.Name()), e.Name(), nil)
		if err != nil {
			continue // encrypted, or of another build: told by 'parley recordings list'
		}
		if r.Manifest().Reason == "" {
			open++
		}
		r.Close()
	}
	if open > 0 {
		v.warn("recordings", "start the server: it finishes them", "%d were cut by a crash", open)
	} else {
		v.ok("recordings", "%d, all finished", len(entries))
	}
}

// figures looks at the metrics that tell of trouble.
func (v *visit) figures(m map[string]float64) {
	for _, x := range []struct {
		metric, check, do, text string
		most                    float64
	}{
		{"parley_store_failed_total", "store", "look at the disk and the log", "%.0f writes have failed since the start", 0},
		{"parley_media_frames_lost_total", "media", "give the server processors of its own; see parley_mixer_tick_lateness_seconds", "%.0f frames were lost because the machine stood still", 0},
		{"parley_media_loop_busy_ratio", "load", "fewer calls, or more processors: above limits.media_busy calls are refused", "the media loops are busy %.2f of the time", 0.9 * v.c.Limits.MediaBusy},
		{"parley_recording_failures_total", "recordings", "the log says which, and why", "%.0f recordings ended in trouble", 0},
		{"parley_webhook_dead_letters_total", "webhooks", "see GET /webhooks/{id}/deliveries, then 'parley resend'", "%.0f events could not be delivered and are given up", 0},
		{"parley_webhook_backlog_seconds", "webhooks", "look at the receivers", "the oldest event waits for %.0f s to be delivered", 60},
	} {
		if value, known := m[x.metric]; known && value > x.most {
			v.warn(x.check, x.do, x.text, value)
		}
	}
	if live, open := m["parley_recordings_live"], m["parley_recordings_unfinished"]; open > live {
		v.warn("recordings", "look again in a minute: files are being made; the log says what keeps them", "%.0f run, and %.0f wait for their files", live, open-live)
	} else {
		v.ok("recordings", "%.0f run", live)
	}
	v.ok("calls", "%.0f calls, %.0f participants", m["parley_calls"], m["parley_participants"])
}

// parse reads metrics; of those with labels the sum, but of a ratio the highest.
func parse(text []byte) map[string]float64 {
	out := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || strings.HasPrefix(name, "#") {
			continue
		}
		name, _, _ = strings.Cut(name, "{")
		if strings.HasSuffix(name, "_ratio") {
			out[name] = max(out[name], n)
		} else {
			out[name] += n
		}
	}
	return out
}

// trunks looks whether the ways to numbers are open.
func (v *visit) trunks(ctx context.Context) {
	var list struct {
		Result []struct {
			Name, Host, Auth string
			Enabled          bool
			State            *struct {
				Registered bool
				Reachable  *bool
				Status     int
				Reason     string
			}
		}
	}
	if err := v.list(ctx, "/trunks", &list); err != nil {
		v.warn("trunks", "give an access key that is good: --key, PARLEY_ACCESS_KEY or --key-file", "cannot be looked at: %v", err)
		return
	}
	bad := 0
	for _, t := range list.Result {
		switch {
		case !t.Enabled || t.State == nil:
		case t.Auth == "register" && !t.State.Registered:
			bad++
			v.fail("trunk "+t.Name, "look at its user name, password and host with GET /v1.0/trunks", "not registered at %s: %d %s", t.Host, t.State.Status, t.State.Reason)
		case t.State.Reachable != nil && !*t.State.Reachable:
			bad++
			v.fail("trunk "+t.Name, "look at the way there, and whether it answers OPTIONS", "%s does not answer", t.Host)
		}
	}
	if bad == 0 {
		v.ok("trunks", "%d, none in trouble", len(list.Result))
	}
}

// webhooks looks whether the receivers take what happens.
func (v *visit) webhooks(ctx context.Context) {
	var list struct {
		Result []struct {
			ID, URI, Status string
			Disabled        string     `json:"disabled_reason"`
			Failing         *time.Time `json:"tm_failing_since"`
		}
	}
	if err := v.list(ctx, "/webhooks", &list); err != nil {
		v.warn("webhooks", "give an access key that is good", "cannot be looked at: %v", err)
		return
	}
	bad := 0
	for _, w := range list.Result {
		switch {
		case w.Disabled == "failing" || w.Disabled == "gone":
			bad++
			v.fail("webhook "+w.ID, "set its status to enabled once the receiver is back, then 'parley resend'", "%s was given up (%s)", w.URI, w.Disabled)
		case w.Failing != nil:
			bad++
			v.warn("webhook "+w.ID, "see GET /webhooks/"+w.ID+"/deliveries", "%s takes nothing since %s", w.URI, w.Failing.UTC().Format(time.RFC3339))
		}
	}
	if bad == 0 {
		v.ok("webhooks", "%d, none in trouble", len(list.Result))
	}
}

func (v *visit) list(ctx context.Context, path string, to any) error {
	text, err := get(ctx, "http://"+v.c.HTTP+"/v1.0"+path, v.key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// get returns a body; with an error too when the server answered otherwise than 200.
func get(ctx context.Context, url, key string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the server answers %s", res.Status)
	}
	return text, err
}
