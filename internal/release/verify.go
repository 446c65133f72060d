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

// looksAgain is how often a service that does not agree with its ledger is looked at: a release may be on its way from one to
// the other.
const looksAgain = 4

// verify follows what is under way in a service, and says whether it serves and agrees with the ledger.
func (d *deployer) verify(ctx context.Context, one stacks.Service) error {
	d.since, d.resumed, d.shortest = d.now(), "verify "+d.environment, 40
	for n := 0; ; n++ {
		seen, err := d.observe(ctx, one)
		if err != nil {
			return err
		}
		if d.longRunning {
			if err := d.verdict(ctx, seen); err != nil {
				return err
			}
			if seen, err = d.observe(ctx, one); err != nil {
				return err
			}
		}
		apart := seen.disagreements(one, d.environment)
		if len(apart) == 0 && !seen.state.deploys() {
			d.good(seen)
			return nil
		}
		if n >= looksAgain && len(apart) > 0 {
			d.since = seen.state.primary().Created
			return d.bad(ctx, seen, RolledBack, strings.Join(apart, "; "))
		}
		d.pause(ctx, n)
	}
}

// observe looks at a service that is verified, and takes down what it should run.
func (d *deployer) observe(ctx context.Context, one stacks.Service) (sight, error) {
	seen, err := again(ctx, d, "look at the service", func(ctx context.Context) (sight, error) { return observe(ctx, d.world, one) })
	ledger, primary := last(seen.history), seen.state.primary()
	d.choose(Image{Version: ledger.name(), Commit: ledger.Commit, Reference: ledger.Value})
	d.outcome.Deployment, d.outcome.Revision = primary.ID, tail(primary.Revision)
	return seen, err
}

// verdict follows the deployment under way.
func (d *deployer) verdict(ctx context.Context, seen sight) error {
	primary := seen.state.primary()
	d.since = primary.Created
	v, state, err := d.watch(ctx, primary.ID, seen.running)
	if err != nil {
		return err
	}
	seen.state = state
	switch {
	case v.Result != Serves:
		return d.bad(ctx, seen, v.Result, v.Reason)
	case primary.rollback() != "":
		// ECS says so of the deployment that it went back to, as long as that is under way.
		return d.bad(ctx, seen, RolledBack, primary.Reason)
	}
	return nil
}

// bad explains what does not serve. Terraform may have changed the shape only, so the version alone does not say what that is.
func (d *deployer) bad(ctx context.Context, seen sight, result Result, reason string) error {
	d.outcome.Result, d.outcome.Message = result, reason
	d.explain(ctx, seen.state, seen.newest)
	what := fmt.Sprintf("%s (%s)", tail(seen.newest.ARN), d.image.Version)
	return Failed("%s", d.outcome.text(what, labelled(seen.history, seen.running.Image)))
}

func (d *deployer) good(seen sight) {
	d.outcome.Result = Serves
	switch {
	case !released(d.image.Reference):
		d.outcome.Message = "waits for its first release"
	case !d.longRunning:
		d.outcome.Message = "is what starts next"
	case seen.state.Desired == 0:
		d.outcome.Message = "no task of it is wanted now"
	default:
		d.outcome.Message = fmt.Sprintf("%d of %d tasks run it", seen.state.Running, seen.state.Desired)
	}
	d.say("%s: %s: %s", d.service, d.image.Version, d.outcome.Message)
}
