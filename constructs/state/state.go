// Package state makes the place where Terraform keeps its state and its locks.
//
//	terraform -> aws_s3_bucket (versioned, KMS) -> access log bucket
//	          -> aws_dynamodb_table (one item for each lock)
package state

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dynamodbtable"

	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/logging"
	"aws-microservices/internal/lifecycle"
)

// Props describe the backend.
type Props struct {
	// Name is the key's alias.
	Name string
	// AccountID is where the backend is.
	AccountID string
	// BucketName and LogBucketName are unique in all of AWS.
	BucketName, LogBucketName string
	// TableName is the lock table's.
	TableName string
}

// Backend is a state bucket with its lock table.
type Backend struct {
	Bucket *bucket.Bucket
	Table  dynamodbtable.DynamodbTable
}

// New makes a backend that Terraform refuses to destroy.
func New(scope constructs.Construct, id string, props Props) *Backend {
	scope = constructs.NewConstruct(scope, &id)
	k := key.New(scope, "key", key.Props{
		Name: props.Name, Description: "Terraform's state and locks", AccountID: props.AccountID, PreventDestroy: true,
	})
	logs := logging.NewArchive(scope, "logs", logging.ArchiveProps{
		Name: props.LogBucketName, AccountID: props.AccountID, RetentionDays: 365, PreventDestroy: true,
	})
	b := bucket.New(scope, "bucket", bucket.Props{
		Name: props.BucketName, Key: k, AccessLogs: logs, ExpireNoncurrentDays: 365, PreventDestroy: true,
	})
	// A client that asks for another encryption would lift the key's protection from the state.
	b.Allow(iam.Statement{
		Sid:        "KMSOnly",
		Deny:       true,
		Principals: iam.Anyone(),
		Actions:    []string{"s3:PutObject"},
		Resources:  []string{b.ObjectsARN("")},
		Conditions: []iam.Condition{
			{Test: "Null", Variable: "s3:x-amz-server-side-encryption", Values: []string{"false"}},
			{Test: "StringNotEquals", Variable: "s3:x-amz-server-side-encryption", Values: []string{"aws:kms"}},
		},
	})
	table := dynamodbtable.NewDynamodbTable(scope, jsii.String("locks"), &dynamodbtable.DynamodbTableConfig{
		Name:                      &props.TableName,
		BillingMode:               jsii.String("PAY_PER_REQUEST"),
		HashKey:                   jsii.String("LockID"), // the name Terraform uses
		Attribute:                 []*dynamodbtable.DynamodbTableAttribute{{Name: jsii.String("LockID"), Type: jsii.String("S")}},
		DeletionProtectionEnabled: jsii.Bool(true),
		PointInTimeRecovery:       &dynamodbtable.DynamodbTablePointInTimeRecovery{Enabled: jsii.Bool(true)},
		ServerSideEncryption:      &dynamodbtable.DynamodbTableServerSideEncryption{Enabled: jsii.Bool(true), KmsKeyArn: k.Arn()},
		Lifecycle:                 lifecycle.Protect(true),
	})
	return &Backend{Bucket: b, Table: table}
}
