package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Env reads a service's configuration from the variables that its links give it. A missing or malformed one is noted, and Main
// names all of them at once before anything starts. What a method returns then is never used.
type Env struct {
	problems []error
}

// Problem notes that something about a variable is wrong.
func (e *Env) Problem(name, format string, args ...any) {
	e.problems = append(e.problems, fmt.Errorf("%s "+format, append([]any{name}, args...)...))
}

// String is the value of a variable that may not be empty.
func (e *Env) String(name string) string {
	value := os.Getenv(name)
	if value == "" {
		e.Problem(name, "is not set")
	}
	return value
}

// Optional is the value of a variable, or "".
func (e *Env) Optional(name string) string { return os.Getenv(name) }

// Port is a TCP port.
func (e *Env) Port(name string) int {
	value := e.String(name)
	port, err := strconv.ParseUint(value, 10, 16)
	if value != "" && (err != nil || port == 0) {
		e.Problem(name, "is %q: it must be a port, 1 to 65535", value)
	}
	return int(port)
}

// URL is an http or https address without a path, query or slash at its end, e.g. "http://payments".
func (e *Env) URL(name string) string { return e.address(name, true) }

// QueueURL is the address of an SQS queue.
func (e *Env) QueueURL(name string) string { return e.address(name, false) }

func (e *Env) address(name string, bare bool) string {
	value := e.String(name)
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		e.Problem(name, "is %q: it must be an http or https address", value)
	} else if bare && u.Path != "" {
		e.Problem(name, "is %q: it must be an address without a path", value)
	}
	return value
}

// ARN is an ARN of an AWS service, e.g. "sns".
func (e *Env) ARN(name, service string) string {
	value := e.String(name)
	if value == "" {
		return ""
	}
	if parsed, err := arn.Parse(value); err != nil || parsed.Service != service {
		e.Problem(name, "is %q: it must be an ARN of %s", value, service)
	}
	return value
}

// JSON unmarshals a variable.
func (e *Env) JSON(name string, into any) {
	if value := e.String(name); value != "" {
		if err := json.Unmarshal([]byte(value), into); err != nil {
			e.Problem(name, "is no such JSON: %w", err)
		}
	}
}

// Err joins the problems found so far.
func (e *Env) Err() error {
	if len(e.problems) == 0 {
		return nil
	}
	return fmt.Errorf("configuration: %w", errors.Join(e.problems...))
}
