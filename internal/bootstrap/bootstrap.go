// Package bootstrap makes the bucket and the lock table that hold Terraform's state, with Terraform, and then moves the
// state of that very stack into the bucket it made.
//
//	no bucket:  override to a local state -> apply -> override removed -> state pushed to S3 -> compared -> local copy deleted
//	bucket:     init -> plan -> apply, like any stack
//
// Every run first looks at what is there and carries on from it, so one that died at any point is finished by the next:
//
//	what it finds                                   what it does
//	a state in the bucket                           plain init, plan, apply
//	a local state, no state in the bucket           carries on with the local one, then moves it
//	a local state the bucket's state holds, too     deletes the local copy: the last run died before it could
//	a local state the bucket's state does not hold  stops: deleting either could lose resources
//	a resource that exists but is in no state       imports it: the last run died while making it
//
// The synthesized JSON is never altered: the local backend is an override file beside it.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aws-microservices/internal/live/stack"
)

// Name is the stack that is bootstrapped.
const Name = "bootstrap"

// LocalState is the state's file until it is moved. Not Terraform's default name, for Terraform copies a file of that
// name around on its own.
const LocalState = "bootstrap.tfstate"

// Options say what is bootstrapped.
type Options struct {
	// Dir is the folder of the synthesized stacks.
	// Defaults to cdktf.out.
	Dir string
	// Env is Terraform's whole environment: which account, which endpoint.
	// Defaults to that of this process.
	Env []string
	// Out receives a line for each step.
	// Defaults to nothing.
	Out io.Writer
	// Log receives Terraform's own output.
	// Defaults to nothing.
	Log io.Writer
}

// Run makes sure that the state bucket and the lock table are as the bootstrap stack says, and that the stack's own
// state is in that bucket. It may be run any number of times.
func Run(ctx context.Context, o Options) error {
	if o.Dir == "" {
		o.Dir = "cdktf.out"
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	s, err := stack.Open(o.Dir, Name, stack.Options{Env: o.Env, Log: o.Log})
	if err != nil {
		return err
	}
	b := &run{stack: s, out: o.Out, local: s.Path(LocalState), start: time.Now()}
	if err := b.run(ctx); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

type run struct {
	stack *stack.Stack
	out   io.Writer
	local string
	start time.Time
}

func (b *run) run(ctx context.Context) error {
	// An override left by a run that died would hide the bucket.
	if err := b.stack.RemoveOverride(); err != nil {
		return err
	}
	remote, err := b.remote(ctx)
	if err != nil {
		return err
	}
	kept, err := b.kept()
	if err != nil {
		return err
	}
	switch {
	case len(remote.IDs) == 0:
		return b.create(ctx, kept)
	case len(kept.IDs) > 0:
		if err := b.dropLocal(kept, remote); err != nil {
			return err
		}
	}
	return b.update(ctx, remote)
}

// remote is the state in the bucket; empty where the bucket or the state does not exist. Terraform itself is asked, so
// whatever logs Terraform in is good enough here.
func (b *run) remote(ctx context.Context) (stack.State, error) {
	err := b.stack.Init(ctx)
	if stack.IsNoBucket(err) {
		return stack.State{}, nil
	}
	if err != nil {
		return stack.State{}, err
	}
	return b.stack.State(ctx)
}

// kept is the state an earlier run left on this machine.
func (b *run) kept() (stack.State, error) {
	state, err := stack.ReadState(b.local)
	if errors.Is(err, os.ErrNotExist) {
		return stack.State{}, nil
	}
	if err != nil {
		return state, fmt.Errorf("the local state cannot be read: %w; put %s.backup in its place, or move it away and run again",
			err, b.local)
	}
	return state, nil
}

// create makes everything with a local state and moves that.
func (b *run) create(ctx context.Context, kept stack.State) error {
	if len(kept.IDs) > 0 {
		b.say("carrying on with %d resources in %s, from a run that did not finish", len(kept.IDs), b.local)
	} else {
		b.say("no state in %s yet: creating it with a local state", b.stack.Backend)
	}
	if err := b.applyLocally(ctx); err != nil {
		return fmt.Errorf("%w\nwhat was made so far is kept in %s: run this again to carry on", err, b.local)
	}
	return b.move(ctx)
}

func (b *run) applyLocally(ctx context.Context) (err error) {
	override := map[string]any{"terraform": map[string]any{"backend": map[string]any{
		"local": map[string]any{"path": LocalState},
	}}}
	if err := b.stack.Override(override); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stack.RemoveOverride()) }()
	if err := b.stack.Init(ctx); err != nil {
		return err
	}
	if err := b.applyOrAdopt(ctx); err != nil {
		return err
	}
	state, err := b.stack.State(ctx)
	if err != nil {
		return err
	}
	b.say("applied: %d resources", len(state.IDs))
	return nil
}

// move puts the local state into the bucket. `state push` and not `init -migrate-state -force-copy`: the latter
// overwrites a state somebody else may have put there meanwhile and relies on what .terraform remembers; a push is
// refused by Terraform where there is another state, and needs nothing but the file.
func (b *run) move(ctx context.Context) error {
	kept, err := b.kept()
	if err != nil {
		return err
	}
	if err := b.stack.Init(ctx); err != nil {
		return err
	}
	if err := b.stack.PushState(ctx, b.local); err != nil {
		return fmt.Errorf("%w\nthe state is still in %s: run this again to move it", err, b.local)
	}
	b.say("state moved to %s", b.stack.Backend)
	remote, err := b.stack.State(ctx)
	if err != nil {
		return err
	}
	return b.dropLocal(kept, remote)
}

// dropLocal deletes the local state once the bucket's holds the same resources. Serial and lineage are no help here:
// Terraform starts both anew for the first state in a bucket.
func (b *run) dropLocal(kept, remote stack.State) error {
	if missing := kept.Missing(remote); len(missing) > 0 {
		return fmt.Errorf("%s holds resources that the state in %s does not: %s; compare the two (terraform -chdir=%s state pull), "+
			"terraform import what is missing, then move %s away and run this again",
			b.local, b.stack.Backend, strings.Join(missing, ", "), b.stack.Dir, filepath.Base(b.local))
	}
	for _, file := range []string{b.local, b.local + ".backup"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	b.say("verified: all %d resources are in it, local copy deleted", len(remote.IDs))
	return nil
}

// update is what every later run does.
func (b *run) update(ctx context.Context, state stack.State) error {
	plan, err := b.stack.Plan(ctx)
	if err != nil {
		return err
	}
	if plan.Empty() {
		b.say("nothing to change: %d resources, state in %s", len(state.IDs), b.stack.Backend)
		return nil
	}
	b.say("changes to what exists:\n%s", strings.TrimRight(plan.String(), "\n"))
	if err := b.stack.ApplyPlan(ctx); err != nil {
		return err
	}
	b.say("applied: %d changes, state in %s", len(plan.Changes), b.stack.Backend)
	return nil
}

func (b *run) say(format string, args ...any) {
	fmt.Fprintf(b.out, "bootstrap  %5.1f s  %s\n", time.Since(b.start).Seconds(), fmt.Sprintf(format, args...))
}
