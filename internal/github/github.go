// Package github talks to GitHub's API by its command gh, which knows who is logged in, on a person's machine and in a job.
package github

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// GH runs gh with arguments, gives it input to read, and returns what it printed. It is CLI, or in tests a recording.
type GH func(ctx context.Context, input []byte, args ...string) ([]byte, error)

// StatusError is an answer of GitHub other than success.
type StatusError struct {
	// Code is that of HTTP, e.g. 404.
	Code int
	// Message is what gh said of it.
	Message string
}

func (e StatusError) Error() string { return e.Message }

// NotFound tells whether GitHub answered that there is no such thing, or none that this login may see.
func NotFound(err error) bool {
	var status StatusError
	return errors.As(err, &status) && status.Code == 404
}

// status is how gh ends what it says of an answer.
var status = regexp.MustCompile(`\(HTTP (\d{3})\)`)

// CLI runs the gh on PATH.
func CLI(ctx context.Context, input []byte, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "gh", args...)
	command.Stdin = bytes.NewReader(input)
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("gh is needed and not on PATH: see https://cli.github.com")
	}
	if err == nil {
		return out, nil
	}
	message := fmt.Sprintf("gh %s: %s", strings.Join(args, " "), cmp.Or(strings.TrimSpace(said.String()), err.Error()))
	if found := status.FindStringSubmatch(message); found != nil {
		code, _ := strconv.Atoi(found[1]) // three digits
		return nil, StatusError{Code: code, Message: message}
	}
	return nil, errors.New(message)
}

// Read gets the document at a path of the API.
func (gh GH) Read(ctx context.Context, path string, into any) error {
	out, err := gh(ctx, nil, "api", path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Pages gets the documents at a path that GitHub gives by the page: gh prints one after the other.
func Pages[T any](ctx context.Context, gh GH, path string) ([]T, error) {
	out, err := gh(ctx, nil, "api", "--paginate", path)
	if err != nil {
		return nil, err
	}
	var all []T
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var page T
		err := decoder.Decode(&page)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, page)
	}
}

// Write sends a document, or none, to a path of the API.
func (gh GH) Write(ctx context.Context, method, path string, document any) error {
	if document == nil {
		_, err := gh(ctx, nil, "api", "-X", method, path)
		return err
	}
	input, err := json.Marshal(document)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = gh(ctx, input, "api", "-X", method, "--input", "-", path)
	return err
}
