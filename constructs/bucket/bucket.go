// Package bucket makes an S3 bucket that is private, encrypted, versioned and reached over TLS only.
//
//	aws_s3_bucket <- public access block, ownership, versioning, encryption, lifecycle, logging, notification, policy
package bucket

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsiampolicydocument"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucket"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketlifecycleconfiguration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketlogging"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketnotification"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketownershipcontrols"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketpublicaccessblock"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketserversideencryptionconfiguration"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/s3bucketversioning"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/internal/finding"
	"aws-microservices/internal/lifecycle"
)

// Props describe a bucket.
type Props struct {
	// Name of the bucket, unique in all of AWS. 3 to 63 characters.
	Name string
	// Key encrypts the objects. Defaults to keys that S3 manages (SSE-S3): for buckets that AWS services deliver logs to,
	// which cannot use a customer managed key.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
	Key kmskey.KmsKey
	// AccessLogs is the bucket that receives this bucket's access logs. Defaults to none: for the log bucket itself.
	AccessLogs *Bucket
	// ExpireDays is how long an object is kept. Defaults to 0, for ever.
	ExpireDays int
	// ExpireNoncurrentDays is how long a version is kept after it was replaced or deleted. Defaults to 90.
	ExpireNoncurrentDays int
	// PreventDestroy makes Terraform refuse to destroy the bucket. Defaults to false.
	PreventDestroy bool
	// Statements are added to the bucket's policy. Defaults to none.
	Statements []iam.Statement
}

// Bucket is an S3 bucket.
type Bucket struct {
	// Resource is the bucket.
	Resource s3bucket.S3Bucket
	// Policy is attached last: what needs the bucket's permissions depends on it.
	Policy s3bucketpolicy.S3BucketPolicy

	document   dataawsiampolicydocument.DataAwsIamPolicyDocument
	statements []iam.Statement
	// The attributes that the links need; keyARN is nil where S3 manages the keys.
	name, arn, keyARN *string
}

// New makes a bucket.
func New(scope constructs.Construct, id string, props Props) *Bucket {
	scope = constructs.NewConstruct(scope, &id)
	b := &Bucket{}
	b.Resource = s3bucket.NewS3Bucket(scope, jsii.String("bucket"), &s3bucket.S3BucketConfig{
		Bucket:    &props.Name,
		Lifecycle: lifecycle.Protect(props.PreventDestroy),
	})
	b.name, b.arn = b.Resource.Bucket(), b.Resource.Arn()
	if props.Key != nil {
		b.keyARN = props.Key.Arn()
	}
	private(scope, b)
	durable(scope, b, props)
	observed(scope, b, props)
	b.policy(scope, props)
	finding.Except(b.Resource, exceptions(props)...)
	return b
}

// ObjectsARN returns the pattern of the bucket's objects whose keys begin with prefix.
func (b *Bucket) ObjectsARN(prefix string) string {
	return *b.arn + "/" + prefix + "*"
}

// Allow adds statements to the bucket's policy, for those who are only known after the bucket was made.
func (b *Bucket) Allow(statements ...iam.Statement) {
	b.statements = append(b.statements, statements...)
	iam.SetStatements(b.document, b.statements...)
}

// private keeps the public and ACLs out.
func private(scope constructs.Construct, b *Bucket) {
	s3bucketpublicaccessblock.NewS3BucketPublicAccessBlock(scope, jsii.String("public-access"), &s3bucketpublicaccessblock.S3BucketPublicAccessBlockConfig{
		Bucket:                b.Resource.Id(),
		BlockPublicAcls:       jsii.Bool(true),
		BlockPublicPolicy:     jsii.Bool(true),
		IgnorePublicAcls:      jsii.Bool(true),
		RestrictPublicBuckets: jsii.Bool(true),
	})
	s3bucketownershipcontrols.NewS3BucketOwnershipControls(scope, jsii.String("ownership"), &s3bucketownershipcontrols.S3BucketOwnershipControlsConfig{
		Bucket: b.Resource.Id(),
		Rule:   &s3bucketownershipcontrols.S3BucketOwnershipControlsRule{ObjectOwnership: jsii.String("BucketOwnerEnforced")},
	})
}

