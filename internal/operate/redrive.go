package operate

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"aws-microservices/stacks"
)

// maxRate is the most messages that SQS moves in a second.
const maxRate = 500

// What becomes of a move.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html
const (
	moveCompleted = "COMPLETED"
	moveCancelled = "CANCELLED"
	moveFailed    = "FAILED"
)

// Redrive moves the dead letters of a queue back to it and waits until they are there. Where they are being moved already,
// it waits for that. rate is how many a second at most; 0 leaves it to SQS.
func (o Operator) Redrive(ctx context.Context, environment, name string, rate int) error {
	e, err := o.environment(environment)
	if err != nil {
		return err
	}
	q, err := Named("queue", name, o.Config.Platform.Queues, func(q stacks.Queue) string { return q.Name })
	if err != nil {
		return err
	}
	if rate < 0 || rate > maxRate {
		return fmt.Errorf("a rate of %d: SQS moves 1 to %d messages a second, or as many as it sees fit without a rate", rate, maxRate)
	}
	t, err := o.enter(ctx, e)
	if err != nil {
		return err
	}
	r := &redrive{Target: t, sqs: sqs.NewFromConfig(t.AWS)}
	r.queue, r.dead = queueNames(t.Prefix, q)
	if err := r.begin(ctx, rate); err != nil || r.nothing {
		return err
	}
	if err := r.wait(ctx); err != nil {
		return fmt.Errorf("%w\nthe move may go on; to cancel it: aws sqs cancel-message-move-task --region %s --task-handle %s",
			err, e.Region, r.handle)
	}
	return r.outcome()
}

// queueNames are those of a queue and of its dead letters'.
func queueNames(prefix string, q stacks.Queue) (queue, dead string) {
	queue, dead = prefix+"-"+q.Name, prefix+"-"+q.Name+"-dead"
	if q.FIFO {
		queue, dead = queue+".fifo", dead+".fifo"
	}
	return queue, dead
}

// redrive is a move of dead letters.
type redrive struct {
	*Target
	sqs         *sqs.Client
	queue, dead string

	// nothing says that there are no dead letters.
	nothing bool
	handle  string
	// before is when the move before this one started.
	before int64
	// move is how it was last seen, and said what was last said of it.
	move types.ListMessageMoveTasksResultEntry
	said string
}

// begin joins a move that runs, or starts one if there is something to move.
func (r *redrive) begin(ctx context.Context, rate int) error {
	waiting, inFlight, err := r.count(ctx)
	if err != nil {
		return err
	}
	r.Say("%s: %d dead letters, %d of them in flight", r.dead, waiting+inFlight, inFlight)
	last, err := r.last(ctx)
	if err != nil {
		return err
	}
	if last.TaskHandle != nil { // only one that runs has it
		r.handle = *last.TaskHandle
		r.Say("they are being moved already: waiting for that")
		return nil
	}
	switch {
	case waiting == 0 && inFlight == 0:
		r.Say("nothing to move")
		r.nothing = true
		return nil
	case waiting == 0:
		return fmt.Errorf("%s: somebody has received every dead letter and not let go of it: run this again when their visibility timeout is over",
			r.dead)
	}
	r.before = last.StartedTimestamp
	request := &sqs.StartMessageMoveTaskInput{
		SourceArn: aws.String(r.arn(r.dead)),
		// Said, for SQS does not know where a message came from that was sent to the dead letters by hand.
		DestinationArn: aws.String(r.arn(r.queue)),
	}
	if rate > 0 {
		request.MaxNumberOfMessagesPerSecond = aws.Int32(int32(rate))
	}
	// An interrupt waits for the answer: it names the move.
	started, err := r.sqs.StartMessageMoveTask(context.WithoutCancel(ctx), request)
	if err != nil {
		return fmt.Errorf("move the messages of %s: %w", r.dead, err)
	}
	r.handle = aws.ToString(started.TaskHandle)
	r.Say("moving them to %s", r.queue)
	return nil
}

// count is how many dead letters there are, and how many that somebody has received and neither deleted nor let go of.
// SQS counts approximately.
func (r *redrive) count(ctx context.Context) (waiting, inFlight int, err error) {
	url, err := r.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &r.dead})
	if isA[*types.QueueDoesNotExist](err) {
		return 0, 0, fmt.Errorf("there is no queue %s in account %s: make deploy ENV=%s", r.dead, r.AccountID, r.Name)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("queue %s: %w", r.dead, err)
	}
	found, err := r.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []types.QueueAttributeName{
		types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
	}})
	if err != nil {
		return 0, 0, fmt.Errorf("queue %s: %w", r.dead, err)
	}
	number := func(name types.QueueAttributeName) int {
		n, wrong := strconv.Atoi(found.Attributes[string(name)])
		if wrong != nil {
			err = fmt.Errorf("queue %s: %s is %q, which is no number", r.dead, name, found.Attributes[string(name)])
		}
		return n
	}
	waiting = number(types.QueueAttributeNameApproximateNumberOfMessages)
	inFlight = number(types.QueueAttributeNameApproximateNumberOfMessagesNotVisible)
	return waiting, inFlight, err
}

// last is the last move of the dead letters, empty if there never was one.
func (r *redrive) last(ctx context.Context) (types.ListMessageMoveTasksResultEntry, error) {
	moves, err := r.sqs.ListMessageMoveTasks(ctx, &sqs.ListMessageMoveTasksInput{SourceArn: aws.String(r.arn(r.dead))})
	if err != nil {
		return types.ListMessageMoveTasksResultEntry{}, fmt.Errorf("moves from %s: %w", r.dead, err)
	}
	if len(moves.Results) == 0 {
		return types.ListMessageMoveTasksResultEntry{}, nil
	}
	return moves.Results[0], nil
}

func (r *redrive) wait(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		last, err := r.last(ctx)
		if err != nil {
			return false, err
		}
		if last.StartedTimestamp == r.before {
			return false, nil // SQS does not list the new one yet
		}
		r.move = last
		switch aws.ToString(last.Status) {
		case moveCompleted, moveCancelled, moveFailed:
			return true, nil
		}
		if progress := r.progress(); progress != r.said {
			r.Say("moved %s", progress)
			r.said = progress
		}
		return false, nil
	})
}

// progress is how far the move is. SQS counts approximately, and may be behind.
func (r *redrive) progress() string {
	return fmt.Sprintf("about %d of %d", r.move.ApproximateNumberOfMessagesMoved, aws.ToInt64(r.move.ApproximateNumberOfMessagesToMove))
}

func (r *redrive) outcome() error {
	switch aws.ToString(r.move.Status) {
	case moveFailed:
		failed := aws.ToInt64(r.move.ApproximateNumberOfMessagesToMove) - r.move.ApproximateNumberOfMessagesMoved
		return fmt.Errorf("the move from %s failed (%s): moved %s, about %d failed and are still there",
			r.dead, aws.ToString(r.move.FailureReason), r.progress(), failed)
	case moveCancelled:
		return fmt.Errorf("somebody cancelled the move from %s: moved %s; run this again to move the rest", r.dead, r.progress())
	}
	r.Say("done: moved %s, none failed", r.progress())
	return nil
}

func (t *Target) arn(queue string) string {
	return fmt.Sprintf("arn:aws:sqs:%s:%s:%s", t.Region, t.AccountID, queue)
}
