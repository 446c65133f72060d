// Package delivery makes what the pipelines on GitHub log in as, and what their health is seen by.
//
//	a job's OIDC token -> aws_iam_openid_connect_provider -> a role in the shared account -> a role in the environment's account
//	a job's metrics and log -> /ci/<workflow>, namespace CI/CD -> dashboard
//
// No key is stored anywhere. Which job becomes which role is said by the claims that GitHub signs; what a role may do is all
// that the job's commands call, and no role may change what any of them may do: that is left to people.
//
//	role in the shared account    job                                                   goes on to, in the environment's
//	<name>-plan                   without environment, of a pull request or on main     <name>-plan, read-only
//	<name>-build                  backend.yml on main and on tags v*                    -
//	<name>-apply-<environment>    apply.yml in the environment, on main                 <name>-apply
//	<name>-deploy-<environment>   release-services.yml in the environment, main and v*  <name>-deploy
//	<name>-frontend-<environment> release-page.yml in the environment, main and v*      <name>-frontend
//	<name>-report                 without environment, of any of these                  -
package delivery

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamopenidconnectprovider"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/registry"
)

// Props describe the pipelines of a platform.
type Props struct {
	// Name is the platform's. It begins the roles' names.
	Name string
	// AccountID and Region are the shared account's.
	AccountID, Region string
	// Repository is where the workflows are.
	Repository Repository
	// State is where Terraform's state is, in the shared account.
	State State
	// Images are the repositories that images are pushed to.
	Images []string
	// Services are what is released, and Tasks those of them that a pipeline runs.
	Services, Tasks []string
	// MemberRole is what people take in the environments' accounts, and no pipeline changes.
	MemberRole string
	// Environments are where the pipelines deliver to.
	Environments []Environment
	// Key encrypts the logs; its policy must let CloudWatch Logs use it.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the jobs' logs are kept.
	LogRetentionDays int
}

// State is where Terraform keeps its state and its locks.
type State struct {
	// Bucket and Table are their names.
	Bucket, Table string
}

// Environment is one that the pipelines deliver to.
type Environment struct {
	// Name of the environment, and of its stack.
	Name string
	// AccountID and Region are the environment's, whose account has no other environment.
	AccountID, Region string
	// Production is an environment that customers use. Defaults to false.
	Production bool
	// SiteBucket holds the page. Defaults to none: a service answers in its place.
	SiteBucket string
	// Provider reaches the account, from the shared one.
	Provider cdktf.TerraformProvider
}

// Delivery is the pipelines' part of the accounts.
type Delivery struct {
	Props

	scope  constructs.Construct
	github iamopenidconnectprovider.IamOpenidConnectProvider
}

// New makes GitHub's identity provider, the roles of both accounts and the logs.
func New(scope constructs.Construct, id string, props Props) *Delivery {
	scope = constructs.NewConstruct(scope, &id)
	d := &Delivery{Props: props, scope: scope}
	d.github = iamopenidconnectprovider.NewIamOpenidConnectProvider(scope, jsii.String("github"), &iamopenidconnectprovider.IamOpenidConnectProviderConfig{
		Url: jsii.String("https://" + issuer), ClientIdList: jsii.Strings(audience),
		// No thumbprints: AWS trusts the authority of GitHub's certificate by itself.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
	})
	d.role("plan", "Plans, and sees drift", jobs{pullRequests: true, branch: true}, d.plans())
	d.role("build", "Builds images and pushes them", jobs{branch: true, tags: true, workflow: "backend.yml"}, d.pushes())
	d.role("report", "Reports what became of a job", jobs{pullRequests: true, branch: true, tags: true}, d.reports())
	for _, e := range props.Environments {
		in := func(workflow string, tags bool) jobs {
			return jobs{branch: true, tags: tags, workflow: workflow, environment: e.Name}
		}
		d.role("apply-"+e.Name, "Applies "+e.Name, in("apply.yml", false), d.applies(e))
		d.role("deploy-"+e.Name, "Releases services to "+e.Name, in("release-services.yml", true), d.deploys(e))
		d.account(e)
		if e.SiteBucket != "" {
			d.role("frontend-"+e.Name, "Releases the page to "+e.Name, in("release-page.yml", true), d.goesOn(e, "frontend"))
		}
	}
	d.logs()
	return d
}

// role makes a role of the shared account, that jobs on GitHub assume.
func (d *Delivery) role(name, description string, who jobs, may []iam.Statement) {
	props := iam.RoleProps{
		Name: d.Name + "-" + name, Description: description, Trust: d.Repository.trust(*d.github.Arn(), who), Statements: may,
	}
	if name == "plan" {
		props.ManagedPolicy = readOnly
	}
	iam.NewRole(d.scope, name, props)
}

// sharedRole is the ARN of a role of the shared account, and roleIn that of one in an environment's.
func (d *Delivery) sharedRole(name string) string { return roleARN(d.AccountID, d.Name+"-"+name) }

func (d *Delivery) roleIn(e Environment, name string) string {
	return roleARN(e.AccountID, d.Name+"-"+name)
}

func roleARN(accountID, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", accountID, name)
}

// goesOn lets a role assume its counterpart in an environment's account.
func (d *Delivery) goesOn(environment Environment, name string) []iam.Statement {
	return []iam.Statement{{Sid: "GoOn", Actions: []string{"sts:AssumeRole"}, Resources: []string{d.roleIn(environment, name)}}}
}

