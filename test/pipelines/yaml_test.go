package pipelines_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"aws-microservices/stacks"
)

var root, _ = filepath.Abs("../..")

// workflow is a file of .github/workflows, as far as these tests look at it.
type workflow struct {
	Name        string         `yaml:"name"`
	On          any            `yaml:"on"`
	Permissions any            `yaml:"permissions"`
	Concurrency any            `yaml:"concurrency"`
	Jobs        map[string]job `yaml:"jobs"`
}

type job struct {
	If          string            `yaml:"if"`
	Needs       any               `yaml:"needs"`
	Uses        string            `yaml:"uses"`
	Environment any               `yaml:"environment"`
	Env         map[string]string `yaml:"env"`
	Permissions map[string]string `yaml:"permissions"`
	Timeout     any               `yaml:"timeout-minutes"`
	Concurrency *struct {
		Group  string `yaml:"group"`
		Cancel any    `yaml:"cancel-in-progress"`
		Queue  string `yaml:"queue"`
	} `yaml:"concurrency"`
	Steps []struct {
		Uses string            `yaml:"uses"`
		Run  string            `yaml:"run"`
		With map[string]any    `yaml:"with"`
		Env  map[string]string `yaml:"env"`
	} `yaml:"steps"`
}

// environmentName is the name of a job's environment, "" without.
func (j job) environmentName() string {
	switch e := j.Environment.(type) {
	case string:
		return e
	case map[string]any:
		return fmt.Sprint(e["name"])
	}
	return ""
}

// needs are the jobs that come before.
func (j job) needs() []string {
	switch n := j.Needs.(type) {
	case string:
		return []string{n}
	case []any:
		var all []string
		for _, one := range n {
			all = append(all, fmt.Sprint(one))
		}
		return all
	}
	return nil
}

// called tells whether the workflow is a part of others.
func (w workflow) called() bool {
	on, _ := w.On.(map[string]any)
	_, is := on["workflow_call"]
	return is
}

// workflows reads all of them, by the file's name without its ending.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	all := map[string]workflow{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w workflow
		if err := yaml.Unmarshal(text, &w); err != nil {
			t.Fatalf("%s: %v", filepath.Base(file), err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".yml")] = w
	}
	return all
}

// each calls a function with every job.
func each(t *testing.T, do func(t *testing.T, w workflow, name string, j job)) {
	t.Helper()
	all := workflows(t)
	for _, file := range slices.Sorted(maps.Keys(all)) {
		for _, name := range slices.Sorted(maps.Keys(all[file].Jobs)) {
			t.Run(file+"/"+name, func(t *testing.T) { do(t, all[file], name, all[file].Jobs[name]) })
		}
	}
}

func TestNothingHasMoreRightsThanItsJob(t *testing.T) {
	for file, w := range workflows(t) {
		rights, is := w.Permissions.(map[string]any)
		if !is || len(rights) > 1 || len(rights) == 1 && rights["contents"] != "read" {
			t.Errorf("%s: permissions of all jobs are %v: none, or contents: read", file, w.Permissions)
		}
	}
}

// A job that may get a token of GitHub's, and with it a role, does not even start for a fork.
func TestForksGetNoToken(t *testing.T) {
	each(t, func(t *testing.T, w workflow, name string, j job) {
		on, _ := w.On.(map[string]any)
		if _, pulls := on["pull_request"]; pulls && j.Permissions["id-token"] == "write" && !w.refusesForks(name) {
			t.Errorf("if: %q, and those of the jobs before, let a fork's pull request in", j.If)
		}
	})
	for file, w := range workflows(t) {
		if on, _ := w.On.(map[string]any); on["pull_request_target"] != nil {
			t.Errorf("%s runs for pull_request_target, with this repository's rights on a fork's code", file)
		}
	}
}

// refusesForks tells whether a job does not run for a fork's pull request: because of its own condition, or because one that it
// needs does not.
func (w workflow) refusesForks(name string) bool {
	j := w.Jobs[name]
	for _, condition := range []string{
		"github.event.pull_request.head.repo.full_name == github.repository",
		"github.ref == 'refs/heads/main'", // a pull request's is refs/pull/<number>/merge
		"github.event_name != 'pull_request'",
	} {
		if strings.Contains(j.If, condition) {
			return true
		}
	}
	if strings.Contains(j.If, "always()") || strings.Contains(j.If, "!cancelled()") || strings.Contains(j.If, "failure()") {
		return false
	}
	return slices.ContainsFunc(j.needs(), w.refusesForks)
}

// What changes an environment waits for the one before, is never cancelled, and says its environment to what cannot ask GitHub.
func TestWhatChangesAnEnvironmentIsNeverCancelled(t *testing.T) {
	found := 0
	each(t, func(t *testing.T, _ workflow, _ string, j job) {
		environment := j.environmentName()
		if environment == "" {
			return
		}
		found++
		if j.Env["ENVIRONMENT"] != environment {
			t.Errorf("ENVIRONMENT is %q, the environment is %q", j.Env["ENVIRONMENT"], environment)
		}
		c := j.Concurrency
		if c == nil || c.Group != "environment-"+environment || c.Cancel != false || c.Queue != "max" {
			t.Errorf("concurrency is %+v: want group environment-%s, cancel-in-progress: false, queue: max", c, environment)
		}
	})
	if found < 3 {
		t.Errorf("%d jobs have an environment: infrastructure, services and page change one each", found)
	}
	for file, w := range workflows(t) {
		c, _ := w.Concurrency.(map[string]any)
		cancel := fmt.Sprint(c["cancel-in-progress"])
		if c != nil && cancel == "true" || strings.Contains(cancel, "${{") && !strings.Contains(cancel, "pull_request") {
			t.Errorf("%s: cancel-in-progress is %s: only pull requests' runs may be cancelled", file, cancel)
		}
	}
}

