package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/delivery"
	"aws-microservices/internal/github"
	"aws-microservices/stacks"
)

// document is a JSON object.
type document = map[string]any

// fake is a GitHub that keeps what it is told, and tells it in its own form.
type fake struct {
	t    *testing.T
	docs map[string]document
	// written are the changes, in order.
	written []string
	// refuses answers these paths with a status other than success.
	refuses map[string]int
	nextID  int
}

const home = "repos/example-org/shop"

func newFake(t *testing.T) *fake {
	return &fake{t: t, nextID: 1, refuses: map[string]int{}, docs: map[string]document{
		home: {
			"id": 456789, "owner": document{"id": 123456}, "default_branch": "main", "permissions": document{"admin": true},
		},
		"users/alice":                          {"id": 11, "type": "User"},
		"orgs/example-org/teams/platform":      {"id": 22, "name": "platform"},
		home + "/actions/permissions":          {"enabled": true, "allowed_actions": "all", "sha_pinning_required": false},
		home + "/actions/permissions/workflow": {"default_workflow_permissions": "write", "can_approve_pull_request_reviews": true},
		home + "/actions/oidc/customization/sub": {
			"use_default": true, "use_immutable_subject": false, "sub_claim_prefix": "repo:example-org/shop",
		},
	}}
}

