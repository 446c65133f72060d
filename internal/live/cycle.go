package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"aws-microservices/internal/live/stack"
)

// cleanupTime is how long a failed or interrupted cycle may take to remove what it made.
const cleanupTime = 15 * time.Minute

// Options say what is cycled and where.
type Options struct {
	// Dir is a cdktf.out folder that may be written to: give it a copy.
	Dir string
	// Env is the environment of all processes, from Environ.
	Env []string
	// Progress receives a line for each step.
	Progress *Progress
	// Disposable says that the whole world is thrown away after a failure, so nothing has to be destroyed then.
	Disposable bool
	// Log receives Terraform's own output.
	// Defaults to nothing.
	Log io.Writer
}

// Cycle applies the named stacks one after the other, proves after each apply that a second plan is empty, then destroys
// them in reverse order and checks that nothing is left. Where a step fails or ctx is cancelled, what was made so far is
// destroyed as well.
func Cycle(ctx context.Context, o Options, names ...string) error {
	c := &cycle{Options: o}
	err := c.up(ctx, names)
	if err == nil {
		err = c.down(ctx)
		if ctx.Err() == nil {
			return err
		}
	}
	if len(c.applied) == 0 || o.Disposable {
		return err
	}
	o.Progress.note("removing what was made, after: %s", firstLine(err))
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return errors.Join(err, c.down(cleanup))
}

type cycle struct {
	Options
	// applied are the stacks that may have resources, in order.
	applied []*stack.Stack
}

func (c *cycle) up(ctx context.Context, names []string) error {
	for _, name := range names {
		s, err := stack.Open(c.Dir, name, stack.Options{Env: c.Env, Log: c.Log})
		if err != nil {
			return err
		}
		err = c.Progress.step(name, "init", func() (string, error) {
			return "", errors.Join(s.Init(ctx), MakeZones(ctx, s, c.Env))
		})
		if err != nil {
			return err
		}
		c.applied = append(c.applied, s)
		if err := c.Progress.step(name, "apply", func() (string, error) { return apply(ctx, s) }); err != nil {
			return err
		}
		if err := c.Progress.step(name, "second plan", func() (string, error) { return "no changes", replan(ctx, s) }); err != nil {
			return err
		}
	}
	return nil
}

// down destroys in reverse order. It goes on after a failure, to leave as little as possible.
func (c *cycle) down(ctx context.Context) error {
	var errs []error
	var left []*stack.Stack
	for _, s := range slices.Backward(c.applied) {
		if err := c.remove(ctx, s); err != nil {
			errs = append(errs, err)
			left = append([]*stack.Stack{s}, left...)
		}
	}
	c.applied = left
	return errors.Join(errs...)
}

func (c *cycle) remove(ctx context.Context, s *stack.Stack) (err error) {
	override, protected := lifted(s.Resources)
	var lifting error
	if len(protected) > 0 {
		if err := s.Override(override); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.RemoveOverride()) }()
		lifting = c.Progress.step(s.Name, "lift protections", func() (string, error) { return lift(ctx, s, protected) })
	}
	return errors.Join(lifting, c.Progress.step(s.Name, "destroy", func() (string, error) {
		if err := s.Destroy(ctx); err != nil {
			return "", err
		}
		return "nothing left", empty(ctx, s)
	}))
}

func apply(ctx context.Context, s *stack.Stack) (string, error) {
	if err := s.Apply(ctx); err != nil {
		return "", err
	}
	state, err := s.State(ctx)
	return fmt.Sprintf("%d resources", len(state.IDs)), err
}

// replan fails where Terraform would still change something right after an apply.
func replan(ctx context.Context, s *stack.Stack) error {
	plan, err := s.Diff(ctx)
	if err != nil {
		return err
	}
	if !plan.Empty() {
		return fmt.Errorf("not empty, %d changes:\n%s", len(plan.Changes), strings.TrimRight(plan.String(), "\n"))
	}
	return nil
}

// lift applies the override to the protected resources that exist: after a failed apply, those are not all.
func lift(ctx context.Context, s *stack.Stack, protected []string) (string, error) {
	state, err := s.State(ctx)
	if err != nil {
		return "", err
	}
	var targets []tfexec.ApplyOption
	for _, address := range protected {
		if slices.ContainsFunc(state.Addresses(), func(a string) bool { return a == address || strings.HasPrefix(a, address+"[") }) {
			targets = append(targets, tfexec.Target(address))
		}
	}
	if len(targets) == 0 {
		return "none of the protected resources exists", nil
	}
	if err := s.Apply(ctx, targets...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d resources, by an %s for the clean-up only", len(targets), stack.OverrideFile), nil
}

// empty fails where the state still holds resources.
func empty(ctx context.Context, s *stack.Stack) error {
	state, err := s.State(ctx)
	if err != nil {
		return err
	}
	if left := state.Addresses(); len(left) > 0 {
		return fmt.Errorf("%d resources are left in the state: %s", len(left), strings.Join(left, ", "))
	}
	return nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
