package secret

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsiampolicydocument"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/iamrolepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdafunction"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lambdapermission"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/logging"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/internal/finding"
)

//go:embed rotate.py
var source []byte

// RotationProps describe what rotates an environment's secrets.
type RotationProps struct {
	// Name prefixes the names of what is made, e.g. "shop-dev".
	Name string
	// AccountID is where the secrets are.
	AccountID string
	// Key encrypts the secrets and the function's log.
	Key kmskey.KmsKey
	// LogRetentionDays is how long the log is kept.
	LogRetentionDays int
}

// Rotation is the function that gives secrets new values.
type Rotation struct {
	Function lambdafunction.LambdaFunction
	// Permission lets Secrets Manager call the function.
	Permission lambdapermission.LambdaPermission

	name     string
	keyARN   *string
	base     []iam.Statement
	secrets  []string
	document dataawsiampolicydocument.DataAwsIamPolicyDocument
	policy   iamrolepolicy.IamRolePolicy
}

// NewRotation makes the function. It stays outside the network: it calls nothing but Secrets Manager, over TLS, and would
// need the permission to make network interfaces, of any kind, to be inside.
func NewRotation(scope constructs.Construct, id string, props RotationProps) *Rotation {
	scope = constructs.NewConstruct(scope, &id)
	name := props.Name + "-rotation"
	r := &Rotation{name: name, keyARN: props.Key.Arn()}
	log := logging.NewGroup(scope, "log-group", logging.GroupProps{
		Name: "/aws/lambda/" + name, RetentionDays: props.LogRetentionDays, Key: props.Key,
	})
	role := iam.NewRole(scope, "role", iam.RoleProps{
		Name: name, Description: "Gives secrets new values", Trust: iam.ForService("lambda.amazonaws.com", props.AccountID),
	})
	r.base = []iam.Statement{
		{Sid: "Log", Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{*log.Arn() + ":*"}},
		// It returns random characters, and knows no resources.
		{Sid: "Invent", Actions: []string{"secretsmanager:GetRandomPassword"}, Resources: []string{"*"}},
	}
	r.document = iam.NewDocument(scope, "document", r.base...)
	r.policy = iamrolepolicy.NewIamRolePolicy(scope, jsii.String("policy"), &iamrolepolicy.IamRolePolicyConfig{
		Name: &name, Role: role.Name(), Policy: r.document.Json(),
	})
	code := archive()
	hash := sha256.Sum256(code)
	r.Function = lambdafunction.NewLambdaFunction(scope, jsii.String("function"), &lambdafunction.LambdaFunctionConfig{
		FunctionName:   &name,
		Description:    jsii.String("Called by Secrets Manager to give a secret a new value"),
		Role:           role.Arn(),
		Runtime:        jsii.String("python3.13"),
		Architectures:  jsii.Strings("arm64"),
		Handler:        jsii.String("rotate.handler"),
		Filename:       asset(scope, code, hex.EncodeToString(hash[:])).Path(),
		SourceCodeHash: jsii.String(base64.StdEncoding.EncodeToString(hash[:])),
		MemorySize:     jsii.Number(128),
		Timeout:        jsii.Number(30),
		// Secrets are rotated one after the other, now and then.
		ReservedConcurrentExecutions: jsii.Number(2),
		TracingConfig:                &lambdafunction.LambdaFunctionTracingConfig{Mode: jsii.String("PassThrough")},
		LoggingConfig: &lambdafunction.LambdaFunctionLoggingConfig{
			LogFormat: jsii.String("JSON"), LogGroup: log.Name(), ApplicationLogLevel: jsii.String("INFO"), SystemLogLevel: jsii.String("INFO"),
		},
	})
	finding.Except(r.Function,
		finding.Exception{ID: "CKV_AWS_116", Reason: "Secrets Manager waits for the answer and tries again itself: nothing is left to put aside", Expires: "2027-11-30"},
		finding.Exception{ID: "CKV_AWS_117", Reason: "it calls Secrets Manager only, over TLS: inside the network it would need the permission to make any network interface", Expires: "2027-11-30"},
		finding.Exception{ID: "CKV_AWS_272", Reason: "the code is the file beside this JSON, whose hash the function has: reviewed and applied together", Expires: "2027-11-30"},
		finding.Exception{ID: "aws-lambda-enable-tracing", Reason: "it makes a few short calls to Secrets Manager alone, which leaves nothing to trace", Expires: "2027-11-30"},
	)
	r.Permission = lambdapermission.NewLambdaPermission(scope, jsii.String("permission"), &lambdapermission.LambdaPermissionConfig{
		StatementId:   jsii.String("SecretsManager"),
		FunctionName:  r.Function.FunctionName(),
		Action:        jsii.String("lambda:InvokeFunction"),
		Principal:     jsii.String("secretsmanager.amazonaws.com"),
		SourceAccount: &props.AccountID,
	})
	finding.Except(r.Permission, finding.Exception{
		ID:      "aws-lambda-restrict-source-arn",
		Reason:  "the permission names the account: any secret of it may be rotated, and the role says which can be",
		Expires: "2027-11-30",
	})
	return r
}

// allow lets the function rotate one more secret.
func (r *Rotation) allow(secretARN *string) {
	r.secrets = append(r.secrets, *secretARN)
	iam.SetStatements(r.document, append(r.base,
		iam.Statement{
			Sid: "Rotate",
			Actions: []string{
				"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
			},
			Resources: r.secrets,
		},
		iam.Statement{
			Sid: "Key", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{*r.keyARN},
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "kms:EncryptionContext:SecretARN", Values: r.secrets}},
		},
	)...)
}

// archive packs the function's code. The same source gives the same bytes, whenever and wherever.
func archive() []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	file, err := w.CreateHeader(&zip.FileHeader{Name: "rotate.py"}) // without a time, and not compressed
	if err == nil {
		_, err = file.Write(source)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return packed.Bytes()
}

// asset puts the package beside the stack's JSON, where Terraform finds it. cdktf copies it there at the end of the
// synthesis, so that the file it copies has to stay: one for each version of the code.
func asset(scope constructs.Construct, code []byte, hash string) cdktf.TerraformAsset {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("secret-rotation-%d-%s", os.Getuid(), hash[:16]), "rotate.zip")
	if err := place(path, code); err != nil {
		panic(fmt.Errorf("the rotation function's code cannot be packed: %w", err))
	}
	return cdktf.NewTerraformAsset(scope, jsii.String("code"), &cdktf.TerraformAssetConfig{Path: &path, Type: cdktf.AssetType_FILE})
}

// place writes a file at once: another synthesis may be reading it.
func place(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	return errors.Join(err, file.Close(), os.Rename(file.Name(), path))
}

// Alarms are the function's: a secret keeps its old value.
func (r *Rotation) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{{
		ID:          "rotation-errors",
		Description: "A secret was not given a new value: read /aws/lambda/" + r.name,
		Metric: monitoring.Metric{
			Namespace: "AWS/Lambda", Name: "Errors", Statistic: "Sum", Dimensions: map[string]string{"FunctionName": r.name},
		},
		Comparison: monitoring.Above, Threshold: 0, Periods: 1,
	}}
}

// Graphs are none: rotations are rare.
func (r *Rotation) Graphs() []monitoring.Graph { return nil }
