package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// deployer releases one image of one service.
type deployer struct {
	world
	// service and environment are for people to read, longRunning says that ECS keeps tasks of it running.
	service, environment string
	longRunning          bool
	// tasks is how many a service that waits for its first release begins with.
	tasks int
	say   func(format string, args ...any)

	image Image
	// note goes into the ledger, and left is what a rollback leaves.
	note, left string
	// force replaces a deployment under way.
	force bool
	// shortest is after how many looks a service that is short of tasks has failed. Defaults to never.
	shortest int
	// resumed is the command that carries on.
	resumed string

	outcome *Outcome
	history []Entry
	// started is when this began, and since when what is followed did. before is the revision that ran until this began one.
	started, since time.Time
	before         revision
	// first says that the service had waited for its first release.
	first, scales bool
	// standing says that the version was deployed before this began: it is not taken back.
	standing bool
	// down says that no task of the service ran when this began, and back that what ran before does again.
	down, back bool
	// begun says that something was changed or followed.
	begun bool
	// ended are the tasks that were seen to stop, which ECS forgets after a while.
	ended []Task
}

// run is the state machine in the package's comment.
func (d *deployer) run(ctx context.Context) error {
	d.started = d.now()
	// By AWS's clock it may have begun a little earlier.
	d.since = d.started.Add(-time.Minute)
	err := d.attempt(ctx)
	if !d.begun {
		err = notBegun(err)
	}
	d.outcome.Seconds = d.now().Sub(d.started).Seconds()
	switch ExitCode(err) {
	case ExitServes, ExitFailed:
		d.report(ctx, err == nil)
	}
	return err
}

func (d *deployer) attempt(ctx context.Context) error {
	if !d.longRunning {
		return d.replace(ctx)
	}
	seen, err := again(ctx, d, "look at the service", d.look)
	if err != nil {
		return err
	}
	if seen.Status != "ACTIVE" {
		return Refused("service %s is %s: make deploy ENV=%s", d.service, seen.Status, d.environment)
	}
	primary := seen.primary()
	running, err := again(ctx, d, "read what runs", func(ctx context.Context) (revision, error) { return d.revision(ctx, primary.Revision) })
	if err != nil {
		return err
	}
	if err := d.waiting(ctx, seen, running); err != nil {
		return err
	}
	d.down = d.first || seen.Desired > 0 && seen.Running == 0
	if d.history, err = again(ctx, d, "read the ledger", d.world.history); err != nil {
		return err
	}
	same := running.Image == d.image.Reference && primary.Rollout != failedRollout
	switch {
	case !seen.deploys() || same || d.force:
	case placeholder(running.Image):
		// What goes back to no image, after a first release that failed, never comes to an end.
	case d.leaves(seen, running):
		return d.leave(ctx, seen, running)
	default:
		return d.busy(seen, running)
	}
	if same && (seen.deploys() || !d.first) {
		if seen.deploys() {
			d.say("%s: %s is being deployed already: following that", d.service, d.image.Version)
		} else {
			d.say("%s: %s is what it runs already", d.service, d.image.Version)
			d.standing = true
		}
		return d.follow(ctx, primary.ID, running)
	}
	d.before = running
	return d.begin(ctx, seen)
}

// waiting finds out whether the service waits at zero for its first release.
func (d *deployer) waiting(ctx context.Context, seen state, running revision) error {
	suspended, scales, err := d.scaling(ctx)
	d.scales = scales
	d.first = suspended || !scales && seen.Desired == 0 && placeholder(running.Image)
	return err
}

func (d *deployer) scaling(ctx context.Context) (suspended, scales bool, err error) {
	both, err := again(ctx, d, "read the autoscaling", func(ctx context.Context) ([2]bool, error) {
		waits, scales, err := d.waits(ctx)
		return [2]bool{waits, scales}, err
	})
	return both[0], both[1], err
}

