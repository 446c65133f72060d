package release

import (
	"errors"
	"fmt"

	"aws-microservices/internal/operate"
)

// Exit codes of the programs that release.
const (
	ExitServes     = 0
	ExitFailed     = 1
	ExitRefused    = 3
	ExitUnfinished = 4
)

// exitError is an error with the exit code that tells a script what it was.
type exitError struct {
	error
	code int
}

func (e exitError) Unwrap() error { return e.error }

// Refused is an error for what was not begun.
func Refused(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), ExitRefused}
}

// notBegun makes an error of AWS, before anything was changed, one for what was not begun.
func notBegun(err error) error {
	if err == nil || ExitCode(err) != ExitFailed {
		return err
	}
	return Refused("%w\nnothing was changed", err)
}

// result is what an error means for a release that came to none.
func result(err error) Result {
	return map[int]Result{ExitServes: Serves, ExitFailed: Broken, ExitRefused: NotBegun, ExitUnfinished: Waiting}[ExitCode(err)]
}

// Failed is an error for a version that does not serve.
func Failed(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), ExitFailed}
}

// Unfinished is an error for waiting that ended: what was started goes on.
func Unfinished(format string, args ...any) error {
	return exitError{fmt.Errorf(format, args...), ExitUnfinished}
}

// ExitCode is the exit code for an error.
func ExitCode(err error) int {
	var known exitError
	var refused operate.RefusedError
	switch {
	case err == nil:
		return ExitServes
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &refused):
		return ExitRefused
	}
	return ExitFailed
}
