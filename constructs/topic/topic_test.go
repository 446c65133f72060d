package topic

import (
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/link"
)

// placed is a topic as New leaves it.
func placed() *Topic {
	return &Topic{
		Name: jsii.String("shop-dev-order-placed"), ARN: jsii.String("arn:topic"),
		props: Props{Name: "order-placed"}, keyARN: jsii.String("arn:key"),
	}
}

func TestPublishingUsesThisTopicAndTheKeyForItOnly(t *testing.T) {
	want := link.Link{
		Name: "publishes-order-placed",
		Statements: []iam.Statement{
			{Sid: "Topic", Actions: []string{"sns:Publish"}, Resources: []string{"arn:topic"}},
			{
				Sid: "TopicKey", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"}, Resources: []string{"arn:key"},
				Conditions: []iam.Condition{{
					Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sns:topicArn", Values: []string{"arn:topic"},
				}},
			},
		},
		Environment: map[string]string{"TOPIC_ORDER_PLACED_ARN": "arn:topic"},
	}
	if diff := cmp.Diff(want, placed().Publish()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTheKeyIsForTheTopicsOfOneEnvironment(t *testing.T) {
	want := key.Grant{
		Sid: "Topics", Service: "sns.amazonaws.com", Actions: []string{"kms:Decrypt", "kms:GenerateDataKey"},
		Conditions: []iam.Condition{{
			Test: "ArnLike", Variable: "aws:SourceArn", Values: []string{"arn:aws:sns:eu-west-1:222222222222:shop-dev-*"},
		}},
	}
	if diff := cmp.Diff(want, Grant("222222222222", "eu-west-1", "shop-dev")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAMessageThatDoesNotArriveRaisesTheTopicsAlarm(t *testing.T) {
	alarms := placed().Alarms()
	if len(alarms) != 1 {
		t.Fatalf("%d alarms", len(alarms))
	}
	a := alarms[0]
	if a.ID != "order-placed-undelivered" || a.Metric.Name != "NumberOfNotificationsFailed" || a.Threshold != 0 || a.Periods != 1 {
		t.Errorf("%+v", a)
	}
	for _, m := range append(placed().Graphs()[0].Metrics, a.Metric) {
		if diff := cmp.Diff(map[string]string{"TopicName": "shop-dev-order-placed"}, m.Dimensions); diff != "" {
			t.Errorf("%s (-want +got)\n%s", m.Name, diff)
		}
	}
}

func TestStatementsOfTopicsAreNamedInLettersAndDigits(t *testing.T) {
	for name, want := range map[string]string{
		"paid": "TopicPaid", "order-placed": "TopicOrderPlaced", "orderplaced": "TopicOrderplaced", "v2-paid": "TopicV2Paid",
	} {
		if got := sid(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
