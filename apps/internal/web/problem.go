package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
)

// Problem is an answer that is not the one hoped for, as RFC 9457 has it. It is an error that a Handler returns.
type Problem struct {
	// Type names the kind of problem; "about:blank" says that it is the status' own.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is for the person who sent the request: what is wrong, what to do.
	Detail string `json:"detail"`
	// Errors has all that is wrong with a request's content.
	Errors []FieldError `json:"errors,omitempty"`

	// Header is sent with it. Defaults to none.
	Header http.Header `json:"-"`
	// Cause is for the log only. Defaults to none.
	Cause error `json:"-"`
}

// FieldError is what is wrong with one field of a request, e.g. {"lines[0].quantity", "must be 1 to 99"}.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error is for the log.
func (p *Problem) Error() string {
	text := fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail)
	if p.Cause != nil {
		text += ": " + p.Cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Cause }

// New is a problem of a status, titled as the status is.
func New(status int, format string, args ...any) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...), Header: http.Header{},
	}
}

// BadRequest is a 400: the request itself is malformed.
func BadRequest(format string, args ...any) *Problem {
	return New(http.StatusBadRequest, format, args...)
}

// NotFound is a 404.
func NotFound(format string, args ...any) *Problem { return New(http.StatusNotFound, format, args...) }

// Conflict is a 409.
func Conflict(format string, args ...any) *Problem { return New(http.StatusConflict, format, args...) }

// Invalid is a 422 with all that is wrong with the content.
func Invalid(errors ...FieldError) *Problem {
	p := New(http.StatusUnprocessableEntity, "The content of the request is not valid.")
	p.Errors = errors
	return p
}

// Unauthorized is a 401 that asks for a bearer token.
func Unauthorized(format string, args ...any) *Problem {
	p := New(http.StatusUnauthorized, format, args...)
	p.Header.Set("WWW-Authenticate", "Bearer")
	return p
}

// Unavailable is a 503 for something that the service needs and does not get now, e.g. "the database". It asks to come again
// in a second.
func Unavailable(what string, cause error) *Problem {
	p := New(http.StatusServiceUnavailable, "Not available just now: %s. Please try again in a moment.", what)
	p.Header.Set("Retry-After", "1")
	p.Cause = cause
	return p
}

// problemOf is the answer for an error: a Problem as it is; 503 for what is away, so that the sender comes again; 500 for all
// else, which says nothing of its reason outside the log.
func problemOf(err error) *Problem {
	if p := (*Problem)(nil); errors.As(err, &p) {
		return p
	}
	if away(err) {
		return Unavailable("something that the service needs", err)
	}
	p := New(http.StatusInternalServerError, "Something went wrong here. It has been noted under the request id.")
	p.Cause = err
	return p
}

// away says that an error comes from something elsewhere that does not answer, or not now.
func away(err error) bool {
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return true
	}
	// of pgx: the connection was gone before anything was sent
	var unsent interface{ SafeToRetry() bool }
	if errors.As(err, &unsent) && unsent.SafeToRetry() {
		return true
	}
	// of the AWS SDK
	var answered interface{ HTTPStatusCode() int }
	if errors.As(err, &answered) && (answered.HTTPStatusCode() >= 500 || answered.HTTPStatusCode() == http.StatusTooManyRequests) {
		return true
	}
	// https://www.postgresql.org/docs/current/errcodes-appendix.html: connections, logging in, a server that is in recovery
	// or read-only after a failover, or short of something, or stopping, or slow.
	var sql interface{ SQLState() string }
	if errors.As(err, &sql) {
		state := sql.SQLState()
		for _, class := range []string{"08", "28", "25006", "53", "57"} {
			if strings.HasPrefix(state, class) {
				return true
			}
		}
	}
	return false
}

func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	for name, values := range p.Header {
		w.Header()[name] = values
	}
	level := slog.LevelInfo
	if p.Status >= 500 {
		level = slog.LevelError
	}
	slog.Log(r.Context(), level, "problem", "status", p.Status, "problem", p.Error())
	w.Header().Del("Content-Length")
	w.Header().Del("ETag")
	w.Header().Set("Cache-Control", "no-store")
	send(w, p.Status, "application/problem+json", p)
}
