// Package logs writes a service's log: one JSON object a line. What a context carries, the id of the request above all, is in
// every line that is written with it, so slog.InfoContext(ctx, ...) is all that a service needs.
package logs

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"

	"shop/internal/build"
)

type attrsKey struct{}

type requestKey struct{}

// New is the logger of a service. It writes time, level, msg, service and version, and what the context carries. Times are UTC.
func New(to io.Writer, service string) *slog.Logger {
	handler := slog.NewJSONHandler(to, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}})
	return slog.New(contextHandler{handler}).With("service", service, "version", build.Version)
}

// With adds attributes to every line that is logged with the context.
func With(ctx context.Context, attrs ...slog.Attr) context.Context {
	old, _ := ctx.Value(attrsKey{}).([]slog.Attr)
	return context.WithValue(ctx, attrsKey{}, slices.Concat(old, attrs))
}

// WithRequestID makes id the context's request id: it is in every line, and in every request that web.NewClient sends.
func WithRequestID(ctx context.Context, id string) context.Context {
	return With(context.WithValue(ctx, requestKey{}, id), slog.String("request_id", id))
}

// RequestID is the context's request id, or "" without one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9._:/=+@-]{1,128}$`)

// KeepRequestID is the id that came with a request or a message, or a new one if it is none: letters, digits and ._:/=+@- only,
// 128 at most, so that nobody writes lines into the log.
func KeepRequestID(came string) string {
	if requestID.MatchString(came) {
		return came
	}
	return strings.ToLower(rand.Text())
}

type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	if attrs, ok := ctx.Value(attrsKey{}).([]slog.Attr); ok {
		r = r.Clone()
		r.AddAttrs(attrs...)
	}
	return h.Handler.Handle(ctx, r)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}
