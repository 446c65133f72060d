package queue

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsiampolicydocument"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueue"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueuepolicy"

	"aws-microservices/constructs/iam"
)

// guarded is one queue with its policy.
type guarded struct {
	Resource sqsqueue.SqsQueue
	// Policy is attached last: what needs the queue's permissions depends on it.
	Policy sqsqueuepolicy.SqsQueuePolicy
	// Name, ARN and URL are attributes, read once: each reading is a round trip to jsii.
	Name, ARN, URL *string

	document   dataawsiampolicydocument.DataAwsIamPolicyDocument
	statements []iam.Statement
}

// settings are those of one queue.
type settings struct {
	name                     string
	fifo                     bool
	retentionDays            int
	visibilityTimeoutSeconds int
	redrive                  *string
	keyARN                   *string
}

// guard makes one queue, reached over TLS only.
func guard(scope constructs.Construct, id string, s settings) guarded {
	const day = 24 * 60 * 60
	config := &sqsqueue.SqsQueueConfig{
		Name:                     &s.name,
		KmsMasterKeyId:           s.keyARN,
		MessageRetentionSeconds:  jsii.Number(s.retentionDays * day),
		VisibilityTimeoutSeconds: jsii.Number(s.visibilityTimeoutSeconds),
		// Long polling: a consumer waits for a message instead of asking again and again.
		ReceiveWaitTimeSeconds: jsii.Number(20),
		RedrivePolicy:          s.redrive,
	}
	if s.fifo {
		config.FifoQueue = jsii.Bool(true)
		config.ContentBasedDeduplication = jsii.Bool(true)
		// Together: as much throughput for each group as otherwise for the whole queue.
		// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html
		config.DeduplicationScope = jsii.String("messageGroup")
		config.FifoThroughputLimit = jsii.String("perMessageGroupId")
	}
	q := sqsqueue.NewSqsQueue(scope, &id, config)
	g := guarded{Resource: q, Name: q.Name(), ARN: q.Arn(), URL: q.Url()}
	g.statements = []iam.Statement{{
		Sid:        "TLSOnly",
		Deny:       true,
		Principals: iam.Anyone(),
		Actions:    []string{"sqs:*"},
		Resources:  []string{*g.ARN},
		Conditions: []iam.Condition{{Test: "Bool", Variable: "aws:SecureTransport", Values: []string{"false"}}},
	}}
	g.document = iam.NewDocument(scope, id+"-document", g.statements...)
	g.Policy = sqsqueuepolicy.NewSqsQueuePolicy(scope, jsii.String(id+"-policy"), &sqsqueuepolicy.SqsQueuePolicyConfig{
		QueueUrl: g.URL, Policy: g.document.Json(),
	})
	return g
}

// queueName is a queue's name in AWS, where that of a FIFO queue must say so.
func queueName(prefix, name string, fifo bool) string {
	name = prefix + "-" + name
	if fifo {
		name += ".fifo"
	}
	return name
}

// Allow adds statements to the queue's policy, for those who are only known after the queue was made.
func (g *guarded) Allow(statements ...iam.Statement) {
	g.statements = append(g.statements, statements...)
	iam.SetStatements(g.document, g.statements...)
}
