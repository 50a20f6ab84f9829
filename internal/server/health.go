package server

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"
)

// health answers /healthz and /readyz.
type health struct {
	started  atomic.Bool
	stopping atomic.Bool
	checks   []check
}

// check is one reason not to take new work.
type check struct {
	name string
	ok   func(context.Context) error
}

// live answers 200 as long as the process answers at all.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"status": "up"})
}

// ready answers 200 when calls are taken, otherwise 503 with the reasons.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	reasons := []string{}
	switch {
	case h.stopping.Load():
		reasons = append(reasons, "stopping")
	case !h.started.Load():
		reasons = append(reasons, "starting")
	default:
		for _, c := range h.checks {
			if err := c.ok(ctx); err != nil {
				reasons = append(reasons, c.name+": "+err.Error())
			}
		}
	}
	if len(reasons) > 0 {
		w.Header().Set("Retry-After", "5")
		writeJSON(w, http.StatusServiceUnavailable, map[string]any{"status": "not ready", "reasons": reasons})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ready", "reasons": reasons})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
