// Package secret makes a secret in Secrets Manager, and what rotates it if nobody has to know its value.
//
//	service -(SECRET_<NAME>_ARN)-> aws_secretsmanager_secret <- aws_secretsmanager_secret_rotation <- aws_lambda_function
//
// No value is in Terraform's state or in a task definition: a person or Secrets Manager puts it in, the service reads it when
// it uses it. A service that keeps it for some minutes, and reads it again when it is refused, never notices a rotation.
package secret

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecret"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/secretsmanagersecretrotation"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
	"aws-microservices/internal/finding"
)

// Props describe a secret.
type Props struct {
	// Name of the secret in its environment, e.g. "payment-provider".
	Name string
	// Prefix goes before the name, e.g. "shop-dev" for "shop-dev/payment-provider".
	Prefix string
	// Key encrypts the value.
	Key kmskey.KmsKey
	// Rotation invents the value, and another one every RotationDays, at most 1000. Defaults to none: a person puts it in.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets.html
	Rotation     *Rotation
	RotationDays int
	// DeletionProtection keeps a destroyed secret for 30 days. Defaults to false: it is gone at once, and its name free.
	DeletionProtection bool
}

// Secret is a secret.
type Secret struct {
	Resource secretsmanagersecret.SecretsmanagerSecret
	// ARN is an attribute, read once: each reading is a round trip to jsii.
	ARN *string

	props Props
}

// New makes a secret.
func New(scope constructs.Construct, id string, props Props) *Secret {
	scope = constructs.NewConstruct(scope, &id)
	recovery := 0
	if props.DeletionProtection {
		recovery = 30
	}
	s := &Secret{props: props}
	s.Resource = secretsmanagersecret.NewSecretsmanagerSecret(scope, jsii.String("secret"), &secretsmanagersecret.SecretsmanagerSecretConfig{
		Name:                 jsii.String(props.Prefix + "/" + props.Name),
		KmsKeyId:             props.Key.Arn(),
		RecoveryWindowInDays: jsii.Number(recovery),
	})
	s.ARN = s.Resource.Arn()
	if props.Rotation == nil {
		finding.Except(s.Resource, finding.Exception{
			ID:      "CKV2_AWS_57",
			Reason:  "the value is somebody else's, e.g. an API key: only they can change it",
			Expires: "2027-11-30",
		})
		return s
	}
	props.Rotation.allow(s.ARN)
	secretsmanagersecretrotation.NewSecretsmanagerSecretRotation(scope, jsii.String("rotation"), &secretsmanagersecretrotation.SecretsmanagerSecretRotationConfig{
		SecretId:          s.Resource.Id(),
		RotationLambdaArn: props.Rotation.Function.Arn(),
		// So the first value comes from the rotation as well.
		RotateImmediately: jsii.Bool(true),
		RotationRules:     &secretsmanagersecretrotation.SecretsmanagerSecretRotationRotationRules{AutomaticallyAfterDays: jsii.Number(props.RotationDays)},
		DependsOn:         &[]cdktf.ITerraformDependable{props.Rotation.Permission, props.Rotation.policy},
	})
	return s
}

// Read is the link of a service that reads the secret.
func (s *Secret) Read() link.Link {
	return link.Link{
		Name: "reads-secret-" + s.props.Name,
		Statements: []iam.Statement{
			{Sid: "Secret", Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{*s.ARN}},
			{
				// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
				Sid: "SecretKey", Actions: []string{"kms:Decrypt"}, Resources: []string{*s.props.Key.Arn()},
				Conditions: []iam.Condition{{Test: "StringEquals", Variable: "kms:EncryptionContext:SecretARN", Values: []string{*s.ARN}}},
			},
		},
		Environment: map[string]string{link.Variable("secret", s.props.Name, "arn"): *s.ARN},
	}
}
