package synth

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/policy"
	"aws-microservices/stacks"
)

// These tests log in as every job that there could be on GitHub, and ask for what a pipeline may and for what it may not.

const github = "token.actions.githubusercontent.com"

// pipelineRole is a role of the pipelines.
type pipelineRole struct {
	// name tells it from others: "deploy-dev" in the shared account, "dev/deploy" in an environment's.
	name            string
	who             policy.Principal
	account         string
	trust, own, may []policy.Statement
}

// managed is what matters here of AWS's managed policies: may is wider than they are for what a pipeline must not do.
var managed = map[string][]policy.Statement{
	"arn:aws:iam::aws:policy/ReadOnlyAccess": {{
		Sid: "ReadOnlyAccess", Resources: []string{"*"}, Actions: []string{
			"*:BatchGet*", "*:Describe*", "*:Download*", "*:Filter*", "*:Get*", "*:List*", "*:Query*", "*:Receive*", "*:Scan*", "*:Start*Query",
			"kms:Decrypt", // AWS's own keys let everybody in the account
		},
	}},
	"arn:aws:iam::aws:policy/PowerUserAccess": {
		{Sid: "PowerUserAccess", NotActions: []string{"iam:*", "organizations:*", "account:*"}, Resources: []string{"*"}},
		{Sid: "Linked", Actions: []string{"iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"}, Resources: []string{"*"}},
	},
}

// pipelineRoles reads the roles of the pipelines, of all accounts, by name.
func pipelineRoles(t *testing.T) map[string]*pipelineRole {
	t.Helper()
	w := everywhere(t)["platform/shared"]
	byAddress := map[string]*pipelineRole{}
	all := map[string]*pipelineRole{}
	for id, r := range w.Resource["aws_iam_role"] {
		arn := w.resolve("${aws_iam_role." + id + ".arn}")
		made := &pipelineRole{
			name: strings.TrimPrefix(parent(w.path(r)), pipelines), who: policy.Principal{Type: "AWS", ID: arn},
			account: w.providerOf(r).AccountID, trust: w.document(r, "assume_role_policy"),
		}
		byAddress["${aws_iam_role."+id+".name}"] = made
		all[made.name] = made
	}
	for _, p := range w.Resource["aws_iam_role_policy"] {
		r := byAddress[p["role"].(string)]
		r.own = append(r.own, w.document(p, "policy")...)
		r.may = append(r.may, r.own...)
	}
	for _, a := range w.Resource["aws_iam_role_policy_attachment"] {
		r, statements := byAddress[a["role"].(string)], managed[a["policy_arn"].(string)]
		if statements == nil {
			t.Fatalf("%s: policy %v is not known here", pathOf(a), a["policy_arn"])
		}
		r.may = append(r.may, statements...)
	}
	return all
}

// job is one that runs on GitHub.
type job struct {
	owner, name, ownerID, id string
	// event is "pull_request", or anything else.
	event, ref, environment, workflow string
	// from is the repository, and at the ref, of the workflow's file, where these are others than the job's.
	from, at string
	audience string
}

// token is the claims that GitHub signs, with the subject in its older and its newer form.
// https://docs.github.com/en/actions/reference/security/oidc
func (j job) token(immutable bool) map[string][]string {
	repository, context := j.owner+"/"+j.name, "ref:"+j.ref
	subject := repository
	if immutable {
		subject = j.owner + "@" + j.ownerID + "/" + j.name + "@" + j.id
	}
	claims := map[string][]string{}
	claim := func(name, value string) { claims[github+":"+name] = []string{value} }
	switch {
	case j.environment != "":
		context = "environment:" + j.environment
		claim("environment", j.environment)
	case j.event == "pull_request":
		context = "pull_request"
	}
	from, at := repository, j.ref
	if j.from != "" {
		from = j.from
	}
	if j.at != "" {
		at = j.at
	}
	claim("aud", j.audience)
	claim("sub", "repo:"+subject+":"+context)
	claim("repository", repository)
	claim("repository_id", j.id)
	claim("ref", j.ref)
	claim("job_workflow_ref", from+"/.github/workflows/"+j.workflow+"@"+at)
	return claims
}