func (d *deployer) busy(seen state, running revision) error {
	what := labelled(d.history, running.Image)
	return Refused("%s is being deployed already: deployment %s of %s (%s), %s\nwait for it, or replace it with -force",
		d.service, seen.primary().ID, tail(running.ARN), what.name(), seen.primary().judge(seen).Progress)
}

// leaves tells whether the deployment under way takes the service back from this version, which failed since it was released.
func (d *deployer) leaves(seen state, running revision) bool {
	now := last(d.history)
	if now.Value != d.image.Reference && (now.RolledBack != d.image.Reference || now.Value != running.Image) {
		return false
	}
	since := labelled(d.history, d.image.Reference).At
	return seen.primary().rollback() != "" ||
		slices.ContainsFunc(seen.Events, func(e event) bool { return e.At.After(since) && strings.Contains(e.Text, "deployment failed") })
}

// leave ends a release that was killed while it failed: it waits until the service is back.
func (d *deployer) leave(ctx context.Context, seen state, running revision) error {
	failed, err := again(ctx, d, "read the task definition", d.newest)
	if err != nil {
		return err
	}
	d.begun = true
	d.since = labelled(d.history, d.image.Reference).At
	d.say("%s: %s failed already, and the service goes back: following that", d.service, d.image.Version)
	v, seen, err := d.watch(ctx, seen.primary().ID, running)
	if err != nil {
		return err
	}
	v.Reason = firstOf(seen.failure(""), v.Reason, "it went back before this was run again")
	v.Result = RolledBack
	return d.fail(ctx, seen, failed, v)
}

// fail tells why a version does not serve, and leaves what does.
func (d *deployer) fail(ctx context.Context, seen state, r revision, v verdict) error {
	rest, cancel := finishing(ctx)
	defer cancel()
	d.outcome.Result, d.outcome.Message = v.Result, v.Reason
	d.explain(rest, seen, r)
	if d.standing {
		return Failed("%s", d.outcome.text(d.image.Version, last(d.history)))
	}
	running, id, err := d.restore(rest, seen, v)
	var now Entry
	if err == nil {
		now, err = d.settle(rest, running, fmt.Sprintf("%s was rolled back: %s", d.image.Version, v.Reason))
		d.outcome.Now = now.name()
	}
	failed := Failed("%s", d.outcome.text(d.image.Version, now))
	if err == nil && id != "" {
		err = d.await(ctx, id, running)
	}
	d.back = err == nil && !placeholder(running.Image)
	return errors.Join(failed, err)
}

// replace gives a Job or a Task its image: whatever starts it takes the newest revision.
func (d *deployer) replace(ctx context.Context) error {
	var err error
	if d.history, err = again(ctx, d, "read the ledger", d.world.history); err != nil {
		return err
	}
	if d.before, err = again(ctx, d, "read the task definition", d.newest); err != nil {
		return err
	}
	d.standing = d.before.Image == d.image.Reference
	if _, err := d.announce(ctx); err != nil {
		return err
	}
	r, err := d.prepare(ctx)
	if err != nil {
		return d.undo(ctx, err)
	}
	d.outcome.Revision, d.outcome.Result = tail(r.ARN), Serves
	d.say("%s: %s is what starts from now on (%s)", d.service, d.image.Version, tail(r.ARN))
	return nil
}

// begin is the way from the ledger to the deployment. Whatever it is stopped after, the same release run again finds it and
// carries on from there.
func (d *deployer) begin(ctx context.Context, seen state) error {
	number, err := d.announce(ctx)
	if err != nil {
		return err
	}
	r, err := d.prepare(ctx)
	if err != nil {
		return d.undo(ctx, err)
	}
	if err := d.claim(ctx, number, r); err != nil {
		return err
	}
	var tasks *int
	if d.first {
		tasks = &d.tasks
		d.say("%s: its first release: %d tasks are wanted from now on", d.service, d.tasks)
	}
	anew := seen.primary().Revision == r.ARN
	id, err := again(ctx, d, "start the deployment", func(ctx context.Context) (string, error) { return d.update(ctx, r, tasks, anew) })
	if err != nil {
		return d.undo(ctx, err)
	}
	d.say("%s: deployment %s of %s", d.service, id, tail(r.ARN))
	return d.follow(ctx, id, r)
}

