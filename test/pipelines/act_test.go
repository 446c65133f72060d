//go:build pipelines

package pipelines_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aws-microservices/test/pipelines/github"
)

// runTime is longer than any run here takes.
const runTime = 20 * time.Minute

// Event is what a workflow runs for.
type Event struct {
	// Name is GitHub's: pull_request, push, workflow_dispatch, schedule.
	Name string
	// Pull is the request's number; for pull_request only.
	Pull int
	// Ref is what is pushed, e.g. refs/heads/main or refs/tags/v1.2.3. Defaults to main.
	Ref string
	// Before is where a pushed branch was.
	Before string
}

// Result is a run that has ended.
type Result struct {
	ID   int
	Jobs []github.Job
	// Output is all that the jobs printed.
	Output string
}

// runs counts the runs: the number is a run's id.
var runs atomic.Int32

// Run runs a workflow of the repository for an event, at the commit that is checked out, and returns how its jobs ended.
func (r *Repository) Run(t *testing.T, event Event, workflow string) Result {
	t.Helper()
	id := int(runs.Add(1))
	commit := r.Head(t)
	if event.Ref == "" {
		event.Ref = "refs/heads/main"
	}
	payload := r.payload(t, event, commit)
	file := filepath.Join(t.TempDir(), "event.json")
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	log := r.world.github.Log(id)
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	begun, branch := commit, path.Base(event.Ref)
	if event.Name == "pull_request" {
		begun, branch = r.pull(t, event.Pull).Head, r.pull(t, event.Pull).HeadRef
	}
	r.update(t, func(s *github.State) {
		s.Runs = append(s.Runs, github.Run{ID: id, Workflow: workflow, Event: event.Name, Branch: branch, Commit: begun})
	})

	ctx, cancel := context.WithTimeout(t.Context(), runTime)
	defer cancel()
	arguments := []string{event.Name, "--workflows", filepath.Join(".github", "workflows", workflow), "--eventpath", file, "--json"}
	arguments = append(arguments, "--platform", "ubuntu-latest=-self-hosted", "--secret", "GITHUB_TOKEN=of-the-stand-in", "--no-cache-server")
	// Otherwise act gives every job the working tree, whether it checks anything out or not.
	arguments = append(arguments, "--no-skip-checkout")
	arguments = append(arguments, r.standIns(t)...)
	for _, name := range slices.Sorted(maps.Keys(r.world.variables)) {
		arguments = append(arguments, "--var", name+"="+r.world.variables[name])
	}
	environment := maps.Clone(r.world.environment)
	environment["GITHUB_RUN_ID"] = fmt.Sprint(id)
	environment["CHECKOUT_SOURCE"] = r.Dir
	// The jobs have this machine's caches, as GitHub's have theirs; act's own is the run's.
	caches, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	environment["XDG_CACHE_HOME"] = caches
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		arguments = append(arguments, "--env", name+"="+environment[name])
	}
	r.forAct(t)
	defer r.git(t, "checkout", "--quiet", "--", ".github")
	cmd := exec.CommandContext(ctx, act, arguments...)
	cmd.Dir = r.Dir
	var problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &problem
	// act's own configuration and workspaces are the run's.
	home := t.TempDir()
	cmd.Env = append(r.world.processEnvironment(), "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	failed := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s was not done after %s: see %s", workflow, runTime, log)
	}
	jobs, err := r.world.github.Jobs(id)
	if err != nil {
		t.Fatal(err)
	}
	if len(jobs) == 0 {
		t.Fatalf("%s ran no job: %v\n%s", workflow, failed, problem.String())
	}
	result := Result{ID: id, Jobs: jobs}
	conclusion := "success"
	for _, job := range jobs {
		result.Output += job.Log
		if !job.OK() {
			conclusion = "failure"
		}
	}
	if failed != nil {
		conclusion = "failure"
	}
	r.update(t, func(s *github.State) {
		for i := range s.Runs {
			if s.Runs[i].ID == id {
				s.Runs[i].Conclusion = conclusion
			}
		}
	})
	t.Logf("run %d of %s for %s: %s: %s\n%s", id, workflow, event.Name, conclusion, result, problem.String())
	return result
}

// queue is what act does not know yet; in the working tree only, the jobs get the commit.
var queue = regexp.MustCompile(`(?m)^ *queue: max\n`)