func TestAJobOnGitHubBecomesWhatItIsForAndNothingElse(t *testing.T) {
	ours := job{owner: "example-org", name: "shop", ownerID: "123456", id: "456789", ref: "refs/heads/main", audience: "sts.amazonaws.com"}
	with := func(change func(*job)) job {
		j := ours
		change(&j)
		return j
	}
	on := func(ref, workflow, environment string) job {
		return with(func(j *job) { j.ref, j.workflow, j.environment = ref, workflow, environment })
	}
	const main, tag = "refs/heads/main", "refs/tags/v1.2.3"
	for name, test := range map[string]struct {
		job  job
		want string
	}{
		"main":                              {on(main, "infrastructure.yml", ""), "plan report"},
		"main, the nightly drift":           {on(main, "drift.yml", ""), "plan report"},
		"main, the images":                  {on(main, "backend.yml", ""), "build plan report"},
		"main, apply to dev":                {on(main, "apply.yml", "dev"), "apply-dev"},
		"main, apply to prod":               {on(main, "apply.yml", "prod"), "apply-prod"},
		"main, services to staging":         {on(main, "release-services.yml", "staging"), "deploy-staging"},
		"main, the page to dev":             {on(main, "release-page.yml", "dev"), "frontend-dev"},
		"a release's tag, the images":       {on(tag, "backend.yml", ""), "build report"},
		"a release's tag, services to prod": {on(tag, "release-services.yml", "prod"), "deploy-prod"},
		"a release's tag, the page to prod": {on(tag, "release-page.yml", "prod"), "frontend-prod"},
		"a release's tag, apply to prod":    {on(tag, "apply.yml", "prod"), ""},
		"another tag, the images":           {on("refs/tags/nightly", "backend.yml", ""), ""},
		"another tag, services to prod":     {on("refs/tags/nightly", "release-services.yml", "prod"), ""},
		"a tag named as the branch":         {on("refs/tags/main", "apply.yml", "prod"), ""},
		"another branch":                    {on("refs/heads/work", "infrastructure.yml", ""), ""},
		"another branch, the images":        {on("refs/heads/work", "backend.yml", ""), ""},
		"another branch, apply to dev":      {on("refs/heads/work", "apply.yml", "dev"), ""},
		"a branch named as a tag":           {on("refs/heads/v1.2.3", "release-services.yml", "prod"), ""},
		"an environment that is not ours":   {on(main, "apply.yml", "qa"), ""},
		"an apply without an environment":   {on(main, "apply.yml", ""), "plan report"},
		"another workflow in dev":           {on(main, "other.yml", "dev"), ""},
		"the images from a release's jobs":  {on(main, "release-services.yml", ""), "plan report"},
		"services by the page's workflow":   {on(main, "release-page.yml", "staging"), "frontend-staging"},
		"a pull request": {with(func(j *job) {
			j.event, j.ref, j.workflow = "pull_request", "refs/pull/7/merge", "infrastructure.yml"
		}), "plan report"},
		"a pull request that pushes images": {with(func(j *job) {
			j.event, j.ref, j.workflow = "pull_request", "refs/pull/7/merge", "backend.yml"
		}), "plan report"},
		"a pull request that applies": {with(func(j *job) {
			j.event, j.ref, j.workflow, j.environment = "pull_request", "refs/pull/7/merge", "apply.yml", "dev"
		}), ""},
		// For a pull request from a fork GitHub signs nothing. What the fork runs by itself is another repository's.
		"a fork": {with(func(j *job) {
			j.owner, j.ownerID, j.id, j.workflow = "somebody", "654321", "987654", "infrastructure.yml"
		}), ""},
		"a fork's apply": {with(func(j *job) {
			j.owner, j.ownerID, j.id, j.workflow, j.environment = "somebody", "654321", "987654", "apply.yml", "prod"
		}), ""},
		"another repository of the owner": {with(func(j *job) { j.name, j.id, j.workflow = "other", "987654", "infrastructure.yml" }), ""},
		"another repository that calls our workflow": {with(func(j *job) {
			j.name, j.id, j.workflow, j.environment, j.from = "other", "987654", "apply.yml", "prod", "example-org/shop"
		}), ""},
		"the name, taken by a repository that is made anew": {with(func(j *job) { j.id, j.workflow = "987654", "infrastructure.yml" }), ""},
		"the name, taken by another owner": {with(func(j *job) {
			j.ownerID, j.id, j.workflow, j.environment = "654321", "987654", "apply.yml", "prod"
		}), ""},
		"the repository under another name": {with(func(j *job) { j.name, j.workflow = "renamed", "infrastructure.yml" }), ""},
		"a workflow of another repository": {with(func(j *job) {
			j.workflow, j.environment, j.from = "apply.yml", "prod", "somebody/workflows"
		}), ""},
		"a workflow of another branch": {with(func(j *job) {
			j.workflow, j.environment, j.at = "apply.yml", "prod", "refs/heads/work"
		}), ""},
		"a token for somebody else": {with(func(j *job) { j.workflow, j.audience = "infrastructure.yml", "https://github.com/example-org" }), ""},
	} {
		for _, immutable := range []bool{false, true} {
			var got []string
			for _, r := range pipelineRoles(t) {
				if r.account != stacks.All.Shared.AccountID {
					continue
				}
				if assumes(t, r, github, test.job.token(immutable)) {
					got = append(got, r.name)
				}
				if assumes(t, r, "tokens.example.com", test.job.token(immutable)) {
					t.Errorf("%s: %s is assumed by a token of another provider", name, r.name)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s, ids in the subject %v (-want +got)\n%s", name, immutable, diff)
			}
		}
	}
}

// assumes asks whether a token of an identity provider becomes a role.
func assumes(t *testing.T, r *pipelineRole, provider string, claims map[string][]string) bool {
	t.Helper()
	d, err := policy.Evaluate(policy.Request{
		Principal: policy.Principal{Type: "Federated", ID: "arn:aws:iam::" + r.account + ":oidc-provider/" + provider},
		Action:    "sts:AssumeRoleWithWebIdentity", Resource: r.who.ID, Account: r.account, Context: claims,
	}, policy.Policies{Resource: r.trust, Ruled: true})
	if err != nil {
		t.Fatal(err)
	}
	return d.Allowed
}

// A claim that GitHub does not send must not be one that is not asked for.
func TestEveryClaimIsAskedFor(t *testing.T) {
	j := job{
		owner: "example-org", name: "shop", ownerID: "123456", id: "456789", ref: "refs/heads/main", audience: "sts.amazonaws.com",
		environment: "prod", workflow: "apply.yml",
	}
	r := pipelineRoles(t)["apply-prod"]
	for claim := range j.token(true) {
		less := j.token(true)
		delete(less, claim)
		if assumes(t, r, github, less) {
			t.Errorf("%s is assumed without %s", r.name, claim)
		}
	}
}

func TestARoleInAnEnvironmentIsAssumedByItsCounterpartOnly(t *testing.T) {
	roles := pipelineRoles(t)
	for _, e := range stacks.All.Environments {
		for name, by := range map[string]string{
			"plan": "plan", "apply": "apply-" + e.Name, "deploy": "deploy-" + e.Name, "frontend": "frontend-" + e.Name,
		} {
			r := roles[e.Name+"/"+name]
			var got []string
			for _, from := range roles {
				// Each with its own policies: both sides have to agree.
				d, err := policy.Evaluate(policy.Request{Principal: from.who, Action: "sts:AssumeRole", Resource: r.who.ID, Account: r.account},
					policy.Policies{Identity: from.may, Resource: r.trust, Ruled: true})
				if err != nil {
					t.Fatal(err)
				}
				if d.Allowed {
					got = append(got, from.name)
				}
				// And whoever may assume everything there is: the trust alone.
				d, err = policy.Evaluate(policy.Request{Principal: from.who, Action: "sts:AssumeRole", Resource: r.who.ID, Account: r.account},
					policy.Policies{Identity: everything, Resource: r.trust, Ruled: true})
				if err != nil || d.Allowed != (from.name == by) {
					t.Errorf("%s trusts %s: %v %v", r.name, from.name, d.Allowed, err)
				}
			}
			if diff := cmp.Diff([]string{by}, got); diff != "" {
				t.Errorf("%s is assumed (-want +got)\n%s", r.name, diff)
			}
		}
	}
}

// asks evaluates a role's own policies.
func (r *pipelineRole) asks(t *testing.T, action, resource string, context map[string][]string) bool {
	t.Helper()
	d, err := policy.Evaluate(policy.Request{Principal: r.who, Action: action, Resource: resource, Account: r.account, Context: context},
		policy.Policies{Identity: r.may})
	if err != nil {
		t.Fatalf("%s asks for %s: %v", r.name, action, err)
	}
	return d.Allowed
}

// contextOf is a request's context of single values.
func contextOf(pairs ...string) map[string][]string {
	c := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		c[pairs[i]] = []string{pairs[i+1]}
	}
	return c
}