// undo makes the ledger say what runs when AWS refused a step. Where only the waiting ended, it is left for the next run.
func (d *deployer) undo(ctx context.Context, why error) error {
	if ExitCode(why) == ExitUnfinished {
		return why
	}
	ctx, cancel := finishing(ctx)
	defer cancel()
	d.outcome.Result = Broken
	now, err := d.settle(ctx, d.before, fmt.Sprintf("%s could not be deployed: %v", d.image.Version, why))
	return errors.Join(fmt.Errorf("%s: %w\nthe ledger says %s", d.service, why, now.name()), err)
}

// settle makes ledger and newest revision those of what runs, whatever was written meanwhile: this is the truth. Another release
// that has not reached the service yet sees it and refuses.
func (d *deployer) settle(ctx context.Context, running revision, note string) (now Entry, err error) {
	history, err := again(ctx, d, "read the ledger", d.world.history)
	if err != nil {
		return Entry{}, err
	}
	now = labelled(history, running.Image)
	if last(history).Value != running.Image {
		label := Label{Version: now.Version, Commit: now.Commit, RolledBack: d.image.Reference, Note: note}
		_, err := again(ctx, d, "write the ledger", func(ctx context.Context) (int64, error) { return d.write(ctx, running.Image, label) })
		if err != nil {
			return now, err
		}
		d.say("%s: the ledger says %s again", d.service, now.name())
	}
	return now, d.tidy(ctx, running)
}

// announce writes the ledger ahead of everything else.
func (d *deployer) announce(ctx context.Context) (number int64, err error) {
	current := last(d.history)
	if current.Value == d.image.Reference && (d.left == "" || current.RolledBack == d.left) {
		d.begun = true // by a run before this one
		return current.Number, nil
	}
	label := Label{Version: d.image.Version, Commit: d.image.Commit, Note: d.note, RolledBack: d.left}
	number, err = again(ctx, d, "write the ledger", func(ctx context.Context) (int64, error) {
		return d.write(ctx, d.image.Reference, label)
	})
	if err != nil {
		return 0, err
	}
	d.begun = true
	d.say("%s: the ledger says %s (%s), entry %d", d.service, d.image.Version, short(d.image.Reference), number)
	return number, nil
}

// prepare finds or makes the revision that runs the image.
func (d *deployer) prepare(ctx context.Context) (revision, error) {
	r, err := again(ctx, d, "read the task definition", d.newest)
	if err != nil || r.Image == d.image.Reference {
		return r, err
	}
	return again(ctx, d, "register a revision", func(ctx context.Context) (revision, error) { return d.register(ctx, r, d.image.Reference) })
}

// claim makes sure that nobody else began meanwhile: of two that write the ledger, the later one goes on.
func (d *deployer) claim(ctx context.Context, number int64, r revision) error {
	history, err := again(ctx, d, "read the ledger", d.world.history)
	if err != nil {
		return err
	}
	if now := last(history); now.Number > number && now.Value != d.image.Reference {
		return errors.Join(
			Refused("somebody else releases %s: %s wrote %s into the ledger meanwhile", d.service, person(now.By), now.name()),
			d.forgo(ctx, r))
	}
	seen, err := again(ctx, d, "look at the service", d.look)
	if err != nil {
		return err
	}
	primary := seen.primary()
	if !seen.deploys() || primary.Revision == r.ARN || primary.Revision == d.before.ARN || d.force {
		return nil
	}
	// The other one wrote first and started first. It is its image that the ledger has to say.
	other, err := again(ctx, d, "read what runs", func(ctx context.Context) (revision, error) { return d.revision(ctx, primary.Revision) })
	if err != nil {
		return err
	}
	if other.Image != d.image.Reference {
		back := labelled(history, other.Image)
		_, err = again(ctx, d, "write the ledger", func(ctx context.Context) (int64, error) {
			return d.write(ctx, other.Image, Label{
				Version: back.Version, Commit: back.Commit, Note: d.image.Version + " was refused: this one was being deployed",
				RolledBack: d.image.Reference,
			})
		})
	}
	return errors.Join(d.busy(seen, other), err, d.forgo(ctx, r))
}

