// Package key makes a customer managed KMS key.
//
//	Grant ... -> key policy -> aws_kms_key <- aws_kms_alias
//
// IAM policies decide who in the account may use the key; the key policy adds the AWS services that use it in their own
// name. https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html
package key

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmsalias"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/internal/finding"
	"aws-microservices/internal/lifecycle"
)

// Use are the actions of a service that encrypts and decrypts.
var Use = []string{"kms:Decrypt", "kms:GenerateDataKey*"}

// Grant lets an AWS service use the key.
type Grant struct {
	// Sid names the statement in the key policy.
	Sid string
	// Service is the service's principal, e.g. "sns.amazonaws.com".
	Service string
	// Actions are what it may do. Defaults to Use.
	Actions []string
	// Conditions limit the grant, usually to this account's resources.
	Conditions []iam.Condition
}

// FromAccount limits a grant to requests for the account's own resources.
func FromAccount(accountID string) []iam.Condition {
	return []iam.Condition{{Test: "StringEquals", Variable: "aws:SourceAccount", Values: []string{accountID}}}
}

// Logs lets CloudWatch Logs of one region encrypt the account's log groups.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func Logs(accountID, region string) Grant {
	return Grant{
		Sid:     "Logs",
		Service: fmt.Sprintf("logs.%s.amazonaws.com", region),
		Actions: []string{"kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"},
		Conditions: []iam.Condition{{
			Test: "ArnLike", Variable: "kms:EncryptionContext:aws:logs:arn",
			Values: []string{fmt.Sprintf("arn:aws:logs:%s:%s:*", region, accountID)},
		}},
	}
}

// Props describe a key.
type Props struct {
	// Name is the alias, without "alias/".
	Name string
	// Description says what the key encrypts.
	Description string
	// AccountID is the account that administers the key.
	AccountID string
	// Grants are the services that use the key in their own name. Defaults to none.
	Grants []Grant
	// PreventDestroy makes Terraform refuse to destroy the key, and with it everything it encrypts. Defaults to false.
	PreventDestroy bool
	// Provider places the key in another region. Defaults to the stack's.
	Provider cdktf.TerraformProvider
}

// New makes a key that rotates every year and, if destroyed, can be brought back for 30 days.
func New(scope constructs.Construct, id string, props Props) kmskey.KmsKey {
	scope = constructs.NewConstruct(scope, &id)
	key := kmskey.NewKmsKey(scope, jsii.String("key"), &kmskey.KmsKeyConfig{
		Description:          &props.Description,
		EnableKeyRotation:    jsii.Bool(true),
		DeletionWindowInDays: jsii.Number(30),
		Policy:               policy(scope, props),
		Provider:             props.Provider,
		Lifecycle:            lifecycle.Protect(props.PreventDestroy),
	})
	kmsalias.NewKmsAlias(scope, jsii.String("alias"), &kmsalias.KmsAliasConfig{
		Name:        jsii.String("alias/" + props.Name),
		TargetKeyId: key.KeyId(),
		Provider:    props.Provider,
	})
	return key
}

func policy(scope constructs.Construct, props Props) *string {
	statements := []iam.Statement{{
		Sid:        "Account",
		Principals: []iam.Principal{{Type: "AWS", Identifiers: []string{fmt.Sprintf("arn:aws:iam::%s:root", props.AccountID)}}},
		Actions:    []string{"kms:*"},
		Resources:  []string{"*"},
	}}
	for _, g := range props.Grants {
		actions := g.Actions
		if actions == nil {
			actions = Use
		}
		statements = append(statements, iam.Statement{
			Sid: g.Sid, Principals: iam.Service(g.Service), Actions: actions, Resources: []string{"*"}, Conditions: g.Conditions,
		})
	}
	document := iam.NewDocument(scope, "policy", statements...)
	const reason = "in a key policy the resource * is the key itself, and the account must keep control of it: " +
		"https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html"
	finding.Except(document,
		finding.Exception{ID: "CKV_AWS_109", Reason: reason, Expires: "2027-11-30"},
		finding.Exception{ID: "CKV_AWS_111", Reason: reason, Expires: "2027-11-30"},
		finding.Exception{ID: "CKV_AWS_356", Reason: reason, Expires: "2027-11-30"},
	)
	return document.Json()
}