func TestAPipelineMayDoItsWorkAndNothingBeside(t *testing.T) {
	const (
		shared, dev, staging = "111122223333", "444455556666", "777788889999"
		bucket, table        = "arn:aws:s3:::shop-tfstate-111122223333", "arn:aws:dynamodb:eu-west-1:111122223333:table/shop-tflock"
		key, devKey          = "arn:aws:kms:eu-west-1:111122223333:key/k", "arn:aws:kms:eu-west-1:444455556666:key/k"
		site                 = "arn:aws:s3:::shop-dev-web-444455556666"
		images               = "arn:aws:ecr:eu-west-1:111122223333:repository/shop/orders"
		cluster              = "arn:aws:ecs:eu-west-1:444455556666:cluster/shop-dev"
		boundary             = "arn:aws:iam::444455556666:policy/shop-boundary"
	)
	state := func(env string) string { return bucket + "/" + env + "/terraform.tfstate" }
	lock := func(env string) map[string][]string {
		return contextOf("dynamodb:LeadingKeys", "shop-tfstate-111122223333/"+env+"/terraform.tfstate")
	}
	parameter := func(env, name string) string {
		return "arn:aws:ssm:eu-west-1:444455556666:parameter/shop/" + env + "/" + name
	}
	objects := func(bucket string) map[string][]string { return contextOf("kms:EncryptionContext:aws:s3:arn", bucket) }
	passed := contextOf("iam:PassedToService", "ecs-tasks.amazonaws.com")
	bounded := contextOf("iam:PermissionsBoundary", boundary)
	ourRole := "arn:aws:iam::444455556666:role/shop-dev-orders-task"
	roles := pipelineRoles(t)
	for _, test := range []struct {
		role, action, resource string
		context                map[string][]string
		want                   bool
	}{
		{"plan", "s3:GetObject", state("prod"), nil, true},
		{"plan", "kms:Decrypt", key, objects(bucket), true},
		{"plan", "kms:Decrypt", key, objects("arn:aws:s3:::other"), false},
		{"plan", "kms:Decrypt", key, nil, false},
		{"plan", "s3:GetObject", bucket + "/other", nil, false},
		{"plan", "s3:GetObject", "arn:aws:s3:::other/object", nil, false},
		{"plan", "s3:PutObject", state("dev"), nil, false},
		{"plan", "dynamodb:PutItem", table, lock("dev"), false},
		{"plan", "dynamodb:GetItem", table, lock("dev"), false},
		{"plan", "ecr:DescribeRepositories", images, nil, true},
		{"plan", "ecr:PutImage", images, nil, false},
		{"dev/plan", "rds:DescribeDBInstances", "*", nil, true},
		{"dev/plan", "ssm:GetParameter", parameter("dev", "orders/image"), nil, true},
		{"dev/plan", "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:444455556666:secret:shop-dev/x", nil, false},
		{"dev/plan", "secretsmanager:BatchGetSecretValue", "*", nil, false},
		{"dev/plan", "kms:Decrypt", devKey, contextOf("kms:ViaService", "ssm.eu-west-1.amazonaws.com"), false},
		{"dev/plan", "s3:GetObject", site + "/index.html", nil, false},
		{"dev/plan", "sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:444455556666:shop-dev-mail", nil, false},
		{"dev/plan", "logs:FilterLogEvents", "arn:aws:logs:eu-west-1:444455556666:log-group:/ecs/orders", nil, false},
		{"dev/plan", "dynamodb:Scan", "arn:aws:dynamodb:eu-west-1:444455556666:table/any", nil, false},
		{"dev/plan", "rds:DownloadDBLogFilePortion", "arn:aws:rds:eu-west-1:444455556666:db:shop", nil, false},

		{"apply-dev", "s3:PutObject", state("dev"), nil, true},
		{"apply-dev", "dynamodb:PutItem", table, lock("dev"), true},
		{"apply-dev", "kms:GenerateDataKey", key, objects(bucket), true},
		{"apply-dev", "cloudwatch:PutMetricData", "*", contextOf("cloudwatch:namespace", "CI/CD"), true},
		{"apply-dev", "cloudwatch:PutMetricData", "*", contextOf("cloudwatch:namespace", "AWS/ECS"), false},
		{"apply-dev", "s3:PutObject", state("prod"), nil, false},
		{"apply-dev", "s3:GetObject", state("prod"), nil, false},
		{"apply-dev", "s3:PutObject", state("shared"), nil, false},
		{"apply-dev", "s3:DeleteObject", state("dev"), nil, false},
		{"apply-dev", "dynamodb:PutItem", table, lock("prod"), false},
		{"apply-dev", "dynamodb:DeleteTable", table, nil, false},
		{"apply-dev", "sts:AssumeRole", "arn:aws:iam::" + staging + ":role/shop-apply", nil, false},
		{"apply-dev", "ecr:PutImage", images, nil, false},
		{"dev/apply", "rds:CreateDBInstance", "*", nil, true},
		{"dev/apply", "iam:CreateServiceLinkedRole", "*", nil, true},
		{"dev/apply", "iam:CreateRole", ourRole, bounded, true},
		{"dev/apply", "iam:CreateRole", ourRole, nil, false},
		{"dev/apply", "iam:PutRolePolicy", ourRole, nil, false},
		{"dev/apply", "iam:AttachRolePolicy", ourRole, contextOf("iam:PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"), false},
		{"dev/apply", "iam:DeleteRolePermissionsBoundary", ourRole, bounded, false},
		{"dev/apply", "iam:PutRolePermissionsBoundary", ourRole, contextOf("iam:PermissionsBoundary", "arn:aws:iam::aws:policy/AdministratorAccess"), false},
		{"dev/apply", "iam:CreateRole", "arn:aws:iam::444455556666:role/other", bounded, false},
		{"dev/apply", "iam:CreatePolicyVersion", boundary, nil, false},
		{"dev/apply", "iam:CreateUser", "*", nil, false},
		{"dev/apply", "iam:CreateAccessKey", "*", nil, false},
		{"dev/apply", "sts:AssumeRole", "arn:aws:iam::444455556666:role/OrganizationAccountAccessRole", nil, false},
		{"dev/apply", "sts:AssumeRole", ourRole, nil, false},
		{"dev/apply", "iam:PassRole", "arn:aws:iam::444455556666:role/shop-apply", contextOf("iam:PassedToService", "lambda.amazonaws.com"), false},
		{"dev/apply", "organizations:LeaveOrganization", "*", nil, false},

		{"deploy-dev", "ecr:BatchGetImage", images, nil, true},
		{"deploy-dev", "ecr:PutImage", images, nil, false},
		{"deploy-dev", "s3:GetObject", state("dev"), nil, false},
		{"dev/deploy", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:444455556666:service/shop-dev/orders", nil, true},
		{"dev/deploy", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:444455556666:service/other/orders", nil, false},
		{"dev/deploy", "ecs:RunTask", "arn:aws:ecs:eu-west-1:444455556666:task-definition/shop-dev-migrate:3", contextOf("ecs:cluster", cluster), true},
		{"dev/deploy", "ecs:RunTask", "arn:aws:ecs:eu-west-1:444455556666:task-definition/shop-dev-orders:3", contextOf("ecs:cluster", cluster), false},
		{"dev/deploy", "ecs:RunTask", "arn:aws:ecs:eu-west-1:444455556666:task-definition/shop-dev-migrate:3", nil, false},
		{"dev/deploy", "ecs:ExecuteCommand", cluster, nil, false},
		{"dev/deploy", "iam:PassRole", ourRole, passed, true},
		{"dev/deploy", "iam:PassRole", ourRole, contextOf("iam:PassedToService", "lambda.amazonaws.com"), false},
		{"dev/deploy", "iam:PassRole", "arn:aws:iam::444455556666:role/shop-dev-rotation", passed, false},
		{"dev/deploy", "ssm:PutParameter", parameter("dev", "orders/image"), nil, true},
		{"dev/deploy", "ssm:PutParameter", parameter("dev", "migrate/run"), nil, false},
		{"dev/deploy", "ssm:PutParameter", parameter("dev", "web/release"), nil, false},
		{"dev/deploy", "ssm:PutParameter", parameter("prod", "orders/image"), nil, false},
		{"dev/deploy", "s3:GetObject", site + "/index.html", nil, true},
		{"dev/deploy", "s3:PutObject", site + "/index.html", nil, false},
		{"dev/deploy", "s3:GetObject", "arn:aws:s3:::shop-dev-media-444455556666/index.html", nil, false},

		{"dev/frontend", "s3:PutObject", site + "/releases/v1.0.0/index.html", nil, true},
		{"dev/frontend", "s3:PutObject", "arn:aws:s3:::shop-dev-media-444455556666/mails/any", nil, false},
		{"dev/frontend", "s3:PutBucketPolicy", site, nil, false},
		{"dev/frontend", "kms:GenerateDataKey", devKey, objects(site), true},
		{"dev/frontend", "kms:Decrypt", devKey, objects("arn:aws:s3:::shop-dev-media-444455556666"), false},
		{"dev/frontend", "ssm:PutParameter", parameter("dev", "web/release"), nil, true},
		{"dev/frontend", "ssm:PutParameter", parameter("dev", "orders/image"), nil, false},
		{"dev/frontend", "cloudfront:CreateInvalidation", "arn:aws:cloudfront::444455556666:distribution/D", nil, true},
		{"dev/frontend", "cloudfront:UpdateDistribution", "arn:aws:cloudfront::444455556666:distribution/D", nil, false},
		{"dev/frontend", "ecs:UpdateService", "arn:aws:ecs:eu-west-1:444455556666:service/shop-dev/orders", nil, false},

		{"build", "ecr:PutImage", images, nil, true},
		{"build", "ecr:PutImage", "arn:aws:ecr:eu-west-1:111122223333:repository/other", nil, false},
		{"build", "ecr:BatchDeleteImage", images, nil, false},
		{"build", "ecr:DeleteRepository", images, nil, false},
		{"build", "ecr:SetRepositoryPolicy", images, nil, false},
		{"build", "sts:AssumeRole", "arn:aws:iam::" + dev + ":role/shop-deploy", nil, false},
		{"report", "logs:PutLogEvents", "arn:aws:logs:eu-west-1:" + shared + ":log-group:/ci/backend:log-stream:1/1/test", nil, true},
		{"report", "logs:PutLogEvents", "arn:aws:logs:eu-west-1:" + shared + ":log-group:/other:log-stream:any", nil, false},
		{"report", "logs:GetLogEvents", "arn:aws:logs:eu-west-1:" + shared + ":log-group:/ci/backend:log-stream:1/1/test", nil, false},
		{"report", "logs:DeleteLogGroup", "arn:aws:logs:eu-west-1:" + shared + ":log-group:/ci/backend", nil, false},
	} {
		r := roles[test.role]
		if r == nil {
			t.Fatalf("there is no role %s", test.role)
		}
		if got := r.asks(t, test.action, test.resource, test.context); got != test.want {
			t.Errorf("%s: %s on %s (%v) is allowed: %v", test.role, test.action, test.resource, test.context, got)
		}
	}
}

// The pipelines' own rights are changed by people only, whatever a pipeline is told to do.
func TestNoPipelineCanWidenItself(t *testing.T) {
	roles := pipelineRoles(t)
	w := everywhere(t)["platform/shared"]
	var rights []target
	for _, about := range w.own() {
		if strings.HasPrefix(about.name, pipelines) && strings.HasPrefix(about.kind, "aws_iam_") {
			rights = append(rights, about)
		}
	}
	for _, e := range stacks.All.Environments {
		rights = append(rights, target{name: stacks.MemberRole, arn: "arn:aws:iam::" + e.AccountID + ":role/" + stacks.MemberRole, account: e.AccountID})
	}
	if len(rights) < len(roles)+2*len(stacks.All.Environments)+1 {
		t.Fatalf("only %d are asked for", len(rights))
	}
	writes := strings.Fields("AddClientIDToOpenIDConnectProvider AttachRolePolicy CreateOpenIDConnectProvider CreatePolicy CreatePolicyVersion " +
		"CreateRole DeleteOpenIDConnectProvider DeletePolicy DeletePolicyVersion DeleteRole DeleteRolePermissionsBoundary DeleteRolePolicy " +
		"DetachRolePolicy PassRole PutRolePermissionsBoundary PutRolePolicy SetDefaultPolicyVersion TagRole UpdateAssumeRolePolicy " +
		"UpdateOpenIDConnectProviderThumbprint UpdateRole")
	for _, r := range roles {
		for _, about := range rights {
			for _, write := range writes {
				for _, context := range []map[string][]string{nil, contextOf("iam:PermissionsBoundary", "arn:aws:iam::"+r.account+":policy/shop-boundary")} {
					if r.asks(t, "iam:"+write, about.arn, context) {
						t.Errorf("%s: iam:%s on %s", r.name, write, about.arn)
					}
				}
			}
		}
	}
}

// Of what an environment holds, a release reaches nothing but what it releases.
func TestAReleaseReachesNoDataAndNoOtherEnvironment(t *testing.T) {
	roles := pipelineRoles(t)
	for _, e := range stacks.All.Environments {
		w := everywhere(t)["platform/"+e.Name]
		for _, name := range []string{"deploy", "frontend"} {
			r := roles[e.Name+"/"+name]
			asked := 0
			for p := range w.probes() {
				asked++
				if !w.ask(p.request(r.who), policy.Policies{Identity: r.own, Resource: p.policy, Ruled: p.ruled}).Allowed {
					continue
				}
				service, action, _ := strings.Cut(p.action, ":")
				switch {
				case p.arn == "*":
				case p.stack != e.Name:
					t.Errorf("%s: %s of stack %s", r.name, p, p.stack)
				case service == "kms" && p.context["kms:EncryptionContext:aws:s3:arn"] != "arn:aws:s3:::shop-"+e.Name+"-web-"+e.AccountID,
					service == "iam" && action != "PassRole",
					slices.Contains([]string{"dynamodb", "rds", "rds-db", "secretsmanager", "sns", "sqs"}, service):
					t.Errorf("%s: %s", r.name, p)
				}
			}
			if asked < 10000 {
				t.Errorf("%s: only %d questions", r.name, asked)
			}
		}
	}
}

// Terraform makes roles with their boundary, under names that it may use.
func TestApplyMayMakeWhatTheEnvironmentHasInIAM(t *testing.T) {
	roles := pipelineRoles(t)
	for _, e := range stacks.All.Environments {
		w, r := everywhere(t)["platform/"+e.Name], roles[e.Name+"/apply"]
		actions := map[string][]string{
			"aws_iam_role": strings.Fields("CreateRole DeleteRole DeleteRolePolicy GetRole ListRolePolicies PassRole PutRolePermissionsBoundary " +
				"PutRolePolicy TagRole UntagRole UpdateAssumeRolePolicy UpdateRole"),
			"aws_iam_role_policy": nil, // its role's
		}
		for kind, resources := range w.Resource {
			if !strings.HasPrefix(kind, "aws_iam_") {
				continue
			}
			asked, known := actions[kind]
			if !known {
				t.Errorf("%s: whether apply may make a %s is not known here", e.Name, kind)
			}
			for id, made := range resources {
				for _, action := range asked {
					boundary, _ := made["permissions_boundary"].(string)
					arn := w.resolve("${" + kind + "." + id + ".arn}")
					if !r.asks(t, "iam:"+action, arn, contextOf("iam:PermissionsBoundary", boundary, "iam:PassedToService", "any")) {
						t.Errorf("%s: iam:%s on %s", r.name, action, arn)
					}
				}
			}
		}
		if len(w.Resource["aws_iam_role"]) < 10 {
			t.Errorf("%s has only %d roles", e.Name, len(w.Resource["aws_iam_role"]))
		}
	}
}

// The boundary takes nothing away that a role needs, and every right to change rights.
func TestTheBoundaryLeavesRolesWhatTheyNeed(t *testing.T) {
	w := everywhere(t)["platform/shared"]
	for _, p := range w.Resource["aws_iam_policy"] {
		bound := w.document(p, "policy")
		account := w.providerOf(p).AccountID
		ask := func(who policy.Principal, action, resource string) bool {
			d, err := policy.Evaluate(policy.Request{Principal: who, Action: action, Resource: resource, Account: account}, policy.Policies{Identity: bound})
			if err != nil {
				t.Fatal(err)
			}
			return d.Allowed
		}
		for where, env := range worlds(t) {
			if env.account != account || !strings.HasPrefix(where, "platform/") {
				continue
			}
			for _, r := range env.roles {
				for _, s := range r.statements {
					if !ask(r.who, s.Actions[0], strings.ReplaceAll(s.Resources[0], "*", "any")) {
						t.Errorf("%s: %s needs %s", where, r.path, &s)
					}
				}
				for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole", "organizations:LeaveOrganization"} {
					if ask(r.who, action, "arn:aws:iam::"+account+":role/shop-apply") {
						t.Errorf("%s: %s may %s", where, r.path, action)
					}
				}
			}
		}
	}
}

// onEverything are what pipelines may do on *, and why.
var onEverything = map[string]string{
	"application-autoscaling:DescribeScalableTargets": "it knows no resources",
	"cloudfront:ListDistributions":                    "it knows no resources",
	"cloudwatch:PutMetricData":                        "it knows no resources: its namespace is a condition",
	"ecr:GetAuthorizationToken":                       "it knows no resources",
	"ecs:DeregisterTaskDefinition":                    "it knows no resources",
	"ecs:DescribeTaskDefinition":                      "it knows no resources",
	"ecs:ListTaskDefinitions":                         "it knows no resources",
	"ecs:ListTasks":                                   "it knows no services: its cluster is a condition",
	"ecs:RegisterTaskDefinition":                      "it knows no resources: the roles that it hands on do",
	"iam:Get*":                                        "a refresh looks at roles of AWS's too",
	"iam:List*":                                       "a refresh looks at roles of AWS's too",
}

func TestAPipelineIsAllowedOnEverythingOnlyWhatKnowsNoResources(t *testing.T) {
	found := map[string]bool{}
	for _, r := range pipelineRoles(t) {
		for _, s := range r.own {
			if s.Deny {
				continue
			}
			action, parts := s.Actions[0], strings.SplitN(s.Resources[0], ":", 6)
			switch {
			case s.Resources[0] == "*" && onEverything[action] != "":
				found[action] = true
			case len(parts) < 6 || strings.ContainsAny(strings.Join(parts[:5], ":")+action, "*?") || strings.HasPrefix(parts[5], "*"):
				t.Errorf("%s: %s", r.name, &s)
			}
		}
	}
	for action := range onEverything {
		if !found[action] {
			t.Errorf("%s is on the list and in no policy", action)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestPoliciesOfPipelinesFitIAMsQuotas(t *testing.T) {
	w := everywhere(t)["platform/shared"]
	sizes := map[string]int{}
	measure := func(kind, argument string, quota int) {
		for _, r := range w.Resource[kind] {
			reference := r[argument].(string)
			document := w.Data["aws_iam_policy_document"][strings.TrimSuffix(strings.TrimPrefix(reference, "${data.aws_iam_policy_document."), ".json}")]
			// Terraform's words are longer than IAM's, and blanks do not count.
			text, err := json.Marshal(document["statement"])
			if err != nil {
				t.Fatal(err)
			}
			size := len(w.resolve(string(text)))
			sizes[kind] = max(sizes[kind], size)
			if size > quota {
				t.Errorf("%s: %d characters of %d", pathOf(r), size, quota)
			}
		}
	}
	measure("aws_iam_role", "assume_role_policy", 2048)
	measure("aws_iam_role_policy", "policy", 10240)
	measure("aws_iam_policy", "policy", 6144)
	t.Log(sizes)
}

// calls are what ./deploy.sh calls AWS for, read from its code: a file's calls are those of the role that runs it.
func TestAReleaseMayCallWhatItsCodeCallsAndNothingElse(t *testing.T) {
	roles := pipelineRoles(t)
	called := map[string][]string{}
	for _, of := range []struct{ role, files string }{
		{"deploy", "release/cloud.go release/ledger.go release/version.go release/metrics.go operate/run.go"},
		{"frontend", "release/site.go release/ledger.go"},
	} {
		for file := range strings.FieldsSeq(of.files) {
			text, err := os.ReadFile(filepath.Join("..", "..", "internal", file))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range apiCall.FindAllStringSubmatch(string(text), -1) {
				client, operation := m[1], m[2]
				if client == "" {
					client, operation = m[3], m[4]
				}
				called[of.role] = append(called[of.role], actionsOf(client, operation)...)
			}
		}
	}
	// What the status of an environment says of its page, and what the SDK calls to wait.
	called["deploy"] = append(called["deploy"], "s3:GetObject", "s3:ListBucket")
	called["frontend"] = append(called["frontend"], "cloudfront:GetInvalidation")
	// What AWS asks for beside the call: keys, roles that are handed on, tags that are copied; and the registry's login, with which
	// the workflow looks at what is attested of an image.
	beside := []string{"ecr:GetAuthorizationToken", "ecs:TagResource", "iam:PassRole", "kms:Decrypt", "kms:GenerateDataKey", "sts:AssumeRole"}
	for role, actions := range called {
		allowed := map[string]bool{}
		for _, name := range []string{role + "-dev", "dev/" + role} {
			for _, s := range roles[name].own {
				for _, action := range s.Actions {
					allowed[action] = true
				}
			}
		}
		may := slices.Sorted(maps.Keys(allowed))
		may = slices.DeleteFunc(may, func(a string) bool { return slices.Contains(beside, a) })
		slices.Sort(actions)
		if diff := cmp.Diff(slices.Compact(actions), may); diff != "" {
			t.Errorf("%s (-called +allowed)\n%s", role, diff)
		}
	}
}

// apiCall is a call by the SDK's client, or by one of its pages.
var apiCall = regexp.MustCompile(`(ecs|scaling|cloudwatch|logs|ssm|ecr|s3|cloudfront)(?:\.NewFromConfig\([^()]*\))?\.([A-Z][A-Za-z0-9]+)\((?:context\.WithoutCancel\()?ctx|` +
	`(ecs|scaling|cloudwatch|logs|ssm|ecr|s3|cloudfront)\.New([A-Za-z0-9]+)Paginator\(`)

// actionsOf are IAM's names of a call.
func actionsOf(client, operation string) []string {
	service := client
	if client == "scaling" {
		service = "application-autoscaling"
	}
	switch operation {
	case "HeadObject":
		return []string{"s3:GetObject"}
	case "CopyObject":
		return []string{"s3:GetObject", "s3:PutObject"}
	case "DeleteObjects":
		return []string{"s3:DeleteObject"}
	case "ListObjectsV2":
		return []string{"s3:ListBucket"}
	}
	return []string{fmt.Sprintf("%s:%s", service, operation)}
}