// forgo withdraws the revision of a release that did not begin, unless it ran before: it may be what failed and was tried anew.
func (d *deployer) forgo(ctx context.Context, r revision) error {
	if r.ARN == d.before.ARN {
		return nil
	}
	return d.withdraw(ctx, r)
}

// withdraw deregisters a revision that nothing runs, so that the newest is what runs.
func (d *deployer) withdraw(ctx context.Context, r revision) error {
	_, err := again(ctx, d, "deregister the revision", func(ctx context.Context) (struct{}, error) { return struct{}{}, d.deregister(ctx, r) })
	return err
}

// follow watches the deployment to its end, and leaves ledger, task definition and service in agreement.
func (d *deployer) follow(ctx context.Context, id string, r revision) error {
	d.begun = true
	d.outcome.Deployment, d.outcome.Revision = id, tail(r.ARN)
	if d.first && d.scales {
		_, err := again(ctx, d, "begin autoscaling", func(ctx context.Context) (struct{}, error) { return struct{}{}, d.rouse(ctx) })
		if err != nil {
			return err
		}
	}
	v, seen, err := d.watch(ctx, id, r)
	if err != nil {
		return err
	}
	d.outcome.Result = v.Result
	switch v.Result {
	case Serves:
		return d.confirm(ctx, seen, r)
	case RolledBack, Broken:
		return d.fail(ctx, seen, r, v)
	}
	d.outcome.Message = v.Reason
	return Failed("%s: %s does not serve: %s; the ledger is left to whoever did that", d.service, d.image.Version, v.Reason)
}

// patience is how often ECS is looked at until it begins to go back from a deployment that failed, or lists one that was just
// started.
const patience = 12

// crashes is how many tasks may end after a deployment was complete, before as many as are wanted run at one time.
const crashes = 3

func (d *deployer) watch(ctx context.Context, id string, r revision) (verdict, state, error) {
	said := ""
	tell := func(text string) {
		if text != said {
			d.say("%s: %s", d.service, text)
			said = text
		}
	}
	why, known, broken, short, ended := "", false, 0, 0, 0
	for n := 0; ; n++ {
		seen, err := d.look(ctx)
		if ctx.Err() != nil {
			return verdict{}, state{}, d.unfinished(ctx, "the deployment goes on")
		}
		if err != nil && !passing(err) {
			return verdict{}, state{}, Unfinished("%w\nnobody watches the deployment of %s any more, and it goes on; %s", err, d.service, d.resume())
		}
		if err != nil {
			tell(fmt.Sprintf("AWS does not answer (%v): trying on", err))
			d.pause(ctx, n)
			continue
		}
		v := judge(seen, id, r.ARN, d.before.ARN)
		own, listed := seen.deployment(id)
		known = known || listed
		if !known && v.Result != Deleted && n < patience {
			// ECS may tell for some seconds what was before. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
			tell("ECS does not list the deployment yet")
			d.pause(ctx, n)
			continue
		}
		if listed && !own.Created.IsZero() {
			d.since = own.Created
		}
		if v.Adopt != "" {
			id, d.outcome.Deployment = v.Adopt, v.Adopt
		}
		if v.Result == Broken {
			if broken++; broken >= patience {
				v.Final = true
			}
		}
		if own.Rollout == failedRollout {
			why = firstOf(own.Reason, why)
		}
		if v.Result == RolledBack {
			v.Reason = firstOf(why, v.Reason)
			v.Final = v.Final || d.toNothing(ctx, seen)
		}
		tell(v.Progress)
		if v.Final {
			return v, seen, nil
		}
		completed := own.Rollout == completedRollout
		if completed || own.Failed > 0 || v.Result != Waiting {
			d.collect(ctx, r)
		}
		if completed {
			// It was complete, and is short of tasks: some start late, or they do not stay.
			if short++; short == 1 {
				ended = len(d.ended)
			}
			if len(d.ended)-ended >= crashes || d.shortest > 0 && short >= d.shortest {
				v.Result, v.Reason = Broken, fmt.Sprintf("its tasks do not stay: %s", v.Progress)
				return v, seen, nil
			}
		}
		d.pause(ctx, n)
	}
}

