package release

import (
	"context"
	"fmt"
	"strings"

	"aws-microservices/stacks"
)

// Verify says for every service of an environment whether what it should run serves: after a change by Terraform, which
// reports one that ECS rolled back as applied. It follows the deployments under way. It changes nothing.
func (r Releaser) Verify(ctx context.Context, environment string) ([]*Outcome, error) {
	t, err := r.Enter(ctx, environment)
	if err != nil {
		return nil, err
	}
	var outcomes []*Outcome
	var wrong []string
	code := ExitServes
	for _, one := range r.Config.Platform.Services {
		outcome := &Outcome{Environment: t.Name, Service: one.Name}
		outcomes = append(outcomes, outcome)
		err := r.deployer(t, one, outcome).verify(ctx, one)
		if c := ExitCode(err); c == ExitRefused || c == ExitUnfinished {
			return outcomes, err
		}
		if err != nil {
			code = ExitFailed
			wrong = append(wrong, err.Error())
		}
	}
	if code != ExitServes {
		return outcomes, Failed("%s", strings.Join(wrong, "\n"))
	}
	t.Say("%s: every service runs what it should", t.Name)
	return outcomes, nil
}

// verify follows what is under way in a service, and says whether it serves and agrees with the ledger.
func (d *deployer) verify(ctx context.Context, one stacks.Service) error {
	d.since, d.resumed, d.shortest = d.now(), "verify "+d.environment, 40
	seen, err := again(ctx, d, "look at the service", func(ctx context.Context) (sight, error) { return observe(ctx, d.world, one) })
	if err != nil {
		return err
	}
	ledger := last(seen.history)
	d.image = Image{Version: ledger.name(), Commit: ledger.Commit, Reference: ledger.Value}
	d.outcome.Version, d.outcome.Commit, d.outcome.Digest = ledger.name(), ledger.Commit, digest(ledger.Value)
	// Terraform may have changed the shape only, so the version alone does not say what failed.
	what := fmt.Sprintf("%s (%s)", tail(seen.newest.ARN), ledger.name())
	var v verdict
	if d.longRunning {
		primary := seen.state.primary()
		d.outcome.Deployment, d.outcome.Revision = primary.ID, tail(primary.Revision)
		d.since = primary.Created
		// ECS says so of the deployment that it went back to, as long as that is under way.
		back := primary.rollback() != ""
		var state state
		if v, state, err = d.watch(ctx, primary.ID, seen.running); err != nil {
			return err
		}
		d.outcome.Result, d.outcome.Message = v.Result, v.Reason
		if v.Result == Serves && back {
			d.outcome.Result, d.outcome.Message = RolledBack, primary.Reason
		}
		if d.outcome.Result != Serves {
			d.explain(ctx, state, seen.newest)
			return Failed("%s", d.outcome.text(what, labelled(seen.history, seen.running.Image)))
		}
	}
	if seen, err = again(ctx, d, "look at the service", func(ctx context.Context) (sight, error) { return observe(ctx, d.world, one) }); err != nil {
		return err
	}
	if apart := seen.disagreements(one, d.environment); len(apart) > 0 {
		d.outcome.Result, d.outcome.Message = RolledBack, strings.Join(apart, "; ")
		d.since = seen.state.primary().Created
		d.explain(ctx, seen.state, seen.newest)
		return Failed("%s", d.outcome.text(what, labelled(seen.history, seen.running.Image)))
	}
	d.outcome.Result = Serves
	switch {
	case !released(ledger.Value):
		d.outcome.Message = "waits for its first release"
	case !d.longRunning:
		d.outcome.Message = "is what starts next"
	case seen.state.Desired == 0:
		d.outcome.Message = "no task of it is wanted now"
	default:
		d.outcome.Message = fmt.Sprintf("%d of %d tasks run it", seen.state.Running, seen.state.Desired)
	}
	d.say("%s: %s: %s", d.service, ledger.name(), d.outcome.Message)
	return nil
}