// Each pipeline goes through the environments in the order of the platform, so that what fails in one stops.
func TestEnvironmentsComeInOrder(t *testing.T) {
	all := workflows(t)
	for _, file := range []string{"infrastructure", "backend", "frontend"} {
		w := all[file]
		for i, e := range stacks.All.Environments {
			j, is := w.Jobs[e.Name]
			if !is {
				t.Errorf("%s has no job %s", file, e.Name)
				continue
			}
			if i > 0 && !slices.Contains(j.needs(), stacks.All.Environments[i-1].Name) {
				t.Errorf("%s: %s needs %v, not %s", file, e.Name, j.needs(), stacks.All.Environments[i-1].Name)
			}
			if called := all[strings.TrimSuffix(filepath.Base(j.Uses), ".yml")]; !called.called() {
				t.Errorf("%s: %s uses %q, no workflow that is called", file, e.Name, j.Uses)
			}
		}
	}
}

// The stacks and the platform's name stand in the YAML, which cannot ask the configuration.
func TestWorkflowsNameWhatThePlatformHas(t *testing.T) {
	stackNames := []string{"shared"}
	for _, e := range stacks.All.Environments {
		stackNames = append(stackNames, e.Name)
	}
	for file, wanted := range map[string][]string{
		"infrastructure": {`["` + strings.Join(stackNames, `", "`) + `"]`, "for stack in " + strings.Join(stackNames, " ") + ";", "{" + strings.Join(stackNames, ",") + "}"},
		"drift":          {`["` + strings.Join(stackNames, `", "`) + `"]`, "for stack in " + strings.Join(stackNames, " ") + ";"},
	} {
		text, err := os.ReadFile(filepath.Join(root, ".github", "workflows", file+".yml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wanted {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s.yml has no %s", file, want)
			}
		}
	}
	role := regexp.MustCompile(`(?:role/|TF_VAR_role: )(\w+)-`)
	files, err := filepath.Glob(filepath.Join(root, ".github", "*", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range role.FindAllStringSubmatch(string(text), -1) {
			if found++; m[1] != stacks.All.Platform.Name {
				t.Errorf("%s names a role of %q, the platform is %q", filepath.Base(file), m[1], stacks.All.Platform.Name)
			}
		}
	}
	if found == 0 {
		t.Error("no workflow names a role")
	}
}

func TestEveryJobEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, _ workflow, _ string, j job) {
		if j.Uses == "" && j.Timeout == nil {
			t.Error("the job has no timeout-minutes: GitHub would wait for six hours")
		}
	})
}

// The last job tells CloudWatch what became of all others, whatever that was.
func TestEveryRunIsReported(t *testing.T) {
	for file, w := range workflows(t) {
		if w.called() {
			continue // its jobs are jobs of the run that calls it
		}
		report, is := w.Jobs["report"]
		if !is {
			t.Errorf("%s has no job report", file)
			continue
		}
		needs := report.needs()
		for name := range w.Jobs {
			if name != "report" && !slices.Contains(needs, name) {
				t.Errorf("%s: report does not wait for %s", file, name)
			}
		}
		if !strings.Contains(report.If, "always()") {
			t.Errorf("%s: report runs if %q: always()", file, report.If)
		}
		if w.Name != file {
			t.Errorf("%s calls itself %q: its log group is /ci/%s", file, w.Name, file)
		}
	}
}

// pinned is an action by the hash of a commit, and what a person calls that.
var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

func TestActionsArePinned(t *testing.T) {
	found := 0
	for _, pattern := range []string{"workflows/*.yml", "actions/*/action.yml"} {
		files, err := filepath.Glob(filepath.Join(root, ".github", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, row := range strings.Split(string(text), "\n") {
				_, action, is := strings.Cut(row, "uses: ")
				if !is || strings.HasPrefix(action, "./") {
					continue
				}
				found++
				if !pinned.MatchString(action) {
					t.Errorf("%s:%d: %s: want owner/name@<commit> # vX.Y.Z", filepath.Base(file), i+1, action)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no action is used at all")
	}
}

// untrusted is what somebody outside may have written; in a script it would be a part of the script.
// https://docs.github.com/en/actions/reference/security/secure-use#good-practices-for-mitigating-script-injection-attacks
func TestNoExpressionInAScript(t *testing.T) {
	each(t, func(t *testing.T, _ workflow, _ string, j job) {
		for _, step := range j.Steps {
			if strings.Contains(step.Run, "${{") {
				t.Errorf("an expression in a script: pass it by env\n%s", step.Run)
			}
		}
	})
}
