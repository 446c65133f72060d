// Package queue makes an SQS queue and the queue its dead letters go to.
//
//	sender, topic -> aws_sqs_queue -(after MaxReceives)-> aws_sqs_queue "…-dead"
//	                     |
//	                  consumer
package queue

import (
	"encoding/json"
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
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
	// FIFO keeps messages of the same group in order and drops repetitions. Defaults to false: any order, at least once.
	//
	// The sender gives each message a group, e.g. the order it is about. A group's next message waits until the one before
	// was deleted or is a dead letter; consumers work on different groups side by side. A message with the body of one that
	// was sent to the same group within five minutes is dropped, unless each has a deduplication id. A dead letter lost its
	// place: redriven, it comes after those that once followed it.
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
	FIFO bool
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
	guarded
	// ID is the queue's name in its environment.
	ID string
	// Dead is where the messages go that failed every try.
	Dead *Dead
	// FIFO tells whether both queues keep the order: only a topic that does so too can send to them.
	FIFO bool

	keyARN *string
}

// New makes a queue.
func New(scope constructs.Construct, id string, props Props) *Queue {
	scope = constructs.NewConstruct(scope, &id)
	props.defaults()
	q := &Queue{ID: props.Name, FIFO: props.FIFO, keyARN: props.Key.Arn()}
	q.Dead = NewDead(scope, "dead", DeadProps{
		Name: props.Name, Prefix: props.Prefix, FIFO: props.FIFO,
		VisibilityTimeoutSeconds: props.VisibilityTimeoutSeconds, Key: props.Key,
	})
	q.guarded = guard(scope, "queue", settings{
		name:                     queueName(props.Prefix, props.Name, props.FIFO),
		fifo:                     props.FIFO,
		retentionDays:            props.RetentionDays,
		visibilityTimeoutSeconds: props.VisibilityTimeoutSeconds,
		redrive:                  document(redrivePolicy{DeadLetterTargetArn: *q.Dead.ARN, MaxReceiveCount: props.MaxReceives}),
		keyARN:                   q.keyARN,
	})
	sqsqueueredriveallowpolicy.NewSqsQueueRedriveAllowPolicy(scope, jsii.String("redrive-allow"), &sqsqueueredriveallowpolicy.SqsQueueRedriveAllowPolicyConfig{
		QueueUrl: q.Dead.URL,
		RedriveAllowPolicy: document(redriveAllowPolicy{
			RedrivePermission: "byQueue", SourceQueueArns: []string{*q.ARN},
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

// Send is the link of a service that sends to the queue.
func (q *Queue) Send() link.Link {
	return q.link("sends", "sqs:SendMessage", "sqs:GetQueueAttributes")
}

// Consumer is the worker that receives from the queue. There is one: each message reaches only one.
type Consumer struct {
	// Service is the worker's name: where messages grow old while it is deployed, the deployment is rolled back.
	Service string
	// MaxWaitSeconds is how old the oldest message may become. Defaults to 600.
	MaxWaitSeconds int
}

// Consume is the link of the worker that receives from the queue.
func (q *Queue) Consume(c Consumer) link.Link {
	if c.MaxWaitSeconds == 0 {
		c.MaxWaitSeconds = 600
	}
	l := q.link("consumes", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
	l.Alarms = []monitoring.Alarm{{
		ID: q.ID + "-age",
		Description: fmt.Sprintf("The oldest message of %s waits for more than %d seconds: %s is down or too slow",
			q.ID, c.MaxWaitSeconds, c.Service),
		Metric:     metric(q.Name, "ApproximateAgeOfOldestMessage", "Maximum", ""),
		Comparison: monitoring.Above, Threshold: float64(c.MaxWaitSeconds), RollsBack: c.Service,
	}}
	return l
}

func (q *Queue) link(verb string, actions ...string) link.Link {
	// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
	keyActions := []string{"kms:Decrypt"}
	if verb == "sends" {
		keyActions = append(keyActions, "kms:GenerateDataKey")
	}
	return link.Link{
		Name: verb + "-" + q.ID,
		Statements: []iam.Statement{
			{Sid: "Queue", Actions: actions, Resources: []string{*q.ARN}},
			{Sid: "QueueKey", Actions: keyActions, Resources: []string{*q.keyARN}, Conditions: []iam.Condition{{
				Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sqs:arn", Values: []string{*q.ARN},
			}}},
		},
		Environment: map[string]string{link.Variable("queue", q.ID, "url"): *q.URL},
	}
}

// Alarms are the queue's: something died. Whether anybody keeps up is for its consumer's link to say.
func (q *Queue) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{{
		ID:          q.ID + "-dead-letters",
		Description: "Messages of " + q.ID + " failed every try: read the consumer's log, mend it, redrive them",
		Metric:      metric(q.Dead.Name, "ApproximateNumberOfMessagesVisible", "Maximum", "dead"),
		Comparison:  monitoring.Above, Threshold: 0, Periods: 1,
	}}
}

// Graphs are the queue's part of the dashboard.
func (q *Queue) Graphs() []monitoring.Graph {
	return []monitoring.Graph{{
		Title: "Queue " + q.ID,
		Metrics: []monitoring.Metric{
			metric(q.Name, "ApproximateNumberOfMessagesVisible", "Maximum", "waiting"),
			metric(q.Name, "NumberOfMessagesDeleted", "Sum", "done"),
			metric(q.Dead.Name, "ApproximateNumberOfMessagesVisible", "Maximum", "dead"),
		},
	}}
}

func metric(queueName *string, name, statistic, label string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/SQS", Name: name, Statistic: statistic, Label: label,
		Dimensions: map[string]string{"QueueName": *queueName},
	}
}
