package delivery

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iampolicy"

	"aws-microservices/constructs/iam"
	"aws-microservices/internal/finding"
)

const (
	// readOnly and powerUser are managed policies of AWS: everything may be looked at, or everything changed but IAM.
	// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ReadOnlyAccess.html
	readOnly  = "ReadOnlyAccess"
	powerUser = "PowerUserAccess"
)

// BoundaryARN is the policy that bounds every role of an environment: none of them may do more, whatever else allows it. So who
// may make roles, as the pipeline that applies, cannot make one that may do more than itself.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func BoundaryARN(name, accountID string) string {
	return fmt.Sprintf("arn:aws:iam::%s:policy/%s", accountID, boundaryName(name))
}

func boundaryName(name string) string { return name + "-boundary" }

// account makes the roles of an environment's account. Each is assumed by the one role of the shared account that is for it.
func (d *Delivery) account(e Environment) {
	scope := constructs.NewConstruct(d.scope, jsii.String(e.Name))
	role := func(name, by, description, managed string, may []iam.Statement) {
		iam.NewRole(scope, name, iam.RoleProps{
			Name: d.Name + "-" + name, Description: description, Trust: iam.ForRole(d.sharedRole(by)),
			ManagedPolicy: managed, Statements: may, Provider: e.Provider,
		})
	}
	d.boundary(scope, e)
	role("plan", "plan", "Looks at everything but data", readOnly, append(noData(),
		iam.Statement{Sid: "NoObjects", Deny: true, Actions: []string{"s3:GetObject*"}, Resources: []string{"*"}},
		iam.Statement{Sid: "NoDecryption", Deny: true, Actions: []string{"kms:Decrypt"}, Resources: []string{"*"}},
	))
	role("apply", "apply-"+e.Name, "Changes what Terraform made", powerUser, d.changes(e))
	role("deploy", "deploy-"+e.Name, "Releases services", "", d.releases(e))
	if e.SiteBucket != "" {
		role("frontend", "frontend-"+e.Name, "Releases the page", "", d.releasesPage(e))
	}
}

// boundary makes the policy that bounds the roles of an environment's stack.
func (d *Delivery) boundary(scope constructs.Construct, e Environment) {
	document := iam.NewDocument(scope, "boundary-document",
		iam.Statement{Sid: "AllButRights", NotActions: []string{"account:*", "iam:*", "organizations:*", "sts:AssumeRole"}, Resources: []string{"*"}},
		iam.Statement{Sid: "PassRoles", Actions: []string{"iam:PassRole"}, Resources: []string{d.ownRoles(e)}},
	)
	var exceptions []finding.Exception
	for _, id := range []string{"CKV_AWS_107", "CKV_AWS_108", "CKV_AWS_109", "CKV_AWS_110", "CKV_AWS_111", "CKV_AWS_356"} {
		exceptions = append(exceptions, finding.Exception{
			ID: id, Reason: "a permissions boundary allows nothing: it takes from what the roles' own policies allow", Expires: "2027-11-30",
		})
	}
	finding.Except(document, exceptions...)
	iampolicy.NewIamPolicy(scope, jsii.String("boundary"), &iampolicy.IamPolicyConfig{
		Name: jsii.String(boundaryName(d.Name)), Description: jsii.String("The most that a role of " + e.Name + " may do"),
		Policy: document.Json(), Provider: e.Provider,
	})
}

// noData takes what is in secrets, messages, tables and logs from a role that may look at everything.
func noData() []iam.Statement {
	return []iam.Statement{{
		Sid: "NoData", Deny: true, Resources: []string{"*"},
		Actions: []string{
			"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:PartiQLSelect", "dynamodb:Query", "dynamodb:Scan",
			"logs:FilterLogEvents", "logs:GetLogEvents", "logs:GetLogRecord", "logs:GetQueryResults", "logs:StartLiveTail", "logs:StartQuery",
			"rds:DownloadCompleteDBLogFile", "rds:DownloadDBLogFilePortion",
			"secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue",
			"sqs:ReceiveMessage",
		},
	}}
}

func (d *Delivery) prefix(e Environment) string { return d.Name + "-" + e.Name }

