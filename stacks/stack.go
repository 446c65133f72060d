package stacks

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/provider"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/delivery"
	"aws-microservices/constructs/iam"
)

// providerVersion is the last major of the AWS provider that the bindings were made for.
const providerVersion = "~> 5.100"

// MemberRole is the role that AWS Organizations makes in each account of an organization, for its management account.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_access.html
const MemberRole = "OrganizationAccountAccessRole"

// stateBucket, stateLogBucket and lockTable name what the bootstrap stack makes and every backend uses.
func (c Config) stateBucket() string {
	return fmt.Sprintf("%s-tfstate-%s", c.Platform.Name, c.Shared.AccountID)
}

func (c Config) stateLogBucket() string {
	return fmt.Sprintf("%s-tfstate-logs-%s", c.Platform.Name, c.Shared.AccountID)
}

func (c Config) lockTable() string {
	return c.Platform.Name + "-tflock"
}

// newStack makes a stack with its state in S3 under its own key, and the provider of one account and region.
func newStack(app cdktf.App, c Config, name, accountID, region string) cdktf.TerraformStack {
	stack := cdktf.NewTerraformStack(app, &name)
	if accountID != c.Shared.AccountID && c.Shared.Repository != nil {
		iam.Bound(stack, delivery.BoundaryARN(c.Platform.Name, accountID))
	}
	cdktf.NewS3Backend(stack, &cdktf.S3BackendConfig{
		Bucket:        jsii.String(c.stateBucket()),
		Key:           jsii.String(name + "/terraform.tfstate"),
		Region:        &c.Shared.Region,
		DynamodbTable: jsii.String(c.lockTable()),
		// No `encrypt`: it would ask S3 for its own keys, where the bucket's default is our KMS key.
	})
	if accountID != c.Shared.AccountID {
		roleVariable(stack)
	}
	awsProvider(stack, c, name, accountID, region, "")
	// The bindings ask for the exact version they were made from.
	stack.AddOverride(jsii.String("terraform.required_providers.aws"), map[string]string{
		"source": "hashicorp/aws", "version": providerVersion,
	})
	return stack
}

// roleVariable lets whoever runs Terraform say which role it takes in the environments' accounts: a person the one that
// administers them, a pipeline one of its own. Ephemeral: a plan made by one role is applied by another.
// https://developer.hashicorp.com/terraform/language/values/variables#exclude-values-from-state
func roleVariable(stack cdktf.TerraformStack) {
	cdktf.NewTerraformVariable(stack, jsii.String("role"), &cdktf.TerraformVariableConfig{
		Type: jsii.String("string"), Default: jsii.String(MemberRole), Description: jsii.String("The role to take in an environment's account"),
	}).AddOverride(jsii.String("ephemeral"), true)
}

// awsProvider makes a provider that touches the one account, and tags what it makes.
func awsProvider(stack cdktf.TerraformStack, c Config, name, accountID, region, alias string) provider.AwsProvider {
	config := &provider.AwsProviderConfig{
		Region:            &region,
		AllowedAccountIds: jsii.Strings(accountID),
		DefaultTags: []*provider.AwsProviderDefaultTags{{Tags: &map[string]*string{
			"Platform":    &c.Platform.Name,
			"Environment": &name,
			"ManagedBy":   jsii.String("terraform"),
		}}},
	}
	if accountID != c.Shared.AccountID {
		config.AssumeRole = []*provider.AwsProviderAssumeRole{{
			RoleArn: jsii.String(fmt.Sprintf("arn:aws:iam::%s:role/${var.role}", accountID)),
		}}
	}
	id := "aws"
	if alias != "" {
		id += "-" + alias
		config.Alias = &alias
	}
	return provider.NewAwsProvider(stack, &id, config)
}

// output makes a stack's output under a name that is stable and can be read.
func output(scope constructs.Construct, name, description string, value *string) {
	cdktf.NewTerraformOutput(scope, &name, &cdktf.TerraformOutputConfig{Value: value, Description: &description}).OverrideLogicalId(&name)
}

// group gives many of a kind a place of their own in the tree.
func group(scope constructs.Construct, id string) constructs.Construct {
	return constructs.NewConstruct(scope, &id)
}