// toNothing tells whether ECS goes back to where the service waited for its first release: there is no image to go back to.
func (d *deployer) toNothing(ctx context.Context, seen state) bool {
	r, err := d.revision(ctx, seen.primary().Revision)
	return err == nil && placeholder(r.Image)
}

// collect remembers the tasks that stopped, one line each.
func (d *deployer) collect(ctx context.Context, r revision) {
	tasks, err := d.stopped(ctx, r, d.since)
	if err != nil {
		return // it is looked for again
	}
	for _, t := range tasks {
		if !slices.ContainsFunc(d.ended, func(o Task) bool { return o.ID == t.ID }) {
			d.ended = append(d.ended, t)
			d.say("%s: task %s", d.service, t)
		}
	}
}

// confirm makes the ledger say what serves, if two releases crossed each other, and drops what was tried in vain before.
func (d *deployer) confirm(ctx context.Context, seen state, r revision) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	history, err := again(ctx, d, "read the ledger", d.world.history)
	if err != nil {
		return err
	}
	if last(history).Value != d.image.Reference {
		_, err := again(ctx, d, "write the ledger", func(ctx context.Context) (int64, error) {
			return d.write(ctx, d.image.Reference, Label{
				Version: d.image.Version, Commit: d.image.Commit, RolledBack: d.left,
				Note: firstOf(d.note, "what the service runs, by "+tail(r.ARN)),
			})
		})
		if err != nil {
			return err
		}
	}
	if err := d.tidy(ctx, r); err != nil {
		return err
	}
	d.outcome.Tasks = nil
	d.outcome.Message = "no task of it is wanted now: it starts when the environment wakes, or autoscaling wants it"
	if seen.Desired > 0 {
		d.outcome.Message = fmt.Sprintf("%d of %d tasks run it", seen.primary().Running, seen.primary().Desired)
	}
	d.say("%s: %s serves: %s", d.service, d.image.Version, d.outcome.Message)
	return nil
}

// tidy deregisters the revisions that are newer than what runs, unless they run the same image: those are Terraform's.
func (d *deployer) tidy(ctx context.Context, running revision) error {
	all, err := again(ctx, d, "list the revisions", d.revisions)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Number > running.Number && r.Image != running.Image {
			if err := d.withdraw(ctx, r); err != nil {
				return err
			}
			d.say("%s: deregistered %s, which nothing runs", d.service, tail(r.ARN))
		}
	}
	return nil
}