// durable keeps versions, encrypts them, and lets them go in the end.
func durable(scope constructs.Construct, b *Bucket, props Props) {
	versioning := s3bucketversioning.NewS3BucketVersioningA(scope, jsii.String("versioning"), &s3bucketversioning.S3BucketVersioningAConfig{
		Bucket:                  b.Resource.Id(),
		VersioningConfiguration: &s3bucketversioning.S3BucketVersioningVersioningConfiguration{Status: jsii.String("Enabled")},
	})

	encryption := &s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA{
		SseAlgorithm: jsii.String("AES256"),
	}
	if b.keyARN != nil {
		encryption.SseAlgorithm = jsii.String("aws:kms")
		encryption.KmsMasterKeyId = b.keyARN
	}
	encrypted := s3bucketserversideencryptionconfiguration.NewS3BucketServerSideEncryptionConfigurationA(scope, jsii.String("encryption"), &s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationAConfig{
		Bucket: b.Resource.Id(),
		Rule: []*s3bucketserversideencryptionconfiguration.S3BucketServerSideEncryptionConfigurationRuleA{{
			ApplyServerSideEncryptionByDefault: encryption,
			BucketKeyEnabled:                   jsii.Bool(b.keyARN != nil),
		}},
	})
	if props.Key == nil {
		finding.Except(encrypted, finding.Exception{ID: "aws-s3-encryption-customer-key", Reason: withoutKey, Expires: "2027-11-30"})
	}

	noncurrent := props.ExpireNoncurrentDays
	if noncurrent == 0 {
		noncurrent = 90
	}
	rule := &s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule{
		Id:     jsii.String("expire"),
		Status: jsii.String("Enabled"),
		Filter: []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleFilter{{Prefix: jsii.String("")}},
		AbortIncompleteMultipartUpload: []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload{{
			DaysAfterInitiation: jsii.Number(7),
		}},
		NoncurrentVersionExpiration: []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration{{
			NoncurrentDays: jsii.Number(noncurrent),
		}},
	}
	if props.ExpireDays > 0 {
		rule.Expiration = []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRuleExpiration{{Days: jsii.Number(props.ExpireDays)}}
	}
	s3bucketlifecycleconfiguration.NewS3BucketLifecycleConfiguration(scope, jsii.String("lifecycle"), &s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationConfig{
		Bucket:    b.Resource.Id(),
		Rule:      []*s3bucketlifecycleconfiguration.S3BucketLifecycleConfigurationRule{rule},
		DependsOn: &[]cdktf.ITerraformDependable{versioning},
	})
}

// observed sends the bucket's events to EventBridge and its access logs to the log bucket.
func observed(scope constructs.Construct, b *Bucket, props Props) {
	s3bucketnotification.NewS3BucketNotification(scope, jsii.String("notification"), &s3bucketnotification.S3BucketNotificationConfig{
		Bucket:      b.Resource.Id(),
		Eventbridge: jsii.Bool(true),
	})
	if props.AccessLogs == nil {
		return
	}
	s3bucketlogging.NewS3BucketLoggingA(scope, jsii.String("logging"), &s3bucketlogging.S3BucketLoggingAConfig{
		Bucket:       b.Resource.Id(),
		TargetBucket: props.AccessLogs.Resource.Id(),
		TargetPrefix: jsii.String(fmt.Sprintf("s3/%s/", props.Name)),
		DependsOn:    &[]cdktf.ITerraformDependable{props.AccessLogs.Policy},
	})
}

func (b *Bucket) policy(scope constructs.Construct, props Props) {
	b.statements = append([]iam.Statement{{
		Sid:        "TLSOnly",
		Deny:       true,
		Principals: iam.Anyone(),
		Actions:    []string{"s3:*"},
		Resources:  []string{*b.arn, b.ObjectsARN("")},
		Conditions: []iam.Condition{{Test: "Bool", Variable: "aws:SecureTransport", Values: []string{"false"}}},
	}}, props.Statements...)
	b.document = iam.NewDocument(scope, "policy-document", b.statements...)
	b.Policy = s3bucketpolicy.NewS3BucketPolicy(scope, jsii.String("policy"), &s3bucketpolicy.S3BucketPolicyConfig{
		Bucket: b.Resource.Id(),
		Policy: b.document.Json(),
	})
}

func exceptions(props Props) []finding.Exception {
	rows := []finding.Exception{{
		ID:      "CKV_AWS_144",
		Reason:  "versioning keeps what was deleted or overwritten; a copy in a second region is a disaster recovery choice not made here",
		Expires: "2027-11-30",
	}}
	if props.Key == nil {
		rows = append(rows, finding.Exception{ID: "CKV_AWS_145", Reason: withoutKey, Expires: "2027-11-30"})
	}
	if props.AccessLogs == nil {
		rows = append(rows, finding.Exception{
			ID:      "aws-s3-enable-bucket-logging",
			Reason:  "it holds the access logs: a log of its own would grow by being written",
			Expires: "2027-11-30",
		})
	}
	return rows
}

// withoutKey is why a bucket may be encrypted with keys that S3 manages.
const withoutKey = "load balancer and S3 access logs are only delivered to buckets encrypted with keys that S3 manages"
