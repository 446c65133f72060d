package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"aws-microservices/internal/github"
	"aws-microservices/stacks"
)

// releaseTags are the tags that release.
const releaseTags = "v*"

// --- environments

// reviewer is a user or a team that may approve.
type reviewer struct {
	Type string `json:"type"`
	ID   int    `json:"id"`
}

// gate is an environment as it is written.
type gate struct {
	WaitTimer         int        `json:"wait_timer"`
	PreventSelfReview bool       `json:"prevent_self_review"`
	CanAdminsBypass   bool       `json:"can_admins_bypass"`
	Reviewers         []reviewer `json:"reviewers"`
	Policy            *policy    `json:"deployment_branch_policy"`
}

// policy says that branches and tags are named one by one.
type policy struct {
	ProtectedBranches    bool `json:"protected_branches"`
	CustomBranchPolicies bool `json:"custom_branch_policies"`
}

// ref is a branch, or tags, from which an environment may be deployed to.
type ref struct {
	ID   int    `json:"id,omitempty"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// environment is entered from the branch and from release tags only, and a production one when a reviewer, who is not whoever
// started it, has approved.
func (s *Setup) environment(ctx context.Context, e stacks.Environment, reviewers []reviewer) error {
	what, path := "environment "+e.Name, "environments/"+e.Name
	want := gate{
		PreventSelfReview: e.Production, CanAdminsBypass: !e.Production, Reviewers: sorted(reviewers),
		Policy: &policy{CustomBranchPolicies: true},
	}
	is, err := s.gate(ctx, path)
	if err != nil && !github.NotFound(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err != nil || !is.equal(want) {
		if err := s.change(ctx, what, "PUT", path, want); err != nil {
			return err
		}
	}
	return s.refs(ctx, what, path+"/deployment-branch-policies")
}

// gate reads an environment. What is written as one document, GitHub tells as a list of rules.
func (s *Setup) gate(ctx context.Context, path string) (gate, error) {
	var is struct {
		CanAdminsBypass bool    `json:"can_admins_bypass"`
		Policy          *policy `json:"deployment_branch_policy"`
		Rules           []struct {
			WaitTimer         int  `json:"wait_timer"`
			PreventSelfReview bool `json:"prevent_self_review"`
			Reviewers         []struct {
				Type     string `json:"type"`
				Reviewer struct {
					ID int `json:"id"`
				} `json:"reviewer"`
			} `json:"reviewers"`
		} `json:"protection_rules"`
	}
	if err := s.GitHub.Read(ctx, s.path(path), &is); err != nil {
		return gate{}, err
	}
	g := gate{CanAdminsBypass: is.CanAdminsBypass, Policy: is.Policy}
	for _, rule := range is.Rules {
		g.WaitTimer += rule.WaitTimer
		g.PreventSelfReview = g.PreventSelfReview || rule.PreventSelfReview
		for _, r := range rule.Reviewers {
			g.Reviewers = append(g.Reviewers, reviewer{r.Type, r.Reviewer.ID})
		}
	}
	g.Reviewers = sorted(g.Reviewers)
	return g, nil
}

func (g gate) equal(other gate) bool {
	return g.WaitTimer == other.WaitTimer && g.PreventSelfReview == other.PreventSelfReview && g.CanAdminsBypass == other.CanAdminsBypass &&
		slices.Equal(g.Reviewers, other.Reviewers) && g.Policy != nil && *g.Policy == *other.Policy
}

func sorted(all []reviewer) []reviewer {
	return slices.SortedFunc(slices.Values(all), func(a, b reviewer) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
}

// refs lets the branch and release tags in, and nothing else that somebody may have added.
func (s *Setup) refs(ctx context.Context, what, path string) error {
	want := []ref{{Name: s.Config.Shared.Repository.Branch, Type: "branch"}, {Name: releaseTags, Type: "tag"}}
	pages, err := github.Pages[struct {
		Policies []ref `json:"branch_policies"`
	}](ctx, s.GitHub, s.path(path)+"?per_page=100")
	if err != nil && !github.NotFound(err) {
		return fmt.Errorf("%s: %w", what, err)
	}
	var errs []error
	for _, page := range pages {
		for _, is := range page.Policies {
			i := slices.IndexFunc(want, func(r ref) bool { return r.Name == is.Name && r.Type == is.Type })
			if i >= 0 {
				want = slices.Delete(want, i, i+1)
				continue
			}
			errs = append(errs, s.change(ctx, fmt.Sprintf("%s: no more from %s %s", what, is.Type, is.Name), "DELETE", fmt.Sprintf("%s/%d", path, is.ID), nil))
		}
	}
	for _, r := range want {
		errs = append(errs, s.change(ctx, fmt.Sprintf("%s: from %s %s", what, r.Type, r.Name), "POST", path, r))
	}
	return errors.Join(errs...)
}

// --- variables

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// variables are what workflows have to know before they are logged in anywhere.
func (s *Setup) variables(ctx context.Context) error {
	want := []variable{{"AWS_ACCOUNT_ID", s.Config.Shared.AccountID}, {"AWS_REGION", s.Config.Shared.Region}}
	var errs []error
	for _, e := range s.Config.Environments {
		name := "SITE_URL_" + strings.ToUpper(strings.ReplaceAll(e.Name, "-", "_"))
		if e.Domain != nil {
			want = append(want, variable{name, "https://" + e.Domain.Name})
			continue
		}
		// CloudFront names it, so it is known after the first deploy.
		err := s.GitHub.Read(ctx, s.path("actions/variables/"+name), new(variable))
		if github.NotFound(err) {
			s.say("variable %s is not set: after make deploy ENV=%s, gh variable set %s --body <the stack's output site_url>", name, e.Name, name)
			continue
		}
		errs = append(errs, err)
	}
	for _, v := range want {
		errs = append(errs, ensure(ctx, s, "variable "+v.Name, "actions/variables/"+v.Name, "PATCH", "actions/variables", v))
	}
	return errors.Join(errs...)
}

// --- what Actions may do

// allowedActions are those of others than GitHub that workflows use, in the order of their names.
var allowedActions = []string{
	"SonarSource/sonarqube-scan-action@*", "anchore/sbom-action@*", "anchore/scan-action@*", "aquasecurity/setup-trivy@*",
	"aquasecurity/trivy-action@*", "aws-actions/amazon-ecr-login@*", "aws-actions/configure-aws-credentials@*",
	"hashicorp/setup-terraform@*", "zaproxy/action-baseline@*",
}

type actionsPolicy struct {
	Enabled            bool   `json:"enabled"`
	AllowedActions     string `json:"allowed_actions"`
	SHAPinningRequired bool   `json:"sha_pinning_required"`
}

type selectedActions struct {
	GitHubOwnedAllowed bool     `json:"github_owned_allowed"`
	VerifiedAllowed    bool     `json:"verified_allowed"`
	PatternsAllowed    []string `json:"patterns_allowed"`
}

type tokenPolicy struct {
	Default    string `json:"default_workflow_permissions"`
	CanApprove bool   `json:"can_approve_pull_request_reviews"`
}

type subject struct {
	UseDefault          bool `json:"use_default"`
	UseImmutableSubject bool `json:"use_immutable_subject"`
}

// actions lets workflows use known actions by their commit only, gives their token no more than reading, and puts the ids of
// owner and repository into what AWS is told, so that nobody who takes over a name is trusted.
func (s *Setup) actions(ctx context.Context) error {
	err := ensure(ctx, s, "actions: the chosen ones only, pinned by SHA", "actions/permissions", "PUT", "",
		actionsPolicy{Enabled: true, AllowedActions: "selected", SHAPinningRequired: true})
	return errors.Join(err,
		s.selectedActions(ctx),
		ensure(ctx, s, "actions: the token reads", "actions/permissions/workflow", "PUT", "", tokenPolicy{Default: "read"}),
		ensure(ctx, s, "actions: immutable subjects of OIDC", "actions/oidc/customization/sub", "PUT", "",
			subject{UseDefault: true, UseImmutableSubject: true}))
}

func (s *Setup) selectedActions(ctx context.Context) error {
	want := selectedActions{GitHubOwnedAllowed: true, PatternsAllowed: allowedActions}
	const what, path = "actions: which are chosen", "actions/permissions/selected-actions"
	var is selectedActions
	err := s.GitHub.Read(ctx, s.path(path), &is)
	// GitHub has a conflict, and no list, while all actions are allowed: so it is where nothing was changed yet.
	var status github.StatusError
	if errors.As(err, &status) && status.Code == 409 {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	slices.Sort(is.PatternsAllowed)
	if is.GitHubOwnedAllowed && !is.VerifiedAllowed && slices.Equal(is.PatternsAllowed, want.PatternsAllowed) {
		return nil
	}
	return s.change(ctx, what, "PUT", path, want)
}

// --- rules

// RequiredChecks are the jobs that have to pass before a pull request is merged: each workflow that judges one has a last job that
// fails unless all did that had to.
var RequiredChecks = []string{"infrastructure", "backend", "frontend"}

// githubActions is the app whose checks count: another app's of the same name does not.
const githubActions = 15368

// maintainers are exempt from what binds all others: the roles maintain and admin, by GitHub's numbers.
var maintainers = []actor{{2, "RepositoryRole", "always"}, {5, "RepositoryRole", "always"}}

type ruleset struct {
	ID          int        `json:"id,omitempty"`
	Name        string     `json:"name"`
	Target      string     `json:"target"`
	Enforcement string     `json:"enforcement"`
	Bypass      []actor    `json:"bypass_actors"`
	Conditions  conditions `json:"conditions"`
	Rules       []rule     `json:"rules"`
}

type actor struct {
	ID   int    `json:"actor_id"`
	Type string `json:"actor_type"`
	Mode string `json:"bypass_mode"`
}

type conditions struct {
	RefName struct {
		Include []string `json:"include"`
		Exclude []string `json:"exclude"`
	} `json:"ref_name"`
}

type rule struct {
	Type       string      `json:"type"`
	Parameters *parameters `json:"parameters,omitempty"`
}

// parameters are those of a pull request or of required checks.
type parameters struct {
	Approvals              int     `json:"required_approving_review_count,omitempty"`
	CodeOwners             bool    `json:"require_code_owner_review,omitempty"`
	DismissStale           bool    `json:"dismiss_stale_reviews_on_push,omitempty"`
	LastPushApproval       bool    `json:"require_last_push_approval,omitempty"`
	ConversationResolution bool    `json:"required_review_thread_resolution,omitempty"`
	UpToDate               bool    `json:"strict_required_status_checks_policy,omitempty"`
	Checks                 []check `json:"required_status_checks,omitempty"`
}

type check struct {
	Context       string `json:"context"`
	IntegrationID int    `json:"integration_id"`
}

// rulesets keep the branch to what was reviewed and checked, and a release's tag to the commit it was given to. A tag releases by
// the workflows of its own commit, so only maintainers make one. Nobody is exempt from the rest.
func (s *Setup) rulesets(ctx context.Context) error {
	var checks []check
	for _, name := range RequiredChecks {
		checks = append(checks, check{name, githubActions})
	}
	branch := s.Config.Shared.Repository.Branch
	reviewed := &parameters{Approvals: 1, CodeOwners: true, DismissStale: true, LastPushApproval: true, ConversationResolution: true}
	return errors.Join(
		s.ruleset(ctx, newRuleset(branch, "branch", "refs/heads/"+branch, nil,
			rule{Type: "deletion"}, rule{Type: "non_fast_forward"},
			rule{"pull_request", reviewed}, rule{"required_status_checks", &parameters{UpToDate: true, Checks: checks}})),
		s.ruleset(ctx, newRuleset("release tags stay", "tag", "refs/tags/"+releaseTags, nil, rule{Type: "deletion"}, rule{Type: "update"})),
		s.ruleset(ctx, newRuleset("release tags are made by maintainers", "tag", "refs/tags/"+releaseTags, maintainers, rule{Type: "creation"})))
}

func newRuleset(name, target, ref string, exempt []actor, rules ...rule) ruleset {
	r := ruleset{Name: name, Target: target, Enforcement: "active", Bypass: append([]actor{}, exempt...), Rules: rules}
	r.Conditions.RefName.Include, r.Conditions.RefName.Exclude = []string{ref}, []string{}
	return r
}

// equal compares what is wanted with what GitHub tells, which gives rules in an order of its own and some parameters more.
func (r ruleset) equal(other ruleset) bool {
	ref, otherRef := r.Conditions.RefName, other.Conditions.RefName
	byID := func(a, b actor) int { return cmp.Compare(a.ID, b.ID) }
	return r.Enforcement == other.Enforcement &&
		slices.Equal(slices.SortedFunc(slices.Values(r.Bypass), byID), slices.SortedFunc(slices.Values(other.Bypass), byID)) &&
		slices.Equal(ref.Include, otherRef.Include) && slices.Equal(ref.Exclude, otherRef.Exclude) &&
		reflect.DeepEqual(parametersOf(r.Rules), parametersOf(other.Rules))
}

func parametersOf(rules []rule) map[string]parameters {
	all := map[string]parameters{}
	for _, r := range rules {
		var p parameters
		if r.Parameters != nil {
			p = *r.Parameters
		}
		p.Checks = slices.SortedFunc(slices.Values(p.Checks), func(a, b check) int { return cmp.Compare(a.Context, b.Context) })
		all[r.Type] = p
	}
	return all
}

// ruleset finds a ruleset by its name, and makes or changes it.
func (s *Setup) ruleset(ctx context.Context, want ruleset) error {
	what := "ruleset " + want.Name
	pages, err := github.Pages[[]ruleset](ctx, s.GitHub, s.path("rulesets")+"?includes_parents=false&per_page=100")
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, listed := range slices.Concat(pages...) {
		if listed.Name != want.Name || listed.Target != want.Target {
			continue
		}
		path := fmt.Sprintf("rulesets/%d", listed.ID)
		var is ruleset
		if err := s.GitHub.Read(ctx, s.path(path), &is); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if is.equal(want) {
			return nil
		}
		return s.change(ctx, what, "PUT", path, want)
	}
	return s.change(ctx, what, "POST", "rulesets", want)
}

// --- labels

type label struct {
	Name        string `json:"name"`
	Color       string `json:"color"`
	Description string `json:"description"`
}

// labels are those that workflows look for.
func (s *Setup) labels(ctx context.Context) error {
	var errs []error
	for _, l := range []label{
		{"approve-data-loss", "b60205", "The plan may destroy data, and that is wanted"},
		{"drift", "fbca04", "An environment is not what the code says"},
	} {
		errs = append(errs, ensure(ctx, s, "label "+l.Name, "labels/"+l.Name, "PATCH", "labels", l))
	}
	return errors.Join(errs...)
}