// restore finds the revision that the service runs after a release that failed. Where ECS did not go back by itself, it makes
// it: to the image before, or, if there is none, to waiting for the first release. The id is that of a deployment to wait for.
func (d *deployer) restore(ctx context.Context, seen state, v verdict) (running revision, id string, err error) {
	running, err = again(ctx, d, "read what runs", func(ctx context.Context) (revision, error) { return d.revision(ctx, seen.primary().Revision) })
	switch {
	case err != nil:
		return running, "", err
	case v.Result == RolledBack && placeholder(running.Image):
		return running, "", d.retire(ctx, running)
	case v.Result == RolledBack:
		return running, "", nil
	}
	history, err := again(ctx, d, "read the ledger", d.world.history)
	if err != nil {
		return running, "", err
	}
	target, known := previous(history)
	if last(history).Value != d.image.Reference {
		target, known = last(history), true
	}
	if !known || target.Value == running.Image {
		return running, "", nil
	}
	back, err := d.find(ctx, running, target.Value)
	if err != nil {
		return running, "", err
	}
	d.say("%s: ECS did not go back by itself: back to %s (%s)", d.service, target.name(), tail(back.ARN))
	if placeholder(back.Image) {
		return back, "", d.retire(ctx, back)
	}
	id, err = again(ctx, d, "go back", func(ctx context.Context) (string, error) { return d.update(ctx, back, nil, false) })
	return back, id, err
}

// find is the newest revision of an image, or a copy of another with it.
func (d *deployer) find(ctx context.Context, other revision, image string) (revision, error) {
	all, err := again(ctx, d, "list the revisions", d.revisions)
	if err != nil {
		return revision{}, err
	}
	if i := slices.IndexFunc(all, func(r revision) bool { return r.Image == image }); i >= 0 {
		return all[i], nil
	}
	return again(ctx, d, "register a revision", func(ctx context.Context) (revision, error) { return d.register(ctx, other, image) })
}

// retire makes the service wait for its first release: on a revision that stands for no image, in no task. The bounds come
// first, because autoscaling would start tasks.
func (d *deployer) retire(ctx context.Context, r revision) error {
	suspended, scales, err := d.scaling(ctx)
	if err == nil && scales && !suspended {
		_, err = again(ctx, d, "suspend autoscaling", func(ctx context.Context) (struct{}, error) { return struct{}{}, d.rest(ctx) })
	}
	if err == nil {
		_, err = again(ctx, d, "go back", func(ctx context.Context) (string, error) { return d.update(ctx, r, new(int), false) })
	}
	return err
}

// await waits until what ran before runs again.
func (d *deployer) await(ctx context.Context, id string, r revision) error {
	v, _, err := d.watch(ctx, id, r)
	if err == nil && v.Result != Serves {
		err = Failed("%s: what it ran before does not work either: %s", d.service, v.Reason)
	}
	return err
}

// finishing is a context for what is left to do when the verdict is there: an interrupt does not leave it half done.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	const most = 3 * time.Minute
	return context.WithTimeoutCause(context.WithoutCancel(ctx), most, fmt.Errorf("waited for %s more", most))
}

// again does a step until AWS answers: what passes by itself is waited for as long as the release may take.
func again[T any](ctx context.Context, d *deployer, what string, step func(context.Context) (T, error)) (T, error) {
	var none T
	for n := 0; ; n++ {
		if ctx.Err() != nil {
			return none, d.unfinished(ctx, "stopped before it could "+what)
		}
		// An interrupt waits for the answer, so that it is known what was done.
		done, err := step(context.WithoutCancel(ctx))
		if err == nil {
			return done, nil
		}
		if !passing(err) {
			return none, fmt.Errorf("%s: %w", what, err)
		}
		if n == 0 {
			d.say("%s: AWS does not answer, to %s (%v): trying on", d.service, what, err)
		}
		d.pause(ctx, n)
	}
}

// unfinished says that the waiting ended, and how to carry on.
func (d *deployer) unfinished(ctx context.Context, state string) error {
	d.outcome.Result = Waiting
	return Unfinished("%s: %w: %s; %s", d.service, context.Cause(ctx), state, d.resume())
}

func (d *deployer) resume() string {
	return "to carry on: ./deploy.sh " + firstOf(d.resumed, fmt.Sprintf("deploy %s %s %s", d.environment, d.service, d.image.Version))
}