// ownRoles are the roles of an environment's stack: those that begin with its name.
func (d *Delivery) ownRoles(e Environment) string { return roleARN(e.AccountID, d.prefix(e)+"-*") }

// changes is what Terraform does in IAM beside what the managed policy lets it do elsewhere: roles of the environment's own,
// within their boundary.
func (d *Delivery) changes(e Environment) []iam.Statement {
	own := []string{d.ownRoles(e)}
	return []iam.Statement{
		// A refresh reads them one by one, and lists what is attached.
		{Sid: "Look", Actions: []string{"iam:Get*", "iam:List*"}, Resources: []string{"*"}},
		{
			Sid: "BoundedRoles", Resources: own,
			Actions: []string{
				"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
				"iam:PutRolePermissionsBoundary", "iam:PutRolePolicy",
			},
			Conditions: []iam.Condition{{
				Test: "StringEquals", Variable: "iam:PermissionsBoundary", Values: []string{BoundaryARN(d.Name, e.AccountID)},
			}},
		},
		{
			Sid: "Roles", Resources: own,
			Actions: []string{"iam:DeleteRole", "iam:PassRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"},
		},
		{
			Sid: "InstanceProfiles",
			Actions: []string{
				"iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile",
				"iam:TagInstanceProfile", "iam:UntagInstanceProfile",
			},
			Resources: []string{fmt.Sprintf("arn:aws:iam::%s:instance-profile/%s-*", e.AccountID, d.prefix(e))},
		},
		{
			// What says who may do what is changed by people.
			Sid: "NotOwnRights", Deny: true, Actions: []string{"iam:*"},
			Resources: []string{
				d.roleIn(e, "apply"), d.roleIn(e, "deploy"), d.roleIn(e, "frontend"), d.roleIn(e, "plan"),
				roleARN(e.AccountID, d.MemberRole), BoundaryARN(d.Name, e.AccountID),
				fmt.Sprintf("arn:aws:iam::%s:oidc-provider/*", e.AccountID),
			},
		},
		// Terraform has arrived: from here it becomes nobody else.
		{Sid: "NoOtherRole", Deny: true, Actions: []string{"sts:AssumeRole"}, Resources: []string{"*"}},
	}
}

