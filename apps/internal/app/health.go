package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"shop/internal/build"
	"shop/internal/logs"
	"shop/internal/web"
)

const checkTimeout = 2 * time.Second

type health struct {
	name    string
	started time.Time
	checks  map[string]func(context.Context) error

	wasReady, stopping atomic.Bool
}

type status struct {
	Status  string            `json:"status"`
	Service string            `json:"service"`
	Version string            `json:"version"`
	Commit  string            `json:"commit"`
	Uptime  int64             `json:"uptime_seconds"`
	Checks  map[string]string `json:"checks,omitempty"`
}

func (h *health) status(text string, checks map[string]string) status {
	return status{text, h.name, build.Version, build.Commit, int64(time.Since(h.started).Seconds()), checks}
}

func (h *health) live(w http.ResponseWriter, r *http.Request) {
	if !h.wasReady.Load() {
		answer(w, r, http.StatusServiceUnavailable, h.status("starting", nil))
		return
	}
	answer(w, r, http.StatusOK, h.status("ok", nil))
}

func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	failures, checks := h.check(r.Context())
	switch {
	case h.stopping.Load():
		answer(w, r, http.StatusServiceUnavailable, h.status("stopping", checks))
	case len(failures) > 0:
		logFailures("not ready", failures)
		answer(w, r, http.StatusServiceUnavailable, h.status("unavailable", checks))
	default:
		answer(w, r, http.StatusOK, h.status("ok", checks))
	}
}

func answer(w http.ResponseWriter, r *http.Request, code int, s status) {
	w.Header().Set("X-Request-Id", logs.KeepRequestID(r.Header.Get("X-Request-Id")))
	w.Header().Set("Cache-Control", "no-store")
	web.JSON(w, code, s)
}

// check asks everything at once. The reasons of failures are for the log, not for whoever asks.
func (h *health) check(ctx context.Context) (failures map[string]error, checks map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	failures, checks = map[string]error{}, map[string]string{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for name, check := range h.checks {
		all.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			checks[name] = "ok"
			if err != nil {
				failures[name], checks[name] = err, "unavailable"
			}
		})
	}
	all.Wait()
	if len(failures) == 0 {
		h.wasReady.Store(true)
	}
	return failures, checks
}

func (h *health) waitUntilReady(ctx context.Context) {
	failing := -1
	for ctx.Err() == nil {
		failures, _ := h.check(ctx)
		if len(failures) == 0 {
			slog.Info("ready")
			return
		}
		if len(failures) != failing { // not every second
			logFailures("not ready yet", failures)
		}
		failing = len(failures)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func logFailures(message string, failures map[string]error) {
	args := []any{}
	for name, err := range failures {
		args = append(args, name, err.Error())
	}
	slog.Warn(message, args...)
}

func (h *health) stop() { h.stopping.Store(true) }

// askHealth is the container's health check: it asks its own process, within 4 s, and gives the exit code.
func askHealth(port string) int {
	client := http.Client{Timeout: 4 * time.Second}
	response, err := client.Get("http://" + loopback(port) + "/healthz")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		fmt.Fprintln(os.Stderr, response.Status)
		return 1
	}
	return 0
}
