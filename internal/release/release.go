// Package release gives a service another image, and tells what became of it.
//
//	version -> digest (ECR) -> ledger (SSM) -> revision -> deployment -> verdict -> metrics
//
// The ledger is the parameter that Terraform reads the image from and never writes back; its history is what was released,
// by whom and when. A release is a walk through these states, L being the image in the ledger, N that of the newest revision
// and S that of the service, from the image A to B:
//
//	   L N S
//	0  A A A  nothing was done
//	1  B A A  the ledger is written, ahead of all else: from here on a plan of Terraform wants B too
//	2  B B A  a revision is registered, a copy of the newest with this one image changed: a plan is empty
//	3  B B B  the service is updated; its deployment is followed by the id that AWS answered with
//	4  B B B  the deployment is COMPLETED and as many tasks run as are wanted: B serves
//
// When the deployment fails, ECS goes back to A, or is made to:
//
//	5  B B A  rolled back
//	6  A B A  the ledger is written back, with the reason: else a plan would deploy B once more
//	7  A A A  the revision of B is deregistered: the newest is what runs, a plan is empty
//
// Every step looks at what is there and does what is missing, so the same release run again after it was killed in any state
// ends where it would have: in 1 and 2 it goes on, in 3 it follows the deployment under way, in 4 it says that B serves, in 5
// to 7 it tries B once more. A rollback run again goes to the same image. Two at once: the later one to write the ledger goes
// on, the other sees that before it updates the service, and refuses; the one that comes to serve makes the ledger say so.
//
// A service whose environment never had a release waits at zero, its autoscaling suspended. The first release starts it, and
// puts it back to waiting if it fails.
package release

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/registry"
	"aws-microservices/internal/operate"
	"aws-microservices/stacks"
)

// Web is the name that the page is released under.
const Web = "web"

// Releaser releases the services of a platform.
type Releaser struct {
	operate.Operator
	// Force replaces a deployment that is under way. Defaults to false: that is refused.
	Force bool
	// Committed is when the commit was made. Defaults to what the image says of itself.
	Committed time.Time
	// Digest is the image that is meant. Defaults to whichever the version names.
	Digest string
	// Folder is where the built page is.
	Folder string
}

// HasSite tells whether a platform has a page to release.
func HasSite(p stacks.Platform) bool {
	return !slices.ContainsFunc(p.Services, func(s stacks.Service) bool { return s.Path == ingress.Root })
}

// released are what can be released: the services, and the page.
func (r Releaser) released() []stacks.Service {
	all := r.Config.Platform.Services
	if HasSite(r.Config.Platform) {
		all = append(slices.Clone(all), stacks.Service{Name: Web})
	}
	return all
}

// open finds a service and goes to its environment.
func (r Releaser) open(ctx context.Context, environment, name string) (*operate.Target, stacks.Service, error) {
	s, err := operate.Named("service", name, r.released(), func(s stacks.Service) string { return s.Name })
	if err != nil {
		return nil, s, err
	}
	t, err := r.Enter(ctx, environment)
	return t, s, err
}

func (r Releaser) repository(t *operate.Target, service string) repository {
	shared := r.Config.Shared
	return repository{
		ecr: ecr.NewFromConfig(t.Shared), account: shared.AccountID, name: registry.Name(t.Platform, service),
		address: registry.URL(shared.AccountID, shared.Region, t.Platform) + "/" + service,
	}
}

// Deploy releases a version and waits for the verdict: the error is nil only if it serves.
func (r Releaser) Deploy(ctx context.Context, environment, name, version string) (outcome *Outcome, err error) {
	outcome = &Outcome{Environment: environment, Service: name, Version: version}
	defer outcome.complete(&err)
	t, s, err := r.open(ctx, environment, name)
	if err != nil {
		return outcome, err
	}
	if name == Web {
		return outcome, r.site(ctx, t, outcome, func(site *Site) error {
			commit, _ := strings.CutPrefix(version, "commit-")
			if commit == version {
				commit = ""
			}
			return site.Deploy(ctx, version, commit, r.Folder)
		})
	}
	image, err := r.repository(t, name).resolve(ctx, version)
	if err == nil {
		err = image.is(r.Digest)
	}
	if err != nil {
		return outcome, notBegun(err)
	}
	t.Say("%s: %s is %s", name, version, image.Reference)
	d := r.deployer(t, s, outcome)
	d.choose(image)
	if !r.Committed.IsZero() {
		d.image.Committed = r.Committed
	}
	return outcome, d.run(ctx)
}