// forAct takes out of the workflows what GitHub knows and act does not.
func (r *Repository) forAct(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.Dir, ".github", "workflows", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, queue.ReplaceAll(text, nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// String is how the jobs ended.
func (r Result) String() string {
	var rows []string
	for _, job := range r.Jobs {
		conclusion := "did not end"
		if job.Conclusion != nil {
			conclusion = *job.Conclusion
		}
		rows = append(rows, fmt.Sprintf("%s %s (%.0f s)", job.Name, conclusion, job.Completed.Sub(job.Started).Seconds()))
	}
	return strings.Join(rows, ", ")
}

// Want fails unless just these jobs ran and ended as it says: "success" or "failure" by job, with its matrix in brackets. The job
// that reports is left out: it always runs.
func (r Result) Want(t *testing.T, wanted map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, job := range r.Jobs {
		if job.Name == "report" {
			continue
		}
		got[job.Name] = "did not end"
		if job.Conclusion != nil {
			got[job.Name] = *job.Conclusion
		}
	}
	if !maps.Equal(got, wanted) {
		t.Fatalf("jobs ended as %v, want %v\n%s", got, wanted, r.tail())
	}
}

// Says fails unless the jobs printed each of the texts.
func (r Result) Says(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Output, text) && !strings.Contains(r.Summary(), text) {
			t.Errorf("nothing says %q:\n%s", text, r.tail())
		}
	}
}

// Summary is what the run's page shows.
func (r Result) Summary() string {
	var all strings.Builder
	for _, job := range r.Jobs {
		all.WriteString(job.Summary)
	}
	return all.String()
}

// tail is the end of what the jobs that failed printed.
func (r Result) tail() string {
	var all strings.Builder
	for _, job := range r.Jobs {
		if job.OK() {
			continue
		}
		lines := strings.Split(job.Log, "\n")
		fmt.Fprintf(&all, "--- %s\n%s\n", job.Name, strings.Join(lines[max(0, len(lines)-60):], "\n"))
	}
	return all.String()
}

// payload is what GitHub tells a workflow about the event.
func (r *Repository) payload(t *testing.T, event Event, commit string) map[string]any {
	repository := map[string]any{"full_name": github.Repository, "default_branch": "main", "name": github.Name, "owner": map[string]any{"login": github.Owner}}
	switch event.Name {
	case "pull_request":
		pull := r.pull(t, event.Pull)
		labels := []map[string]any{}
		for _, label := range pull.Labels {
			labels = append(labels, map[string]any{"name": label})
		}
		return map[string]any{
			"action": "synchronize", "number": pull.Number, "repository": repository,
			"pull_request": map[string]any{
				"number": pull.Number, "labels": labels,
				"head": map[string]any{"sha": pull.Head, "ref": pull.HeadRef, "repo": map[string]any{"full_name": github.Repository, "fork": false}},
				"base": map[string]any{"sha": r.git(t, "rev-parse", "main"), "ref": "main"},
			},
		}
	case "push":
		return map[string]any{"ref": event.Ref, "before": event.Before, "after": commit, "repository": repository}
	default:
		return map[string]any{"ref": event.Ref, "repository": repository}
	}
}

var uses = regexp.MustCompile(`uses: *['"]?([\w.-]+/[\w.-]+)((?:/[\w./-]+)?)@([\w.-]+)`)

// standIns are act's arguments that put ours in the place of the actions that the workflows use.
func (r *Repository) standIns(t *testing.T) []string {
	t.Helper()
	var arguments []string
	seen := map[string]bool{}
	for _, pattern := range []string{"workflows/*.yml", "actions/*/action.yml"} {
		files, err := filepath.Glob(filepath.Join(r.Dir, ".github", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range uses.FindAllStringSubmatch(string(text), -1) {
				folder := filepath.Join(root, "test", "pipelines", "actions", m[1])
				if _, err := os.Stat(folder + m[2]); err != nil {
					t.Fatalf("%s uses %s: there is no stand-in for it", filepath.Base(file), m[1]+m[2])
				}
				if key := m[1] + "@" + m[3]; !seen[key] {
					seen[key] = true
					arguments = append(arguments, "--local-repository", key+"="+folder)
				}
			}
		}
	}
	return arguments
}