// objectsOf is the condition key that names the bucket for whose objects S3 uses a key.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
const objectsOf = "kms:EncryptionContext:aws:s3:arn"

// objectKey lets a role use the key of a bucket for its objects, and not for whatever else it encrypts. The key's id is made by
// another stack.
func objectKey(accountID, region, bucket string, actions ...string) iam.Statement {
	return iam.Statement{
		Sid: "ObjectKey", Actions: actions, Resources: []string{keys(accountID, region)},
		Conditions: []iam.Condition{{Test: "StringEquals", Variable: objectsOf, Values: []string{"arn:aws:s3:::" + bucket}}},
	}
}

func keys(accountID, region string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/*", region, accountID)
}

// plans is reading every state, and the shared account's resources by a policy of AWS. A plan takes no lock.
func (d *Delivery) plans() []iam.Statement {
	bucket := "arn:aws:s3:::" + d.State.Bucket
	var roles []string
	for _, e := range d.Environments {
		roles = append(roles, d.roleIn(e, "plan"))
	}
	return append([]iam.Statement{
		{Sid: "GoOn", Actions: []string{"sts:AssumeRole"}, Resources: roles},
		{Sid: "States", Actions: []string{"s3:ListBucket"}, Resources: []string{bucket}},
		{Sid: "State", Actions: []string{"s3:GetObject"}, Resources: []string{bucket + "/*/terraform.tfstate"}},
		objectKey(d.AccountID, d.Region, d.State.Bucket, "kms:Decrypt"),
		{Sid: "NoOtherObject", Deny: true, Actions: []string{"s3:GetObject*"}, NotResources: []string{bucket + "/*/terraform.tfstate"}},
		{
			Sid: "NoOtherDecryption", Deny: true, Actions: []string{"kms:Decrypt"}, Resources: []string{"*"},
			Conditions: []iam.Condition{{Test: "StringNotEquals", Variable: objectsOf, Values: []string{bucket}}},
		},
	}, noData()...)
}

// pushes is pushing images and what is attested of them. Nothing is deleted: an image that runs stays.
func (d *Delivery) pushes() []iam.Statement {
	return []iam.Statement{
		login(),
		{
			Sid: "Push",
			Actions: []string{
				"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
				"ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
			},
			Resources: d.repositories(d.Images),
		},
	}
}

// login is getting the registry's token, which opens nothing by itself. The action knows no resources.
func login() iam.Statement {
	return iam.Statement{Sid: "Login", Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"}}
}

func (d *Delivery) repositories(names []string) []string {
	var arns []string
	for _, name := range names {
		arns = append(arns, registry.ARN(d.AccountID, d.Region, d.Name, name))
	}
	return arns
}

// reports is publishing metrics and logs of pipelines.
func (d *Delivery) reports() []iam.Statement {
	return []iam.Statement{
		metrics(),
		{
			Sid: "Log", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []string{fmt.Sprintf("arn:aws:logs:%s:%s:log-group:%s*:log-stream:*", d.Region, d.AccountID, logGroups)},
		},
	}
}

// metrics is publishing the metrics of delivery and no others: the action knows no resources.
func metrics() iam.Statement {
	return iam.Statement{
		Sid: "Metrics", Actions: []string{"cloudwatch:PutMetricData"}, Resources: []string{"*"},
		Conditions: []iam.Condition{{Test: "StringEquals", Variable: "cloudwatch:namespace", Values: []string{Namespace}}},
	}
}

// applies is changing the state of one environment under its lock.
// https://developer.hashicorp.com/terraform/language/backend/s3#permissions-required
func (d *Delivery) applies(e Environment) []iam.Statement {
	bucket, key := "arn:aws:s3:::"+d.State.Bucket, e.Name+"/terraform.tfstate"
	item := d.State.Bucket + "/" + key
	return append(d.goesOn(e, "apply"),
		iam.Statement{Sid: "States", Actions: []string{"s3:ListBucket"}, Resources: []string{bucket}},
		iam.Statement{Sid: "State", Actions: []string{"s3:GetObject", "s3:PutObject"}, Resources: []string{bucket + "/" + key}},
		iam.Statement{
			// The lock, and the checksum of the state that is kept beside it.
			Sid: "Lock", Actions: []string{"dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"},
			Resources: []string{fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", d.Region, d.AccountID, d.State.Table)},
			Conditions: []iam.Condition{{
				Test: "ForAllValues:StringEquals", Variable: "dynamodb:LeadingKeys", Values: []string{item, item + "-md5"},
			}},
		},
		objectKey(d.AccountID, d.Region, d.State.Bucket, "kms:Decrypt", "kms:GenerateDataKey"),
		iam.Statement{
			// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
			Sid: "LockKey", Actions: []string{"kms:Decrypt"}, Resources: []string{keys(d.AccountID, d.Region)},
			Conditions: []iam.Condition{{
				Test: "StringEquals", Variable: "kms:EncryptionContext:aws:dynamodb:tableName", Values: []string{d.State.Table},
			}},
		},
		metrics(),
	)
}

// deploys is finding out which image a version is and what is attested of it, and saying what became of it.
func (d *Delivery) deploys(e Environment) []iam.Statement {
	return append(d.goesOn(e, "deploy"),
		login(),
		iam.Statement{
			Sid: "Images", Actions: []string{"ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"},
			Resources: d.repositories(d.Services),
		},
		metrics(),
	)
}
