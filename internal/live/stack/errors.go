package stack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// wrap says which command failed where, and what to do when it is one of the failures an operator can end.
func (s *Stack) wrap(ctx context.Context, command string, err error) error {
	if err == nil {
		return nil
	}
	// An interrupted command's error may hold nothing, and then panics when it is printed: leave it alone.
	if ctx.Err() != nil {
		return fmt.Errorf("terraform %s in %s was interrupted: %w", command, s.Dir, context.Cause(ctx))
	}
	if lock, ok := heldLock(err.Error()); ok {
		lock.Dir, lock.err = s.Dir, err
		return lock
	}
	return &CommandError{Command: command, Dir: s.Dir, err: err}
}

// CommandError is a Terraform command that failed.
type CommandError struct {
	Command string
	Dir     string

	err error
}

func (e *CommandError) Error() string {
	text := withoutWarnings(e.err.Error())
	return fmt.Sprintf("terraform %s in %s: %s%s", e.Command, e.Dir, text, remedy(text))
}

func (e *CommandError) Unwrap() error { return e.err }

// remedies are what an operator does about failures that have nothing to do with the configuration.
var remedies = []struct{ text, remedy string }{
	{"No valid credential sources found", "log in first: aws sso login, or export AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
	{"ExpiredToken", "the credentials have expired: log in again"},
	{"AWS account ID not allowed", "the credentials belong to another account than the stack: switch the profile or role"},
	{"Failed to query available provider packages", "terraform finds no provider: run make tools, then source tools/env.sh"},
	{"NoSuchBucket", "the state bucket does not exist yet: run make bootstrap"},
}

func remedy(text string) string {
	flat := strings.Join(strings.Fields(text), " ")
	for _, r := range remedies {
		if strings.Contains(flat, r.text) {
			return "\n=> " + r.remedy
		}
	}
	return ""
}

// withoutWarnings drops the warnings Terraform prints before an error, so that the error is what one reads first.
func withoutWarnings(text string) string {
	status, rest, found := strings.Cut(text, "\n")
	at := strings.Index(rest, "Error: ")
	if !found || at < 0 {
		return text
	}
	return status + "\n" + strings.TrimSpace(rest[at:])
}

// LockedError is a command refused because somebody else works on the same state.
type LockedError struct {
	// ID, Who, Operation and Created describe the lock's holder, in Terraform's words.
	ID, Who, Operation, Created string
	// Dir is the folder of the stack that was refused.
	Dir string

	err error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the state is locked by %s (%s, since %s): wait for that run to end; only if it is dead: terraform -chdir=%s force-unlock %s",
		e.Who, e.Operation, e.Created, e.Dir, e.ID)
}

func (e *LockedError) Unwrap() error { return e.err }

var lockLine = regexp.MustCompile(`(?m)^\W*(ID|Who|Operation|Created):\s+(.+?)\s*$`)

// heldLock reads the lock's holder out of Terraform's error text.
func heldLock(text string) (*LockedError, bool) {
	if !strings.Contains(text, "Error acquiring the state lock") {
		return nil, false
	}
	found := map[string]string{}
	for _, m := range lockLine.FindAllStringSubmatch(text, -1) {
		found[m[1]] = m[2]
	}
	lock := &LockedError{ID: found["ID"], Who: found["Who"], Operation: found["Operation"], Created: found["Created"]}
	return lock, lock.ID != ""
}

// IsNoBucket tells whether a command failed because the bucket of the state does not exist.
func IsNoBucket(err error) bool {
	var failed *CommandError
	return errors.As(err, &failed) && strings.Contains(failed.err.Error(), "NoSuchBucket")
}