// Rollback releases an earlier version: the one of the name, or the newest that was not rolled back itself.
func (r Releaser) Rollback(ctx context.Context, environment, name, version string) (outcome *Outcome, err error) {
	outcome = &Outcome{Environment: environment, Service: name, Version: version}
	defer outcome.complete(&err)
	t, s, err := r.open(ctx, environment, name)
	if err != nil {
		return outcome, err
	}
	if name == Web {
		return outcome, r.site(ctx, t, outcome, func(site *Site) error { return site.Rollback(ctx, version) })
	}
	d := r.deployer(t, s, outcome)
	history, err := d.world.history(ctx)
	if err != nil {
		return outcome, notBegun(err)
	}
	running, err := d.runs(ctx)
	if err != nil {
		return outcome, notBegun(err)
	}
	target, err := destination(history, running, version)
	if err != nil {
		return outcome, err
	}
	repository := r.repository(t, name)
	var image Image
	if target.Value == "" {
		image, err = repository.resolve(ctx, version)
	} else {
		image = Image{Version: target.name(), Commit: target.Commit, Reference: target.Value}
		err = repository.holds(ctx, target.Value)
	}
	if err != nil {
		return outcome, notBegun(err)
	}
	d.choose(image)
	d.goesBackFrom(history)
	t.Say("%s: back to %s (%s)", name, image.Version, image.Reference)
	return outcome, d.run(ctx)
}

// destination is where a rollback goes. An empty entry means that the ledger does not know the version.
func destination(history []Entry, running, version string) (Entry, error) {
	if version == "" {
		// A rollback that was stopped before it reached the service: it is done again, not another one.
		if now := last(history); now.RolledBack != "" && now.Value != running && released(now.Value) {
			return now, nil
		}
		earlier, known := previous(history)
		if !known || !released(earlier.Value) {
			return Entry{}, Refused("there is no earlier release to go back to: %s",
				"name a version, and see deploy.sh history")
		}
		return earlier, nil
	}
	if err := checkVersion(version); err != nil {
		return Entry{}, err
	}
	for _, e := range slices.Backward(history) {
		commit, isCommit := strings.CutPrefix(version, "commit-")
		if released(e.Value) && (e.Version == version || isCommit && strings.HasPrefix(e.Commit, commit)) {
			return e, nil
		}
	}
	return Entry{}, nil
}

func (r Releaser) deployer(t *operate.Target, s stacks.Service, outcome *Outcome) *deployer {
	return &deployer{
		world: openCloud(t, s), service: s.Name, environment: t.Name, longRunning: s.Kind.LongRunning(),
		tasks: t.SizeOf(s.Name).MinTasks, say: t.Say, force: r.Force, outcome: outcome,
	}
}

// choose is what will be released.
func (d *deployer) choose(image Image) {
	d.image = image
	d.outcome.Version, d.outcome.Commit, d.outcome.Digest = image.Version, image.Commit, digest(image.Reference)
}

// goesBackFrom says what a rollback leaves.
func (d *deployer) goesBackFrom(history []Entry) {
	current := last(history)
	if current.Value == d.image.Reference {
		d.note, d.left = current.Note, current.RolledBack
		return
	}
	d.note, d.left = "rolled back from "+current.name(), current.Value
}

// runs is the image that the service runs, or that is started next.
func (d *deployer) runs(ctx context.Context) (string, error) {
	if !d.longRunning {
		r, err := d.newest(ctx)
		return r.Image, err
	}
	seen, err := d.look(ctx)
	if err != nil {
		return "", err
	}
	r, err := d.revision(ctx, seen.primary().Revision)
	return r.Image, err
}

// site releases the page.
func (r Releaser) site(ctx context.Context, t *operate.Target, outcome *Outcome, release func(*Site) error) error {
	began := time.Now()
	site := r.openSite(t)
	err := release(site)
	outcome.Seconds = time.Since(began).Seconds()
	m := measures{Serves: err == nil, Seconds: outcome.Seconds}
	if code := ExitCode(err); code == ExitRefused || code == ExitUnfinished {
		return err
	}
	if err == nil {
		var now Entry
		if now, err = site.Current(ctx); err != nil {
			return err
		}
		outcome.Version, outcome.Commit, outcome.Result = now.name(), now.Commit, Serves
		m.RolledBack = now.RolledBack != ""
		if !r.Committed.IsZero() && !m.RolledBack {
			m.LeadSeconds = time.Since(r.Committed).Seconds()
		}
		// By AWS's clock the entry may be a little older than this.
		if history, err := site.History(ctx); err == nil && now.At.After(began.Add(-time.Minute)) {
			m.RestoreSeconds = recovery(history, false, time.Now()).Seconds()
		}
	}
	if err := openCloud(t, stacks.Service{Name: Web}).measure(ctx, m); err != nil {
		t.Say("%s: warning: the metrics of this release are lost: %v", Web, err)
	}
	return err
}

func (r Releaser) openSite(t *operate.Target) *Site {
	return NewSite(t.AWS, t.Platform, t.Name, t.AccountID, t.Say)
}

// History is what was released of a service, newest first.
func (r Releaser) History(ctx context.Context, environment, name string) ([]Entry, error) {
	t, s, err := r.open(ctx, environment, name)
	if err != nil {
		return nil, err
	}
	ledger := openCloud(t, s).history
	if name == Web {
		ledger = r.openSite(t).History
	}
	history, err := ledger(ctx)
	slices.Reverse(history)
	return history, err
}
