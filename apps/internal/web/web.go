// Package web is what the services have in common as HTTP servers and clients: JSON in and out, problems (RFC 9457), request
// ids, the access log, limits.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"shop/internal/logs"
)

// Timeout is how long a request may take until it is answered with 503. It is the deadline of its context.
const Timeout = 5 * time.Second

// Handler answers a request, or returns why not: a Problem as it is, an error of something that is away as 503, any other as
// 500. It returns an error only while nothing has been written.
type Handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP makes it a http.Handler.
func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		if errors.Is(r.Context().Err(), context.Canceled) {
			return // who asked has gone
		}
		problemOf(err).write(w, r)
	}
}

// Wrap puts around a service's routes what every request gets: a request id, kept if it came with a valid one; the deadline; a
// line in the log; 500 for a panic; problems in place of the plain 404 and 405 of http.ServeMux.
func Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := logs.KeepRequestID(r.Header.Get("X-Request-Id"))
		ctx, cancel := context.WithTimeout(logs.WithRequestID(r.Context(), id), Timeout)
		defer cancel()
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", id)
		rec.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			p := recover()
			half := p != nil && rec.status != 0
			if p != nil {
				slog.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
			if p != nil && !half {
				problemOf(fmt.Errorf("panic: %v", p)).write(rec, r)
			}
			slog.InfoContext(ctx, "request", "method", r.Method, "path", r.URL.Path, "status", rec.status,
				"duration_ms", time.Since(began).Milliseconds(), "bytes", rec.bytes)
			if half {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
		}()
		if mux, ok := next.(*http.ServeMux); ok {
			if p := unrouted(mux, rec, r); p != nil {
				p.write(rec, r)
				return
			}
		}
		next.ServeHTTP(rec, r)
	})
}

// unrouted is the problem of a request that no route is for.
func unrouted(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) *Problem {
	handler, pattern := mux.Handler(r)
	if pattern != "" {
		return nil
	}
	plain := &discard{header: http.Header{}}
	handler.ServeHTTP(plain, r)
	if allow := plain.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		return New(http.StatusMethodNotAllowed, "%s is not for this path: %s is.", r.Method, allow)
	}
	return NotFound("There is nothing at this path.")
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// recorder remembers what was sent.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// JSON answers with a value. Nothing caches it unless the caller has set Cache-Control.
func JSON(w http.ResponseWriter, status int, value any) {
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	send(w, status, "application/json", value)
}

func send(w http.ResponseWriter, status int, contentType string, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // only what JSON cannot hold, such as a channel
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(body.Bytes()) //nolint:errcheck // who asked has gone
}

// Decode reads the JSON object of a request into a struct. What it returns is a Problem: 415 for another content type, 413 for
// more than limit bytes, 422 for a field that is unknown or of another type, 400 for what is no JSON.
func Decode(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return New(http.StatusUnsupportedMediaType, "Send application/json.")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); err == io.EOF {
			return nil
		} else if err == nil {
			return BadRequest("The body is more than one JSON value.")
		}
	}
	var tooLarge *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return New(http.StatusRequestEntityTooLarge, "The body may have %d bytes.", limit)
	case errors.As(err, &kind):
		return Invalid(FieldError{kind.Field, "must not be a JSON " + kind.Value})
	case isUnknown(err):
		return Invalid(FieldError{unknownField(err), "is not known"})
	default:
		p := BadRequest("The body is no JSON object as expected here.")
		p.Cause = err
		return p
	}
}

// encoding/json has no type for this error.
const unknownPrefix = `json: unknown field "`

func isUnknown(err error) bool { return strings.HasPrefix(err.Error(), unknownPrefix) }

func unknownField(err error) string {
	return strings.TrimSuffix(strings.TrimPrefix(err.Error(), unknownPrefix), `"`)
}

// NewClient is for calls to other services: it hands the context's request id on, follows no redirects and waits for a whole
// answer no longer than timeout.
func NewClient(timeout time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // it would come from variables that nobody declares
	return &http.Client{
		Timeout:       timeout,
		Transport:     identified{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type identified struct{ next http.RoundTripper }

func (t identified) RoundTrip(r *http.Request) (*http.Response, error) {
	if id := logs.RequestID(r.Context()); id != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Request-Id", id)
	}
	return t.next.RoundTrip(r)
}
