// Package secret reads a secret of Secrets Manager when it is used, so that a value that was rotated reaches a service that runs.
//
//	service -- Values --> kept for five minutes -- GetSecretValue --> AWSCURRENT, AWSPREVIOUS
package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	// fresh is how long a value is used without asking.
	fresh = 5 * time.Minute
	// lasting is how long a value is used while Secrets Manager does not answer: a rotation within is rare, and then the value
	// is the previous one, which still counts.
	lasting = time.Hour
	// again is the time between two attempts at least, whoever asks: nobody can make a service ask all the time, e.g. with
	// wrong tokens.
	again = time.Second
	// timeout bounds an attempt, all tries of the SDK included.
	timeout = 3 * time.Second
)

// ErrNoValue is the error of a secret that nobody has put a value into yet.
var ErrNoValue = errors.New("the secret has no value: put one in")

// Values are a secret's.
type Values struct {
	// Current is what to use, never empty.
	Current string
	// Previous is what was current before the last rotation: what others may have used until a moment ago. Empty if there
	// was none.
	Previous string
}

// Client is the part of Secrets Manager's client that is used.
type Client interface {
	GetSecretValue(
		context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options),
	) (*secretsmanager.GetSecretValueOutput, error)
}

// Secret is one secret. It may be used by many goroutines at once.
type Secret struct {
	client Client
	arn    string
	// reading is held by the one who asks Secrets Manager.
	reading chan struct{}

	mu     sync.Mutex
	values Values
	read   time.Time // when values were read
	tried  time.Time // when the last attempt ended
	failed error     // of the last attempt
}

// New is the secret of an ARN. It is not read yet.
func New(client Client, arn string) *Secret {
	return &Secret{client: client, arn: arn, reading: make(chan struct{}, 1)}
}

// Values returns the values, at most five minutes old, or an hour while Secrets Manager does not answer.
func (s *Secret) Values(ctx context.Context) (Values, error) { return s.within(ctx, fresh) }

// Reread returns the values as they are now, within a second: for when one of those at hand was refused, or did not do.
func (s *Secret) Reread(ctx context.Context) (Values, error) { return s.within(ctx, again) }

// Check returns why there is no value, or nil.
func (s *Secret) Check(ctx context.Context) error {
	_, err := s.Values(ctx)
	return err
}

func (s *Secret) within(ctx context.Context, age time.Duration) (Values, error) {
	if o := s.known(age); o != nil {
		return o.values, o.err
	}
	select {
	case s.reading <- struct{}{}:
	default:
		if o := s.known(lasting); o != nil && age == fresh {
			return o.values, o.err // one is enough to wait for Secrets Manager
		}
		select {
		case s.reading <- struct{}{}:
		case <-ctx.Done():
			return Values{}, fmt.Errorf("reading the secret %s: %w", s.arn, ctx.Err())
		}
	}
	defer func() { <-s.reading }()
	if o := s.known(age); o != nil { // somebody else has read it meanwhile
		return o.values, o.err
	}
	o := s.ask(ctx)
	return o.values, o.err
}

// outcome is what came of wanting the values.
type outcome struct {
	values Values
	err    error
}

// known returns what need not be asked for, values that are young enough or what came of an attempt just now, or nil.
func (s *Secret) known(age time.Duration) *outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.values.Current != "" && time.Since(s.read) < age:
		return &outcome{values: s.values}
	case s.failed != nil && time.Since(s.tried) < again:
		return s.last()
	}
	return nil
}

// last is the outcome of the last attempt.
func (s *Secret) last() *outcome {
	if s.failed != nil && (s.values.Current == "" || time.Since(s.read) >= lasting) {
		return &outcome{err: fmt.Errorf("reading the secret %s: %w", s.arn, s.failed)}
	}
	return &outcome{values: s.values}
}

func (s *Secret) ask(ctx context.Context) *outcome {
	// Others wait for this attempt: it does not end with the request that began it.
	call, done := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer done()
	values, err := s.fetch(call)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tried, s.failed = time.Now(), err
	if err == nil {
		s.values, s.read = values, s.tried
	} else if s.values.Current != "" {
		slog.WarnContext(ctx, "the secret cannot be read again", "secret", s.arn, "error", err.Error())
	}
	return s.last()
}

func (s *Secret) fetch(ctx context.Context) (Values, error) {
	current, err := s.stage(ctx, "AWSCURRENT")
	if err != nil {
		return Values{}, err
	}
	if current == "" {
		return Values{}, ErrNoValue
	}
	previous, err := s.stage(ctx, "AWSPREVIOUS")
	if err != nil {
		return Values{}, err
	}
	return Values{Current: current, Previous: previous}, nil
}

// stage returns the value of a stage, or "" if no version has it.
func (s *Secret) stage(ctx context.Context, stage string) (string, error) {
	out, err := s.client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.arn, VersionStage: &stage})
	if missing := (*types.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

var _ Client = (*secretsmanager.Client)(nil)
