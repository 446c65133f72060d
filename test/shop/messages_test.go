package shop_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"aws-microservices/internal/operate"
	"aws-microservices/stacks"
)

// SQS delivers at least once: here each message of an order comes three times.
func TestAMessageThatComesAgainHasNoSecondEffect(t *testing.T) {
	w := begin(t)
	o, _ := w.insist(t.Context(), w.key(t))
	w.finish(t, o)
	w.mustHaveOneOfEach(t, o)
	var body string
	must(t, w.database(t).QueryRow(t.Context(), "SELECT body FROM outbox WHERE body->'order'->>'id' = $1", o.ID).Scan(&body))
	for _, queue := range []string{"mail", "to-ship"} {
		for range 2 {
			_, err := w.sqs().SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: w.queue(t, queue), MessageBody: &body})
			must(t, err)
		}
		w.mustBeEmpty(t, queue)
		w.mustBeEmpty(t, queue+"-dead")
	}
	w.mustHaveOneOfEach(t, o)
}

// The mailer loses a right in the database, so that its messages die; after it has it again they are moved back.
func TestDeadLettersAreRedriven(t *testing.T) {
	w := begin(t)
	const buyers = 3
	w.maxReceives(t, "mail", 1)
	defer w.maxReceives(t, "mail", 5)
	owner := w.database(t)
	_, err := owner.Exec(t.Context(), "REVOKE INSERT ON mails FROM mailer")
	must(t, err)
	giveBack := func(ctx context.Context) error {
		_, err := owner.Exec(ctx, "GRANT INSERT ON mails TO mailer")
		return err
	}
	defer giveBack(context.Background()) //nolint:errcheck // for the tests after a failure; done below otherwise
	var orders []order
	for i := range buyers {
		o, _ := w.insist(t.Context(), fmt.Sprintf("%s-%d", w.key(t), i))
		orders = append(orders, o)
	}
	within(t, 2*time.Minute, func() error {
		if n := w.waiting(t, "mail-dead"); n != 2*buyers {
			return fmt.Errorf("%d dead letters, want a confirmation and a receipt of each order, %d", n, 2*buyers)
		}
		return nil
	})
	for _, o := range orders {
		if mails := w.keys(t, "mailer", o.ID+"/"); len(mails) > 0 {
			t.Errorf("order %s: mails %v were handed over without a note of it", o.ID, mails)
		}
	}
	must(t, giveBack(t.Context()))
	operator := operate.Operator{Config: stacks.All, Out: io.Discard, AWS: w.Operator()}
	must(t, operator.Redrive(t.Context(), stacks.Dev.Name, "mail", 0))
	for _, o := range orders {
		w.finish(t, o)
		w.mustHaveOneOfEach(t, o)
	}
	w.mustBeEmpty(t, "mail-dead")
}

// A message that nobody can ever handle does not stop the others, and is there to be looked at.
func TestAMessageNobodyUnderstandsBecomesADeadLetter(t *testing.T) {
	w := begin(t)
	w.maxReceives(t, "to-ship", 1)
	defer w.maxReceives(t, "to-ship", 5)
	_, err := w.sqs().SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: w.queue(t, "to-ship"), MessageBody: aws.String("{not JSON")})
	must(t, err)
	o, _ := w.insist(t.Context(), w.key(t))
	w.finish(t, o)
	within(t, 2*time.Minute, func() error {
		if n := w.waiting(t, "to-ship-dead"); n != 1 {
			return fmt.Errorf("%d dead letters, want the one", n)
		}
		return nil
	})
	_, err = w.sqs().PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: w.queue(t, "to-ship-dead")})
	must(t, err)
}

// The nightly job, started as its schedule would: yesterday's sales are an object.
func TestTheReportOfYesterdayIsWritten(t *testing.T) {
	w := begin(t)
	cluster := ecs.NewFromConfig(w.Config())
	task := aws.String(w.Cluster() + "-report")
	run, err := cluster.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String(w.Cluster()), TaskDefinition: task})
	must(t, err)
	within(t, time.Minute, func() error {
		found, err := cluster.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{
			Cluster: aws.String(w.Cluster()), Tasks: []string{*run.Tasks[0].TaskArn},
		})
		if err != nil {
			return err
		}
		if status := *found.Tasks[0].LastStatus; status != "STOPPED" {
			return fmt.Errorf("the task is %s", status)
		}
		if code := found.Tasks[0].Containers[0].ExitCode; code == nil || *code != 0 {
			t.Fatalf("the report exited with %v: %s", aws.ToInt32(code), aws.ToString(found.Tasks[0].StoppedReason))
		}
		return nil
	})
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	if reports := w.keys(t, "report", ""); len(reports) != 1 || reports[0] != yesterday+".csv" {
		t.Errorf("reports: %v, want %s.csv", reports, yesterday)
	}
}

func (w *world) sqs() *sqs.Client { return sqs.NewFromConfig(w.Config()) }

// queue is a queue's URL.
func (w *world) queue(t *testing.T, name string) *string {
	t.Helper()
	found, err := w.sqs().GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(w.Cluster() + "-" + name)})
	must(t, err)
	return found.QueueUrl
}

// waiting is how many messages a queue has, in work or not.
func (w *world) waiting(t *testing.T, name string) int {
	t.Helper()
	found, err := w.sqs().GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: w.queue(t, name), AttributeNames: []types.QueueAttributeName{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"},
	})
	must(t, err)
	total := 0
	for _, value := range found.Attributes {
		var n int
		_, err := fmt.Sscan(value, &n)
		must(t, err)
		total += n
	}
	return total
}

func (w *world) mustBeEmpty(t *testing.T, queue string) {
	t.Helper()
	within(t, time.Minute, func() error {
		if n := w.waiting(t, queue); n > 0 {
			return fmt.Errorf("queue %s still has %d messages", queue, n)
		}
		return nil
	})
}

// maxReceives says how often a message is tried. With one try a test need not wait for five.
func (w *world) maxReceives(t *testing.T, name string, times int) {
	t.Helper()
	dead, err := w.sqs().GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: w.queue(t, name+"-dead"), AttributeNames: []types.QueueAttributeName{"QueueArn"},
	})
	must(t, err)
	_, err = w.sqs().SetQueueAttributes(t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: w.queue(t, name), Attributes: map[string]string{
			"RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn": %q, "maxReceiveCount": %d}`, dead.Attributes["QueueArn"], times),
		},
	})
	must(t, err)
}
