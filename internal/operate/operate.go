// Package operate does what operators do to an environment that runs, without Terraform:
//
//	Run       SSM parameter -> one-off task -> its log, its end, its exit code
//	Redrive   dead letters -> back to the queue they came from
//	Wake      databases started -> services to their daytime size
//	Sleep     services to their night size -> databases stopped
//
// Each begins as whoever is logged in and goes on in the environment's own account, as Terraform does, and in no other.
// What was started goes on when the waiting for it ends, by an interrupt or a deadline; the error says so.
package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"aws-microservices/internal/sdk"
	"aws-microservices/stacks"
)

// Operator operates the environments of a platform.
type Operator struct {
	// Config is the platform with its environments.
	Config stacks.Config
	// Out receives a line for each step.
	Out io.Writer
	// AWS are settings of the AWS SDK. Defaults to what the SDK finds by itself: environment variables and profiles.
	AWS []func(*config.LoadOptions) error
}

// target is an environment with the right to operate it.
type target struct {
	stacks.Environment
	// prefix begins the names of the environment's resources.
	prefix string
	// operator is who is logged in, as far as AWS knows.
	operator string
	aws      aws.Config
	out      io.Writer
}

// environment is the one of the name.
func (o Operator) environment(name string) (stacks.Environment, error) {
	return named("environment", name, o.Config.Environments, func(e stacks.Environment) string { return e.Name })
}

// enter goes to the account of an environment: by the role that Terraform takes, unless it is logged in there already.
func (o Operator) enter(ctx context.Context, e stacks.Environment) (*target, error) {
	cfg, err := sdk.Load(ctx, e.Region, o.AWS...)
	if err != nil {
		return nil, fmt.Errorf("the AWS settings of this shell: %w", err)
	}
	login := fmt.Sprintf("log in to account %s as somebody who may assume %s", o.Config.Shared.AccountID, stacks.MemberRole)
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("who is logged in? %w\n%s", err, login)
	}
	t := &target{
		Environment: e, prefix: o.Config.Platform.Name + "-" + e.Name,
		operator: operator(aws.ToString(caller.Arn)), aws: cfg, out: o.Out,
	}
	if aws.ToString(caller.Account) != e.AccountID {
		role := fmt.Sprintf("arn:aws:iam::%s:role/%s", e.AccountID, stacks.MemberRole)
		t.aws.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role,
			func(a *stscreds.AssumeRoleOptions) { a.RoleSessionName = t.operator }))
		caller, err = sts.NewFromConfig(t.aws).GetCallerIdentity(ctx, nil)
		if err != nil {
			return nil, fmt.Errorf("environment %s: %w\n%s", e.Name, err, login)
		}
	}
	if account := aws.ToString(caller.Account); account != e.AccountID {
		return nil, fmt.Errorf("environment %s is account %s, but AWS says that this is account %s: nothing was done; %s",
			e.Name, e.AccountID, account, login)
	}
	t.say("environment %s: account %s, %s", e.Name, e.AccountID, e.Region)
	return t, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// operator names who is logged in, in the characters that AWS takes for the name of a session and for what a task was
// started by: the end of the ARN is a user's name, or a session's, which single sign-on gives the user's.
func operator(arn string) string {
	name := notInNames.ReplaceAllString(arn[strings.LastIndexAny(arn, "/:")+1:], "-")
	const longest = 64 // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	name = "operate-" + name
	return name[:min(len(name), longest)]
}

// say prints a line.
func (t *target) say(format string, args ...any) {
	fmt.Fprintf(t.out, format+"\n", args...)
}

// named finds one of many by its name, or says which there are.
func named[T any](kind, name string, all []T, nameOf func(T) string) (T, error) {
	var names []string
	for _, one := range all {
		if nameOf(one) == name {
			return one, nil
		}
		names = append(names, nameOf(one))
	}
	var none T
	if len(names) == 0 {
		return none, fmt.Errorf("there is no %s %q: the platform has none", kind, name)
	}
	return none, fmt.Errorf("there is no %s %q: name one of %s", kind, name, strings.Join(names, ", "))
}

// poll looks until there is nothing to wait for any more, at first often and then less so.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	for pause := 200 * time.Millisecond; ; pause = min(pause*3/2, 5*time.Second) {
		done, err := look()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// isA tells whether AWS answered with this kind of error.
func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