// releases is what ./deploy.sh calls to release services, to run tasks and to say how both are.
func (d *Delivery) releases(e Environment) []iam.Statement {
	arn := func(service, resource string) string {
		return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, e.Region, e.AccountID, resource)
	}
	prefix := d.prefix(e)
	var ledgers, runs, definitions, running, roles, logs []string
	for _, s := range d.Services {
		ledgers = append(ledgers, arn("ssm", fmt.Sprintf("parameter/%s/%s/%s/image", d.Name, e.Name, s)))
		definitions = append(definitions, arn("ecs", fmt.Sprintf("task-definition/%s-%s:*", prefix, s)))
		running = append(running, arn("ecs", fmt.Sprintf("service/%s/%s", prefix, s)))
		roles = append(roles, roleARN(e.AccountID, fmt.Sprintf("%s-%s-execution", prefix, s)), roleARN(e.AccountID, fmt.Sprintf("%s-%s-task", prefix, s)))
		logs = append(logs, arn("logs", fmt.Sprintf("log-group:/ecs/%s:log-stream:ecs/%s/*", s, s)))
	}
	var tasks []string
	for _, t := range d.Tasks {
		runs = append(runs, arn("ssm", fmt.Sprintf("parameter/%s/%s/%s/run", d.Name, e.Name, t)))
		tasks = append(tasks, arn("ecs", fmt.Sprintf("task-definition/%s-%s:*", prefix, t)))
	}
	inCluster := []iam.Condition{{Test: "ArnEquals", Variable: "ecs:cluster", Values: []string{arn("ecs", "cluster/"+prefix)}}}
	may := []iam.Statement{
		{Sid: "Ledger", Actions: []string{"ssm:GetParameterHistory", "ssm:PutParameter"}, Resources: ledgers},
		{
			// These actions know no resources. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
			Sid: "Revisions", Resources: []string{"*"},
			Actions: []string{
				"ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition",
			},
		},
		{
			Sid: "RevisionTags", Actions: []string{"ecs:TagResource"}, Resources: definitions,
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "ecs:CreateAction", Values: []string{"RegisterTaskDefinition"}}},
		},
		{Sid: "Services", Actions: []string{"ecs:DescribeServices", "ecs:UpdateService"}, Resources: running},
		{Sid: "ListTasks", Actions: []string{"ecs:ListTasks"}, Resources: []string{"*"}, Conditions: inCluster},
		{Sid: "Tasks", Actions: []string{"ecs:DescribeTasks"}, Resources: []string{arn("ecs", "task/"+prefix+"/*")}},
		{
			Sid: "PassRoles", Actions: []string{"iam:PassRole"}, Resources: roles,
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "iam:PassedToService", Values: []string{"ecs-tasks.amazonaws.com"}}},
		},
		{Sid: "LookAtScaling", Actions: []string{"application-autoscaling:DescribeScalableTargets"}, Resources: []string{"*"}},
		{
			Sid: "Scaling", Actions: []string{"application-autoscaling:RegisterScalableTarget"},
			Resources: []string{arn("application-autoscaling", "scalable-target/*")},
			Conditions: []iam.Condition{{
				Test: "StringEquals", Variable: "application-autoscaling:service-namespace", Values: []string{"ecs"},
			}},
		},
		{Sid: "Alarms", Actions: []string{"cloudwatch:DescribeAlarms"}, Resources: []string{arn("cloudwatch", "alarm:*")}},
		{Sid: "Logs", Actions: []string{"logs:GetLogEvents"}, Resources: logs},
	}
	if len(d.Tasks) > 0 {
		may = append(may,
			iam.Statement{Sid: "HowToRun", Actions: []string{"ssm:GetParameter"}, Resources: runs},
			iam.Statement{Sid: "Run", Actions: []string{"ecs:RunTask"}, Resources: tasks, Conditions: inCluster},
			iam.Statement{
				Sid: "TaskTags", Actions: []string{"ecs:TagResource"}, Resources: []string{arn("ecs", "task/"+prefix+"/*")},
				Conditions: []iam.Condition{{Test: "StringEquals", Variable: "ecs:CreateAction", Values: []string{"RunTask"}}},
			},
		)
	}
	if e.SiteBucket != "" {
		// What the status of an environment says of its page. Whoever may list is told that an object is missing, and not refused.
		bucket := "arn:aws:s3:::" + e.SiteBucket
		may = append(may,
			iam.Statement{Sid: "PageHistory", Actions: []string{"ssm:GetParameterHistory"}, Resources: []string{d.pageLedger(e)}},
			iam.Statement{Sid: "ListPage", Actions: []string{"s3:ListBucket"}, Resources: []string{bucket}},
			iam.Statement{Sid: "Page", Actions: []string{"s3:GetObject"}, Resources: []string{bucket + "/index.html"}},
			objectKey(e.AccountID, e.Region, e.SiteBucket, "kms:Decrypt"),
		)
	}
	return may
}

func (d *Delivery) pageLedger(e Environment) string {
	return fmt.Sprintf("arn:aws:ssm:%s:%s:parameter/%s/%s/web/release", e.Region, e.AccountID, d.Name, e.Name)
}

// releasesPage is what ./deploy.sh calls to release the page.
func (d *Delivery) releasesPage(e Environment) []iam.Statement {
	bucket := "arn:aws:s3:::" + e.SiteBucket
	return []iam.Statement{
		{Sid: "ListPage", Actions: []string{"s3:ListBucket"}, Resources: []string{bucket}},
		{Sid: "Page", Actions: []string{"s3:DeleteObject", "s3:GetObject", "s3:PutObject"}, Resources: []string{bucket + "/*"}},
		objectKey(e.AccountID, e.Region, e.SiteBucket, "kms:Decrypt", "kms:GenerateDataKey"),
		{Sid: "Ledger", Actions: []string{"ssm:GetParameterHistory", "ssm:PutParameter"}, Resources: []string{d.pageLedger(e)}},
		// It is found by its comment. The action knows no resources.
		{Sid: "Distributions", Actions: []string{"cloudfront:ListDistributions"}, Resources: []string{"*"}},
		{
			Sid: "Invalidate", Actions: []string{"cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"},
			Resources: []string{fmt.Sprintf("arn:aws:cloudfront::%s:distribution/*", e.AccountID)},
		},
	}
}
