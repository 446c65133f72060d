package live_test

import (
	"os"
	"strings"
	"testing"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
)

func TestEveryStackValidates(t *testing.T) {
	begin(t)
	names, err := stack.Names(out)
	must(t, err)
	dir := t.TempDir()
	must(t, live.Copy(out, dir, names...))
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			must(t, open(t, dir, name, os.Environ()).Validate(t.Context()))
		})
	}
}

// Every environment, prod included, is planned by the provider from the JSON alone: names and enumerations that the
// provider knows, references, conflicts between arguments.
func TestEveryEnvironmentPlans(t *testing.T) {
	begin(t)
	w := sharedWorld(t)
	environments, err := live.Environments(w.dir)
	must(t, err)
	if len(environments) == 0 {
		t.Fatalf("there are no environments in %s: run make synth", out)
	}
	for _, name := range environments {
		t.Run(name, func(t *testing.T) {
			s := w.open(t, name)
			must(t, s.Init(t.Context()))
			must(t, live.MakeZones(t.Context(), s, w.env))
			plan, err := s.Diff(t.Context())
			must(t, err)
			created := plan.Count("create")
			if created < len(s.Resources) {
				t.Errorf("the plan creates %d resources of the %d in the JSON:\n%s", created, len(s.Resources), plan)
			}
			if others := plan.Count("update", "delete", "replace"); others > 0 {
				t.Errorf("the first plan changes %d resources of something else:\n%s", others, plan)
			}
			t.Logf("%d resources to create", created)
		})
	}
}

func TestDevAppliesReplansAndDestroys(t *testing.T) {
	begin(t)
	w := emptyWorld(t)
	log := newLines()
	must(t, bootstrap.Run(t.Context(), bootstrap.Options{Dir: w.dir, Env: w.env, Out: logger{t}}))
	progress := live.NewProgress(logger{t})
	err := live.Cycle(t.Context(), live.Options{
		Dir: w.dir, Env: w.env, Progress: progress, Log: log, Disposable: true,
	}, live.Shared, "dev")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{live.Shared, "dev"} {
		for _, step := range []string{"apply", "second plan", "destroy"} {
			if !took(progress.Steps, name, step) {
				t.Errorf("step %q of stack %s did not run", step, name)
			}
		}
		if left := state(t, w.open(t, name)).Addresses(); len(left) > 0 {
			t.Errorf("stack %s still holds %s", name, strings.Join(left, ", "))
		}
	}
}

func took(steps []live.Step, stackName, name string) bool {
	for _, s := range steps {
		if s.Stack == stackName && s.Name == name {
			return true
		}
	}
	return false
}

// logger writes progress to the test's log.
type logger struct{ t *testing.T }

func (l logger) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
