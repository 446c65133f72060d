// Package logging makes the places logs go to.
//
//	NewGroup   -> aws_cloudwatch_log_group, encrypted, with a retention
//	NewArchive -> S3 bucket for the logs that AWS delivers nowhere else: load balancer and bucket access logs
package logging

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudwatchloggroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/iam"
	"aws-microservices/internal/finding"
)

// RetentionDays are the retentions that CloudWatch Logs knows.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var RetentionDays = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// GroupProps describe a log group.
type GroupProps struct {
	// Name of the group, e.g. "/ecs/orders".
	Name string
	// RetentionDays is how long entries are kept: one of RetentionDays.
	RetentionDays int
	// Key encrypts the entries; its policy must let CloudWatch Logs use it.
	Key kmskey.KmsKey
	// Provider places the group in another region. Defaults to the stack's.
	Provider cdktf.TerraformProvider
}

// NewGroup makes a log group.
func NewGroup(scope constructs.Construct, id string, props GroupProps) cloudwatchloggroup.CloudwatchLogGroup {
	group := cloudwatchloggroup.NewCloudwatchLogGroup(scope, &id, &cloudwatchloggroup.CloudwatchLogGroupConfig{
		Name:            &props.Name,
		RetentionInDays: jsii.Number(props.RetentionDays),
		KmsKeyId:        props.Key.Arn(),
		Provider:        props.Provider,
	})
	if props.RetentionDays < 365 {
		finding.Except(group, finding.Exception{
			ID:      "CKV_AWS_338",
			Reason:  fmt.Sprintf("this environment holds no customer's data and keeps its logs for %d days to save cost", props.RetentionDays),
			Expires: "2027-11-30",
		})
	}
	return group
}

// ArchiveProps describe the log bucket.
type ArchiveProps struct {
	// Name of the bucket.
	Name string
	// AccountID is the account whose resources may deliver.
	AccountID string
	// RetentionDays is how long logs are kept.
	RetentionDays int
	// PreventDestroy makes Terraform refuse to destroy the bucket. Defaults to false.
	PreventDestroy bool
}

// NewArchive makes the bucket for load balancer logs (under "alb/") and bucket access logs (under "s3/").
func NewArchive(scope constructs.Construct, id string, props ArchiveProps) *bucket.Bucket {
	archive := bucket.New(scope, id, bucket.Props{
		Name:           props.Name,
		ExpireDays:     props.RetentionDays,
		PreventDestroy: props.PreventDestroy,
	})
	archive.Allow(
		iam.Statement{
			// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
			Sid:        "LoadBalancerLogs",
			Principals: iam.Service("logdelivery.elasticloadbalancing.amazonaws.com"),
			Actions:    []string{"s3:PutObject"},
			// The load balancer's account is part of the key it writes: no other account's can write here.
			Resources: []string{archive.ObjectsARN("alb/AWSLogs/" + props.AccountID + "/")},
		},
		iam.Statement{
			// https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
			Sid:        "BucketLogs",
			Principals: iam.Service("logging.s3.amazonaws.com"),
			Actions:    []string{"s3:PutObject"},
			Resources:  []string{archive.ObjectsARN("s3/")},
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "aws:SourceAccount", Values: []string{props.AccountID}}},
		},
	)
	return archive
}
