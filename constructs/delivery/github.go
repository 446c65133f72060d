package delivery

import (
	"slices"

	"aws-microservices/constructs/iam"
)

const (
	// issuer signs the tokens of GitHub's jobs, and audience is whom those for AWS are for.
	// https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
	issuer   = "token.actions.githubusercontent.com"
	audience = "sts.amazonaws.com"
)

// Repository is where the code is, on GitHub. The ids make a repository of the same name, made after this one was deleted or
// renamed, another one: `gh api repos/OWNER/NAME --jq '.owner.id, .id'` tells them.
type Repository struct {
	// Owner and Name are as GitHub writes them, e.g. "example-org" and "shop".
	Owner, Name string
	// OwnerID and ID are GitHub's, of digits.
	OwnerID, ID string
	// Branch is the one that is deployed from, e.g. "main".
	Branch string
}

// String is the repository's full name.
func (r Repository) String() string { return r.Owner + "/" + r.Name }

// jobs are those that a role is for.
type jobs struct {
	// pullRequests are those of pull requests from this repository: GitHub signs nothing for those from forks.
	pullRequests bool
	// branch are those on the branch that is deployed from, tags those on tags that name a release.
	branch, tags bool
	// environment is that of the job, which has passed its protection rules. Defaults to a job without one.
	environment string
	// workflow is the file, in .github/workflows, that holds the job. Defaults to any: a pull request may change the file itself.
	workflow string
}

// refs are what the jobs run on, but for pull requests.
func (r Repository) refs(j jobs) []string {
	var refs []string
	if j.branch {
		refs = append(refs, "refs/heads/"+r.Branch)
	}
	if j.tags {
		refs = append(refs, "refs/tags/v*")
	}
	return refs
}

// subjects are both forms of the claim sub: newer repositories have the ids in it.
// https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
func (r Repository) subjects(j jobs) []string {
	var contexts []string
	switch {
	case j.environment != "":
		contexts = []string{"environment:" + j.environment}
	default:
		if j.pullRequests {
			contexts = append(contexts, "pull_request")
		}
		for _, ref := range r.refs(j) {
			contexts = append(contexts, "ref:"+ref)
		}
	}
	var subjects []string
	for _, repository := range []string{r.String(), r.Owner + "@" + r.OwnerID + "/" + r.Name + "@" + r.ID} {
		for _, context := range contexts {
			subjects = append(subjects, "repo:"+repository+":"+context)
		}
	}
	return subjects
}

// trust lets jobs of the repository assume a role. AWS compares each claim by itself, exactly: only the name of a release's tag
// is a pattern.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
func (r Repository) trust(provider string, j jobs) iam.Statement {
	var conditions []iam.Condition
	claim := func(name string, values ...string) {
		test := "StringEquals"
		if slices.ContainsFunc(values, func(v string) bool { return v[len(v)-1] == '*' }) {
			test = "StringLike"
		}
		conditions = append(conditions, iam.Condition{Test: test, Variable: issuer + ":" + name, Values: values})
	}
	claim("aud", audience)
	claim("sub", r.subjects(j)...)
	claim("repository", r.String())
	claim("repository_id", r.ID)
	if j.environment != "" {
		claim("environment", j.environment)
	}
	if !j.pullRequests {
		claim("ref", r.refs(j)...)
	}
	if j.workflow != "" {
		var files []string
		for _, ref := range r.refs(j) {
			files = append(files, r.String()+"/.github/workflows/"+j.workflow+"@"+ref)
		}
		claim("job_workflow_ref", files...)
	}
	return iam.Statement{
		Sid:        "Assume",
		Principals: []iam.Principal{{Type: "Federated", Identifiers: []string{provider}}},
		Actions:    []string{"sts:AssumeRoleWithWebIdentity"},
		Conditions: conditions,
	}
}
