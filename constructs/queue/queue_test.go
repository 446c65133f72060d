package queue

import (
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/link"
	"aws-microservices/constructs/monitoring"
)

// mail is a queue as New leaves it.
func mail() *Queue {
	return &Queue{
		guarded: guarded{Name: jsii.String("shop-dev-mail"), ARN: jsii.String("arn:mail"), URL: jsii.String("https://mail")},
		ID:      "mail",
		Dead:    &Dead{guarded{Name: jsii.String("shop-dev-mail-dead"), ARN: jsii.String("arn:mail-dead")}},
		keyARN:  jsii.String("arn:key"),
	}
}

func TestAFIFOQueuesNameSaysSo(t *testing.T) {
	for _, tt := range []struct {
		name string
		fifo bool
		want string
	}{
		{"mail", false, "shop-dev-mail"},
		{"mail", true, "shop-dev-mail.fifo"},
		{"mail" + deadSuffix, false, "shop-dev-mail-dead"},
		{"mail" + deadSuffix, true, "shop-dev-mail-dead.fifo"},
	} {
		if got := queueName("shop-dev", tt.name, tt.fifo); got != tt.want {
			t.Errorf("%s, FIFO %t: got %q, want %q", tt.name, tt.fifo, got, tt.want)
		}
	}
}

func TestDefaultsFillOnlyWhatWasLeftOut(t *testing.T) {
	for _, tt := range []struct{ given, want Props }{
		{Props{}, Props{RetentionDays: 4, VisibilityTimeoutSeconds: 30, MaxReceives: 5}},
		{
			Props{RetentionDays: 14, VisibilityTimeoutSeconds: 60, MaxReceives: 1},
			Props{RetentionDays: 14, VisibilityTimeoutSeconds: 60, MaxReceives: 1},
		},
	} {
		got := tt.given
		got.defaults()
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestPoliciesAboutEachOtherAreWhatTheAPIWants(t *testing.T) {
	for _, tt := range []struct {
		policy any
		want   string
	}{
		{redrivePolicy{"arn:mail-dead", 5}, `{"deadLetterTargetArn":"arn:mail-dead","maxReceiveCount":5}`},
		{redriveAllowPolicy{"byQueue", []string{"arn:mail"}}, `{"redrivePermission":"byQueue","sourceQueueArns":["arn:mail"]}`},
	} {
		if got := *document(tt.policy); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestALinkUsesThisQueueAndTheKeyForItOnly(t *testing.T) {
	onlyThisQueue := []iam.Condition{{
		Test: "StringEquals", Variable: "kms:EncryptionContext:aws:sqs:arn", Values: []string{"arn:mail"},
	}}
	for _, tt := range []struct {
		got                 link.Link
		name                string
		actions, keyActions []string
	}{
		{
			mail().Send(), "sends-mail",
			[]string{"sqs:SendMessage", "sqs:GetQueueAttributes"},
			[]string{"kms:Decrypt", "kms:GenerateDataKey"},
		},
		{
			mail().Consume(Consumer{Service: "mailer"}), "consumes-mail",
			[]string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"},
			[]string{"kms:Decrypt"},
		},
	} {
		tt.got.Alarms = nil
		want := link.Link{
			Name: tt.name,
			Statements: []iam.Statement{
				{Sid: "Queue", Actions: tt.actions, Resources: []string{"arn:mail"}},
				{Sid: "QueueKey", Actions: tt.keyActions, Resources: []string{"arn:key"}, Conditions: onlyThisQueue},
			},
			Environment: map[string]string{"QUEUE_MAIL_URL": "https://mail"},
		}
		if diff := cmp.Diff(want, tt.got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}

func TestABacklogThatGrowsOldRollsItsConsumerBack(t *testing.T) {
	for given, want := range map[int]float64{0: 600, 900: 900} {
		alarms := mail().Consume(Consumer{Service: "mailer", MaxWaitSeconds: given}).Alarms
		if len(alarms) != 1 {
			t.Fatalf("%d alarms", len(alarms))
		}
		a := alarms[0]
		if a.ID != "mail-age" || a.RollsBack != "mailer" || a.Threshold != want || a.Comparison != monitoring.Above {
			t.Errorf("MaxWaitSeconds %d: %+v", given, a)
		}
		if diff := cmp.Diff(map[string]string{"QueueName": "shop-dev-mail"}, a.Metric.Dimensions); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if alarms := mail().Send().Alarms; alarms != nil {
		t.Errorf("who only sends is not to blame: %+v", alarms)
	}
}

func TestTheQueueItselfWatchesItsDeadLettersOnly(t *testing.T) {
	alarms := mail().Alarms()
	if len(alarms) != 1 || alarms[0].ID != "mail-dead-letters" || alarms[0].RollsBack != "" {
		t.Fatalf("%+v", alarms)
	}
	if name := alarms[0].Metric.Dimensions["QueueName"]; !strings.HasSuffix(name, deadSuffix) {
		t.Errorf("it watches %s", name)
	}
}
