// Package queue makes an SQS queue and the queue its dead letters go to.
//
//	sender -> aws_sqs_queue -(after MaxReceives)-> aws_sqs_queue "…-dead"
//	              |
//	           consumer
package queue

import (
	"encoding/json"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueue"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueuepolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/sqsqueueredriveallowpolicy"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/monitoring"
)

// Props describe a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-queue-parameters.html
type Props struct {
	// Name of the queue in its environment, e.g. "order-placed".
	Name string
	// Prefix goes before the name, e.g. "shop-dev".
	Prefix string
	// RetentionDays is how long a message waits to be consumed.
	// Defaults to 4, the SQS default. At most 14.
	RetentionDays int
	// VisibilityTimeoutSeconds is how long a message that was received stays hidden from other consumers: longer than
	// working on it takes. Defaults to 30, the SQS default. At most 43200.
	VisibilityTimeoutSeconds int
	// MaxReceives is how often a message is tried before it is a dead letter. Defaults to 5. At most 1000.
	MaxReceives int
	// Key encrypts the messages.
	Key kmskey.KmsKey
}

// Queue is a queue with its dead letters.
type Queue struct {
	Resource sqsqueue.SqsQueue
	Dead     sqsqueue.SqsQueue

	props Props
}

// New makes a queue.
func New(scope constructs.Construct, id string, props Props) *Queue {
	scope = constructs.NewConstruct(scope, &id)
	props.defaults()
	q := &Queue{props: props}
	// A dead letter keeps the age it had: the longest retention leaves time to look at it.
	q.Dead = sqsQueue(scope, "dead", props, props.Name+"-dead", 14, nil)
	q.Resource = sqsQueue(scope, "queue", props, props.Name, props.RetentionDays,
		document(redrivePolicy{DeadLetterTargetArn: *q.Dead.Arn(), MaxReceiveCount: props.MaxReceives}))
	sqsqueueredriveallowpolicy.NewSqsQueueRedriveAllowPolicy(scope, jsii.String("redrive-allow"), &sqsqueueredriveallowpolicy.SqsQueueRedriveAllowPolicyConfig{
		QueueUrl: q.Dead.Url(),
		RedriveAllowPolicy: document(redriveAllowPolicy{
			RedrivePermission: "byQueue", SourceQueueArns: []string{*q.Resource.Arn()},
		}),
	})
	return q
}

// The queues' policies about each other.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
type (
	redrivePolicy struct {
		DeadLetterTargetArn string `json:"deadLetterTargetArn"`
		MaxReceiveCount     int    `json:"maxReceiveCount"`
	}
	redriveAllowPolicy struct {
		RedrivePermission string   `json:"redrivePermission"`
		SourceQueueArns   []string `json:"sourceQueueArns"`
	}
)

func document(policy any) *string {
	data, err := json.Marshal(policy)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return jsii.String(string(data))
}

func (p *Props) defaults() {
	if p.RetentionDays == 0 {
		p.RetentionDays = 4
	}
	if p.VisibilityTimeoutSeconds == 0 {
		p.VisibilityTimeoutSeconds = 30
	}
	if p.MaxReceives == 0 {
		p.MaxReceives = 5
	}
}

// sqsQueue makes one of the two queues, reached over TLS only.
func sqsQueue(scope constructs.Construct, id string, props Props, name string, retentionDays int, redrive *string) sqsqueue.SqsQueue {
	const day = 24 * 60 * 60
	q := sqsqueue.NewSqsQueue(scope, &id, &sqsqueue.SqsQueueConfig{
		Name:                     jsii.String(props.Prefix + "-" + name),
		KmsMasterKeyId:           props.Key.Arn(),
		MessageRetentionSeconds:  jsii.Number(retentionDays * day),
		VisibilityTimeoutSeconds: jsii.Number(props.VisibilityTimeoutSeconds),
		// Long polling: a consumer waits for a message instead of asking again and again.
		ReceiveWaitTimeSeconds: jsii.Number(20),
		RedrivePolicy:          redrive,
	})
	policy := iam.NewDocument(scope, id+"-document", iam.Statement{
		Sid:        "TLSOnly",
		Deny:       true,
		Principals: iam.Anyone(),
		Actions:    []string{"sqs:*"},
		Resources:  []string{*q.Arn()},
		Conditions: []iam.Condition{{Test: "Bool", Variable: "aws:SecureTransport", Values: []string{"false"}}},
	})
	sqsqueuepolicy.NewSqsQueuePolicy(scope, jsii.String(id+"-policy"), &sqsqueuepolicy.SqsQueuePolicyConfig{
		QueueUrl: q.Url(), Policy: policy.Json(),
	})
	return q
}

// Send is the link of a service that sends to the queue.
func (q *Queue) Send() link.Link {
	return q.link("sends", "sqs:SendMessage", "sqs:GetQueueAttributes")
}

// Consume is the link of a worker that receives from the queue.
func (q *Queue) Consume() link.Link {
	return q.link("consumes", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
}

func (q *Queue) link(verb string, actions ...string) link.Link {
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
	keyActions := []string{"kms:Decrypt"}
	if verb == "sends" {
		keyActions = append(keyActions, "kms:GenerateDataKey")
	}
	return link.Link{
		Name: verb + "-" + q.props.Name,
		Statements: []iam.Statement{
			{Sid: "Queue", Actions: actions, Resources: []string{*q.Resource.Arn()}},
			{Sid: "QueueKey", Actions: keyActions, Resources: []string{*q.props.Key.Arn()}, Conditions: []iam.Condition{{
				Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sqs:arn", Values: []string{*q.Resource.Arn()},
			}}},
		},
		Environment: map[string]string{link.Variable("queue", q.props.Name, "url"): *q.Resource.Url()},
	}
}

// Alarms are the queue's: something died, or nobody keeps up.
func (q *Queue) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{
		{
			ID:          q.props.Name + "-dead-letters",
			Description: "Messages of " + q.props.Name + " failed every try: read the consumer's log, mend it, redrive them",
			Metric:      q.metric(q.Dead, "ApproximateNumberOfMessagesVisible", "Maximum", "dead"),
			Comparison:  monitoring.Above, Threshold: 0, Periods: 1,
		},
		{
			ID:          q.props.Name + "-age",
			Description: "The oldest message of " + q.props.Name + " waits for more than ten minutes: its consumer is down or too slow",
			Metric:      q.metric(q.Resource, "ApproximateAgeOfOldestMessage", "Maximum", ""),
			Comparison:  monitoring.Above, Threshold: 600,
		},
	}
}

// Graphs are the queue's part of the dashboard.
func (q *Queue) Graphs() []monitoring.Graph {
	return []monitoring.Graph{{
		Title: "Queue " + q.props.Name,
		Metrics: []monitoring.Metric{
			q.metric(q.Resource, "ApproximateNumberOfMessagesVisible", "Maximum", "waiting"),
			q.metric(q.Resource, "NumberOfMessagesDeleted", "Sum", "done"),
			q.metric(q.Dead, "ApproximateNumberOfMessagesVisible", "Maximum", "dead"),
		},
	}}
}

func (q *Queue) metric(queue sqsqueue.SqsQueue, name, statistic, label string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/SQS", Name: name, Statistic: statistic, Label: label,
		Dimensions: map[string]string{"QueueName": *queue.Name()},
	}
}