// gh is the command: `gh api [--paginate] [-X METHOD] [--input -] PATH` and nothing else.
func (f *fake) gh(_ context.Context, input []byte, args ...string) ([]byte, error) {
	method, rest := "GET", args[1:]
	for len(rest) > 1 {
		switch rest[0] {
		case "--paginate":
			rest = rest[1:]
		case "-X":
			method, rest = rest[1], rest[2:]
		case "--input":
			rest = rest[2:]
		default:
			f.t.Fatalf("gh %q", args)
		}
	}
	at, query, _ := strings.Cut(rest[0], "?")
	if code := f.refuses[at]; code != 0 {
		return nil, status(code)
	}
	var given document
	if method == "POST" || method == "PUT" || method == "PATCH" {
		if err := json.Unmarshal(input, &given); err != nil {
			f.t.Fatalf("%s %s: %v in %s", method, at, err, input)
		}
	} else if input != nil {
		f.t.Errorf("%s %s has a body", method, at)
	}
	if method != "GET" {
		f.written = append(f.written, method+" "+strings.TrimPrefix(at, home+"/"))
	}
	out, err := f.answer(method, at, query, given)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func status(code int) error {
	return github.StatusError{Code: code, Message: fmt.Sprintf("gh: refused (HTTP %d)", code)}
}

func (f *fake) answer(method, at, query string, given document) (any, error) {
	below := strings.TrimPrefix(at, home+"/")
	collection, name := path.Split(at)
	switch {
	case method == "GET" && below == "rulesets":
		if query != "includes_parents=false&per_page=100" {
			f.t.Errorf("the rulesets of the organization are taken for the repository's: %s", query)
		}
		return f.list(at, "id", "name", "target"), nil
	case method == "GET" && strings.HasSuffix(at, "/deployment-branch-policies"):
		if f.docs[strings.TrimSuffix(at, "/deployment-branch-policies")] == nil {
			return nil, status(404)
		}
		return document{"branch_policies": f.list(at)}, nil
	case method == "GET" && below == "actions/permissions/selected-actions" && f.docs[home+"/actions/permissions"]["allowed_actions"] != "selected":
		return nil, status(409)
	case method == "GET" && below == "actions/permissions/selected-actions" && f.docs[at] == nil:
		return document{"github_owned_allowed": false, "verified_allowed": false, "patterns_allowed": []string{}}, nil
	case method == "GET":
		if f.docs[at] == nil {
			return nil, status(404)
		}
		return f.docs[at], nil
	case method == "POST":
		key := fmt.Sprint(given["name"])
		if below == "rulesets" || strings.HasSuffix(at, "/deployment-branch-policies") {
			given["id"] = f.nextID
			key = fmt.Sprint(f.nextID)
			f.nextID++
		}
		if f.docs[at+"/"+key] != nil {
			return nil, status(422)
		}
		f.docs[at+"/"+key] = given
	case method == "DELETE":
		delete(f.docs, at)
	case f.docs[at] == nil && (method == "PATCH" || collection == home+"/rulesets/"):
		return nil, status(404)
	case collection == home+"/environments/":
		f.docs[at] = environmentOf(given)
	case collection == home+"/rulesets/":
		given["id"] = f.docs[at]["id"]
		f.docs[at] = given
	default:
		given["name"] = name
		f.docs[at] = given
	}
	// GitHub tells some things that nobody wrote.
	if rules, are := given["rules"].([]any); are {
		slices.Reverse(rules)
		slices.Reverse(given["bypass_actors"].([]any))
		for _, r := range rules {
			r := r.(document)
			switch r["type"] {
			case "pull_request":
				r["parameters"].(document)["allowed_merge_methods"] = []string{"merge", "squash", "rebase"}
			case "update":
				r["parameters"] = document{"update_allows_fetch_and_merge": false}
			}
		}
	}
	return document{}, nil
}

// list is what is directly below a path, with some of the fields.
func (f *fake) list(at string, fields ...string) []document {
	all := []document{}
	for _, key := range slices.Sorted(maps.Keys(f.docs)) {
		if collection, _ := path.Split(key); collection != at+"/" {
			continue
		}
		one := document{}
		for name, value := range f.docs[key] {
			if len(fields) == 0 || slices.Contains(fields, name) {
				one[name] = value
			}
		}
		all = append(all, one)
	}
	return all
}

// environmentOf is an environment as GitHub tells it.
func environmentOf(given document) document {
	rules := []document{{"type": "branch_policy"}}
	if wait, _ := given["wait_timer"].(float64); wait > 0 {
		rules = append(rules, document{"type": "wait_timer", "wait_timer": wait})
	}
	if reviewers, _ := given["reviewers"].([]any); len(reviewers) > 0 {
		var all []document
		for _, r := range slices.Backward(reviewers) {
			all = append(all, document{"type": r.(document)["type"], "reviewer": document{"id": r.(document)["id"], "login": "x"}})
		}
		rules = append(rules, document{"type": "required_reviewers", "prevent_self_review": given["prevent_self_review"], "reviewers": all})
	}
	return document{
		"can_admins_bypass": given["can_admins_bypass"], "deployment_branch_policy": given["deployment_branch_policy"], "protection_rules": rules,
	}
}

func config() stacks.Config {
	return stacks.Config{
		Shared: stacks.Shared{
			AccountID: "111122223333", Region: "eu-west-1",
			Repository: &delivery.Repository{Owner: "example-org", Name: "shop", OwnerID: "123456", ID: "456789", Branch: "main"},
		},
		Environments: []stacks.Environment{
			{Name: "dev"}, {Name: "prod", Production: true, Domain: &stacks.Domain{Name: "shop.example.com"}},
		},
	}
}

// run sets up the repository, and returns what it said.
func (f *fake) run(t *testing.T, change ...func(*Setup)) (string, error) {
	t.Helper()
	var out bytes.Buffer
	s := &Setup{Config: config(), Reviewers: []string{"team:platform", "alice"}, GitHub: f.gh, Out: &out}
	for _, c := range change {
		c(s)
	}
	f.written = nil
	err := s.Run(t.Context())
	return out.String(), err
}

func (f *fake) must(t *testing.T, change ...func(*Setup)) string {
	t.Helper()
	said, err := f.run(t, change...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func TestTheSecondRunChangesNothing(t *testing.T) {
	f := newFake(t)
	f.must(t)
	want := []string{
		"PUT environments/dev", "POST environments/dev/deployment-branch-policies", "POST environments/dev/deployment-branch-policies",
		"PUT environments/prod", "POST environments/prod/deployment-branch-policies", "POST environments/prod/deployment-branch-policies",
		"POST actions/variables", "POST actions/variables", "POST actions/variables",
		"PUT actions/permissions", "PUT actions/permissions/selected-actions", "PUT actions/permissions/workflow", "PUT actions/oidc/customization/sub",
		"POST rulesets", "POST rulesets", "POST rulesets", "POST labels", "POST labels",
	}
	if diff := cmp.Diff(want, f.written); diff != "" {
		t.Errorf("the first run (-want +got)\n%s", diff)
	}
	said := f.must(t)
	if len(f.written) > 0 || !strings.HasSuffix(said, "nothing to change\n") {
		t.Errorf("the second run wrote %q and said\n%s", f.written, said)
	}
}

func TestProductionWaitsForAReviewer(t *testing.T) {
	f := newFake(t)
	f.must(t)
	got, err := json.MarshalIndent([]any{
		f.docs[home+"/environments/prod"], f.list(home + "/environments/prod/deployment-branch-policies"), f.docs[home+"/environments/dev"],
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`"prevent_self_review": true`, `"can_admins_bypass": false`, `"name": "v*"`, `"type": "tag"`, `"custom_branch_policies": true`} {
		if !strings.Contains(string(got), line) {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
	if strings.Count(string(got), "required_reviewers") != 1 || strings.Count(string(got), `"login"`) != 2 {
		t.Errorf("want alice and the team for prod only:\n%s", got)
	}
}

// What somebody changed by hand goes back to what it should be.
func TestWhatSomebodyChangedIsPutBack(t *testing.T) {
	env := home + "/environments/prod"
	rule := func(f *fake, kind string) document {
		for _, r := range f.docs[home+"/rulesets/5"]["rules"].([]any) {
			if r.(document)["type"] == kind {
				return r.(document)["parameters"].(document)
			}
		}
		t.Fatalf("no rule %s in %v", kind, f.docs[home+"/rulesets/5"])
		return nil
	}
	for name, test := range map[string]struct {
		change func(*fake)
		want   []string
	}{
		"no reviewer":        {func(f *fake) { f.docs[env]["protection_rules"] = []document{} }, []string{"PUT environments/prod"}},
		"an admin may go in": {func(f *fake) { f.docs[env]["can_admins_bypass"] = true }, []string{"PUT environments/prod"}},
		"any branch":         {func(f *fake) { f.docs[env]["deployment_branch_policy"] = nil }, []string{"PUT environments/prod"}},
		"one branch more": {
			func(f *fake) {
				f.docs[env+"/deployment-branch-policies/99"] = document{"id": 99, "name": "hotfix", "type": "branch"}
			},
			[]string{"DELETE environments/prod/deployment-branch-policies/99"},
		},
		"a variable": {func(f *fake) { f.docs[home+"/actions/variables/AWS_REGION"]["value"] = "us-east-1" }, []string{"PATCH actions/variables/AWS_REGION"}},
		"a label":    {func(f *fake) { f.docs[home+"/labels/drift"]["color"] = "ffffff" }, []string{"PATCH labels/drift"}},
		"any action": {
			func(f *fake) {
				f.docs[home+"/actions/permissions"]["allowed_actions"] = "all"
				delete(f.docs, home+"/actions/permissions/selected-actions")
			},
			[]string{"PUT actions/permissions", "PUT actions/permissions/selected-actions"},
		},
		"one action more": {
			func(f *fake) {
				chosen := f.docs[home+"/actions/permissions/selected-actions"]
				chosen["patterns_allowed"] = append(chosen["patterns_allowed"].([]any), "someone/*")
			},
			[]string{"PUT actions/permissions/selected-actions"},
		},
		"no code owners": {func(f *fake) { rule(f, "pull_request")["require_code_owner_review"] = false }, []string{"PUT rulesets/5"}},
		"a check less": {func(f *fake) {
			c := rule(f, "required_status_checks")
			c["required_status_checks"] = c["required_status_checks"].([]any)[1:]
		}, []string{"PUT rulesets/5"}},
		"rules switched off": {func(f *fake) { f.docs[home+"/rulesets/5"]["enforcement"] = "disabled" }, []string{"PUT rulesets/5"}},
		"everybody may release": {
			func(f *fake) {
				makers := f.docs[home+"/rulesets/7"]
				makers["bypass_actors"] = append(makers["bypass_actors"].([]any), document{"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"})
			},
			[]string{"PUT rulesets/7"},
		},
		"somebody exempt": {
			func(f *fake) {
				f.docs[home+"/rulesets/5"]["bypass_actors"] = []any{document{"actor_type": "OrganizationAdmin"}}
			},
			[]string{"PUT rulesets/5"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.must(t)
			test.change(f)
			dry := f.must(t, func(s *Setup) { s.DryRun = true })
			if len(f.written) > 0 || strings.Count(dry, "would change") != len(test.want) {
				t.Errorf("a dry run wrote %q and said\n%s", f.written, dry)
			}
			f.must(t)
			if diff := cmp.Diff(test.want, f.written); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if f.must(t); len(f.written) > 0 {
				t.Errorf("it is not put back: %q", f.written)
			}
		})
	}
}

func TestADryRunOfANewRepositoryChangesNothing(t *testing.T) {
	f := newFake(t)
	if said := f.must(t, func(s *Setup) { s.DryRun = true }); len(f.written) > 0 || strings.Count(said, "would change") != 18 {
		t.Errorf("it wrote %q and said\n%s", f.written, said)
	}
}

func TestWhatIsWrongIsNamedAtOnceAndNothingIsChanged(t *testing.T) {
	f := newFake(t)
	f.docs[home]["id"], f.docs[home]["default_branch"], f.docs[home]["permissions"] = 1, "trunk", document{"admin": false}
	f.docs[home]["owner"] = document{"id": 2}
	_, err := f.run(t, func(s *Setup) { s.Reviewers = []string{"alice", "bob", "team:nobody"} })
	for _, text := range []string{
		`Shared.Repository.ID is "456789": GitHub says 1`, `Shared.Repository.OwnerID is "123456": GitHub says 2`,
		`Shared.Repository.Branch is "main": GitHub's default branch is trunk`, "you are no administrator of example-org/shop",
		`"bob": GitHub knows no user of this name`, `"team:nobody": GitHub knows no team of this name`,
	} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("no %q in %v", text, err)
		}
	}
	if len(f.written) > 0 {
		t.Errorf("it wrote %q", f.written)
	}
	for _, reviewers := range [][]string{nil, slices.Repeat([]string{"alice"}, 7)} {
		if _, err := newFake(t).run(t, func(s *Setup) { s.Reviewers = reviewers }); err == nil || !strings.Contains(err.Error(), "at least one") {
			t.Errorf("%d reviewers: %v", len(reviewers), err)
		}
	}
	if _, err := newFake(t).run(t, func(s *Setup) { s.Config.Shared.Repository = nil }); err == nil {
		t.Error("no repository is no error")
	}
	loggedOut := errors.New("gh api repos/example-org/shop: please run: gh auth login")
	_, err = newFake(t).run(t, func(s *Setup) {
		s.GitHub = func(context.Context, []byte, ...string) ([]byte, error) { return nil, loggedOut }
	})
	if !errors.Is(err, loggedOut) {
		t.Errorf("logged out: %v", err)
	}
}

func TestWhatGitHubRefusesKeepsNothingElseFromBeingMade(t *testing.T) {
	f := newFake(t)
	f.refuses[home+"/environments/prod"], f.refuses[home+"/labels/drift"] = 422, 403
	_, err := f.run(t)
	for _, what := range []string{"environment prod: ", "label drift: "} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("no %q in %v", what, err)
		}
	}
	if !slices.Contains(f.written, "PUT environments/dev") || !slices.Contains(f.written, "POST rulesets") {
		t.Errorf("it wrote %q only", f.written)
	}
}

func TestThePersonIsToldOfTheVariableThatOnlyADeployKnows(t *testing.T) {
	f := newFake(t)
	if said := f.must(t); !strings.Contains(said, "variable SITE_URL_DEV is not set: after make deploy ENV=dev, gh variable set SITE_URL_DEV") {
		t.Error(said)
	}
	f.docs[home+"/actions/variables/SITE_URL_DEV"] = document{"name": "SITE_URL_DEV", "value": "https://d111.cloudfront.net"}
	if said := f.must(t); strings.Contains(said, "SITE_URL_DEV") {
		t.Error(said)
	}
	if got := f.docs[home+"/actions/variables/SITE_URL_PROD"]["value"]; got != "https://shop.example.com" {
		t.Errorf("SITE_URL_PROD is %v", got)
	}
}

func TestTheWorkflowsUseOnlyWhatIsAllowed(t *testing.T) {
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: *([^\s#]+)`)
	found := 0
	err := filepath.WalkDir("../../.github", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(file) != ".yml" {
			return err
		}
		text, err := os.ReadFile(file)
		for _, match := range uses.FindAllStringSubmatch(string(text), -1) {
			action := match[1]
			found++
			owner, _, _ := strings.Cut(action, "/")
			if owner == "." || owner == "actions" || owner == "github" {
				continue
			}
			if !slices.ContainsFunc(allowedActions, func(pattern string) bool {
				return strings.HasPrefix(action, strings.TrimSuffix(pattern, "*"))
			}) {
				t.Errorf("%s uses %s: add it to allowedActions, or GitHub refuses to run it", file, action)
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d actions are used: %v", found, err)
	}
}

// A check that no workflow makes would keep every pull request waiting, and one that is skipped would let every one pass.
func TestTheRequiredChecksAreJobsThatAlwaysRun(t *testing.T) {
	for _, name := range RequiredChecks {
		text, err := os.ReadFile("../../.github/workflows/" + name + ".yml")
		if err != nil {
			t.Error(err)
			continue
		}
		var workflow struct {
			On   map[string]struct{ Paths []string }
			Jobs map[string]struct{ Name, If string }
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Error(err)
			continue
		}
		pulled, isPulled := workflow.On["pull_request"]
		if !isPulled || len(pulled.Paths) > 0 {
			t.Errorf("%s.yml does not run for every pull request: %v", name, workflow.On)
		}
		found := false
		for id, job := range workflow.Jobs {
			if job.Name == name || job.Name == "" && id == name {
				found = strings.Contains(job.If, "always()")
			}
		}
		if !found {
			t.Errorf("%s.yml has no job %s that runs whatever became of the others", name, name)
		}
	}
}
