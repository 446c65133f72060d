// Package topic makes an SNS topic: each of its queues gets a copy of what is published to it.
//
//	publisher -> aws_sns_topic -> aws_sns_topic_subscription -> aws_sqs_queue
//	                                        |
//	                              (cannot be delivered)
//	                                        |
//	                               the queue's dead letters
package topic

import (
	"fmt"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopic"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/snstopicsubscription"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/queue"
)

// Props describe a topic.
// https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
type Props struct {
	// Name of the topic in its environment, e.g. "order-placed".
	Name string
	// Prefix goes before the name, e.g. "shop-dev".
	Prefix string
	// AccountID is the only account that may publish and subscribe.
	AccountID string
	// Key encrypts the messages; its policy must hold Grant.
	Key kmskey.KmsKey
	// FIFO passes messages of the same group on in order and drops repetitions, as queue.Props says. Defaults to false.
	// The queues must be alike: SNS refuses a FIFO queue at another topic, and behind another queue the order is lost.
	// https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html
	FIFO bool
	// Queues each get a copy: the very message, not wrapped in SNS's JSON.
	Queues []*queue.Queue
}

// Topic is a topic with its subscriptions.
type Topic struct {
	Resource snstopic.SnsTopic
	// Name and ARN are attributes, read once: each reading is a round trip to jsii.
	Name, ARN *string

	props  Props
	keyARN *string
}

// Grant lets the topics of one environment encrypt what they send to its queues.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html#compatibility-with-aws-services
func Grant(accountID, region, prefix string) key.Grant {
	return key.Grant{
		Sid: "Topics", Service: "sns.amazonaws.com", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Conditions: []iam.Condition{{
			Test: "ArnLike", Variable: "aws:SourceArn",
			Values: []string{fmt.Sprintf("arn:aws:sns:%s:%s:%s-*", region, accountID, prefix)},
		}},
	}
}

// New makes a topic.
func New(scope constructs.Construct, id string, props Props) *Topic {
	scope = constructs.NewConstruct(scope, &id)
	name := props.Prefix + "-" + props.Name
	config := &snstopic.SnsTopicConfig{Name: &name, KmsMasterKeyId: props.Key.Arn()}
	if props.FIFO {
		name += ".fifo" // SNS wants the name to say so
		config.FifoTopic = jsii.Bool(true)
		config.ContentBasedDeduplication = jsii.Bool(true)
		// As the queues do it. https://docs.aws.amazon.com/sns/latest/dg/fifo-high-throughput.html
		config.FifoThroughputScope = jsii.String("MessageGroup")
	}
	resource := snstopic.NewSnsTopic(scope, jsii.String("topic"), config)
	t := &Topic{Resource: resource, Name: resource.Name(), ARN: resource.Arn(), props: props, keyARN: config.KmsMasterKeyId}
	t.policy(scope)
	for _, q := range props.Queues {
		t.subscribe(scope, q)
	}
	return t
}

// policy keeps others out. Who may publish is said by the publishers' own policies.
func (t *Topic) policy(scope constructs.Construct) {
	deny := func(sid string, condition iam.Condition) iam.Statement {
		return iam.Statement{
			Sid: sid, Deny: true, Principals: iam.Anyone(), Actions: []string{"sns:Publish", "sns:Subscribe"},
			Resources: []string{*t.ARN}, Conditions: []iam.Condition{condition},
		}
	}
	snstopicpolicy.NewSnsTopicPolicy(scope, jsii.String("policy"), &snstopicpolicy.SnsTopicPolicyConfig{
		Arn: t.ARN,
		Policy: iam.NewDocument(scope, "document",
			deny("TLSOnly", iam.Condition{Test: "Bool", Variable: "aws:SecureTransport", Values: []string{"false"}}),
			deny("OwnAccountOnly", iam.Condition{
				Test: "StringNotEquals", Variable: "aws:PrincipalAccount", Values: []string{t.props.AccountID},
			}),
		).Json(),
	})
}

// subscribe gives a queue its copy of each message. One that SNS cannot deliver is a dead letter of the queue.
// https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
func (t *Topic) subscribe(scope constructs.Construct, q *queue.Queue) {
	send := func(queueARN *string) iam.Statement {
		return iam.Statement{
			Sid:        sid(t.props.Name),
			Principals: iam.Service("sns.amazonaws.com"),
			Actions:    []string{"sqs:SendMessage"},
			Resources:  []string{*queueARN},
			Conditions: []iam.Condition{{Test: "ArnEquals", Variable: "aws:SourceArn", Values: []string{*t.ARN}}},
		}
	}
	q.Allow(send(q.ARN))
	q.Dead.Allow(send(q.Dead.ARN))
	snstopicsubscription.NewSnsTopicSubscription(scope, jsii.String("to-"+q.ID), &snstopicsubscription.SnsTopicSubscriptionConfig{
		TopicArn:           t.ARN,
		Protocol:           jsii.String("sqs"),
		Endpoint:           q.ARN,
		RawMessageDelivery: jsii.Bool(true),
		RedrivePolicy:      jsii.String(fmt.Sprintf(`{"deadLetterTargetArn":"%s"}`, *q.Dead.ARN)),
		// A message sent before the queues let the topic in would be lost.
		DependsOn: &[]cdktf.ITerraformDependable{q.Policy, q.Dead.Policy},
	})
}

// sid names the topic's statement in its queues' policies: several topics may feed one queue, and Sids must differ.
func sid(name string) string {
	var b strings.Builder
	b.WriteString("Topic")
	for word := range strings.SplitSeq(name, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}

// Publish is the link of a service that publishes to the topic.
func (t *Topic) Publish() link.Link {
	return link.Link{
		Name: "publishes-" + t.props.Name,
		Statements: []iam.Statement{
			{Sid: "Topic", Actions: []string{"sns:Publish"}, Resources: []string{*t.ARN}},
			{
				// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#send-to-encrypted-topic
				Sid: "TopicKey", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{*t.keyARN},
				Conditions: []iam.Condition{{
					Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sns:topicArn", Values: []string{*t.ARN},
				}},
			},
		},
		Environment: map[string]string{link.Variable("topic", t.props.Name, "arn"): *t.ARN},
	}
}

// Alarms are the topic's: a queue did not get its copy.
func (t *Topic) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{{
		ID: t.props.Name + "-undelivered",
		Description: "Messages of topic " + t.props.Name + " did not reach a queue: they are among its dead letters; " +
			"compare the policies of the queue and of the key with the code",
		Metric:     t.metric("NumberOfNotificationsFailed", ""),
		Comparison: monitoring.Above, Threshold: 0, Periods: 1,
	}}
}

// Graphs are the topic's part of the dashboard.
func (t *Topic) Graphs() []monitoring.Graph {
	return []monitoring.Graph{{
		Title: "Topic " + t.props.Name,
		Metrics: []monitoring.Metric{
			t.metric("NumberOfMessagesPublished", "published"),
			t.metric("NumberOfNotificationsDelivered", "delivered"),
			t.metric("NumberOfNotificationsFailed", "failed"),
		},
	}}
}

// https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
func (t *Topic) metric(name, label string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/SNS", Name: name, Statistic: "Sum", Label: label, Dimensions: map[string]string{"TopicName": *t.Name},
	}
}
