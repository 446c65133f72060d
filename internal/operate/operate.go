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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
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

// Target is an environment with the right to operate it.
type Target struct {
	stacks.Environment
	// Platform is the name of what runs in it, and Prefix begins the names of its resources: "shop" and "shop-dev".
	Platform, Prefix string
	// Operator is who is logged in, as far as AWS knows.
	Operator string
	// AWS is the environment's account, and Shared that of the images, in its region.
	AWS, Shared aws.Config
	// Out receives a line for each step.
	Out io.Writer
}

// RefusedError says why nothing was done: there is no such thing, or nobody is logged in who may.
type RefusedError struct{ error }

// Unwrap returns what AWS said.
func (r RefusedError) Unwrap() error { return r.error }

func refused(format string, args ...any) error { return RefusedError{fmt.Errorf(format, args...)} }

// environment is the one of the name.
func (o Operator) environment(name string) (stacks.Environment, error) {
	return Named("environment", name, o.Config.Environments, func(e stacks.Environment) string { return e.Name })
}

// Enter goes to the account of the environment of the name.
func (o Operator) Enter(ctx context.Context, name string) (*Target, error) {
	e, err := o.environment(name)
	if err != nil {
		return nil, err
	}
	return o.enter(ctx, e)
}

// enter goes to the account of an environment: by the role that Terraform takes, unless it is logged in there already.
func (o Operator) enter(ctx context.Context, e stacks.Environment) (*Target, error) {
	// More tries than by default, and the slower the more AWS throttles.
	cfg, err := sdk.Load(ctx, e.Region, slices.Concat([]func(*config.LoadOptions) error{
		config.WithRetryMode(aws.RetryModeAdaptive), config.WithRetryMaxAttempts(6),
	}, o.AWS)...)
	if err != nil {
		return nil, refused("the AWS settings of this shell: %w", err)
	}
	role, err := memberRole()
	if err != nil {
		return nil, err
	}
	login := fmt.Sprintf("log in to account %s as somebody who may assume %s", o.Config.Shared.AccountID, role)
	caller, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return nil, refused("who is logged in? %w\n%s", err, login)
	}
	t := &Target{
		Environment: e, Platform: o.Config.Platform.Name, Prefix: o.Config.Platform.Name + "-" + e.Name,
		Operator: operator(aws.ToString(caller.Arn)), AWS: cfg, Shared: cfg.Copy(), Out: o.Out,
	}
	t.Shared.Region = o.Config.Shared.Region
	if aws.ToString(caller.Account) != e.AccountID {
		arn := fmt.Sprintf("arn:aws:iam::%s:role/%s", e.AccountID, role)
		t.AWS.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), arn,
			func(a *stscreds.AssumeRoleOptions) { a.RoleSessionName = t.Operator }))
		caller, err = sts.NewFromConfig(t.AWS).GetCallerIdentity(ctx, nil)
		if err != nil {
			return nil, refused("environment %s: %w\n%s", e.Name, err, login)
		}
	}
	if account := aws.ToString(caller.Account); account != e.AccountID {
		return nil, refused("environment %s is account %s, but AWS says that this is account %s: nothing was done; %s",
			e.Name, e.AccountID, account, login)
	}
	t.Say("environment %s: account %s, %s", e.Name, e.AccountID, e.Region)
	return t, nil
}

// RoleVariable is the environment variable that says which role to take in an environment's account: Terraform's own for its
// variable "role". Defaults to stacks.MemberRole.
const RoleVariable = "TF_VAR_role"

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
var roleName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

func memberRole() (string, error) {
	role := cmp.Or(os.Getenv(RoleVariable), stacks.MemberRole)
	if !roleName.MatchString(role) {
		return "", refused("%s is %q: write the name of a role, without its account", RoleVariable, role)
	}
	return role, nil
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

// Say prints a line.
func (t *Target) Say(format string, args ...any) {
	fmt.Fprintf(t.Out, format+"\n", args...)
}

// Named finds one of many by its name, or says which there are.
func Named[T any](kind, name string, all []T, nameOf func(T) string) (T, error) {
	var names []string
	for _, one := range all {
		if nameOf(one) == name {
			return one, nil
		}
		names = append(names, nameOf(one))
	}
	var none T
	if len(names) == 0 {
		return none, refused("there is no %s %q: the platform has none", kind, name)
	}
	return none, refused("there is no %s %q: name one of %s", kind, name, strings.Join(names, ", "))
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
