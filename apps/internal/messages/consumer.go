package messages

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"shop/internal/logs"
)

const (
	// concurrency is how many messages a worker has in hand at most: as many as SQS gives at once.
	concurrency = 10
	// pollSeconds is how long SQS holds a receive while there is nothing: as long as it can.
	pollSeconds = 20
	// pollTimeout is when a receive has been lost.
	pollTimeout = (pollSeconds + 10) * time.Second
	// callTimeout bounds every other call, all tries of the SDK included.
	callTimeout = 5 * time.Second
	// grace is how long messages in hand may take after the end was asked for. What is left of the 25 seconds that a service
	// has is for giving back what was cut short.
	grace = 20 * time.Second
	// leastPause and mostPause are how long the consumer waits before it receives again, after the first failure and after many.
	leastPause, mostPause = time.Second, 30 * time.Second
	// leastRetry and mostRetry are how long a message that failed stays hidden, after the first time and after many. Five
	// tries are spread over some minutes: longer than a hiccup of what a message needs.
	leastRetry, mostRetry = 10 * time.Second, 5 * time.Minute
)

// Queue is the part of SQS's client that a consumer uses.
type Queue interface {
	GetQueueAttributes(context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options)) (*sqs.GetQueueAttributesOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ChangeMessageVisibility(
		context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options),
	) (*sqs.ChangeMessageVisibilityOutput, error)
}

// Consumer works on the messages of a queue, up to ten at a time.
//
// A message is deleted after Handle returned nil, and never otherwise. One that failed, panicked or took too long is hidden for
// a while that grows with each try, and becomes a dead letter when the queue says it was tried often enough.
type Consumer struct {
	// Client is SQS. Its connections must allow an answer to take 20 seconds.
	Client Queue
	// QueueURL is the queue's address.
	QueueURL string
	// Ready returns why no message could be worked on now, or nil. It is asked before each receive: while a database is away
	// nothing is received, so an outage costs no message its tries.
	Ready func(context.Context) error
	// Handle does what a message asks for. It may be called again with the same message, also at the same time. Its context
	// ends before the message becomes visible to others, and soon after the consumer was told to stop.
	Handle func(context.Context, Message) error
}

// Run consumes until the context ends. Then it receives no more, lets the messages in hand be finished for up to 20 seconds,
// makes those that were not visible to other workers at once, and returns nil.
func (c *Consumer) Run(ctx context.Context) error {
	limit := c.limit(ctx)
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	slots := make(chan struct{}, concurrency)
	var hands sync.WaitGroup
	for failures := 0; ; {
		free := take(ctx, slots)
		if free == 0 {
			break
		}
		batch, err := c.receive(ctx, free)
		release(slots, free-len(batch))
		switch {
		case ctx.Err() != nil:
			for _, m := range batch { // received in the moment of the end
				hands.Go(func() { c.hide(about(work, m), m, 0) })
			}
		case err != nil:
			failures++
			slog.WarnContext(ctx, "no messages can be received", "error", err.Error(), "failures", failures)
			sleep(ctx, backoff(failures, 2, leastPause, mostPause))
		default:
			failures = 0
			for _, m := range batch {
				hands.Go(func() {
					defer release(slots, 1)
					c.work(work, m, limit)
				})
			}
		}
	}
	timer := time.AfterFunc(grace, cut)
	defer timer.Stop()
	hands.Wait()
	return nil
}

// Check returns why the queue does not answer, or nil. It is for App.Check.
func (c *Consumer) Check(ctx context.Context) error {
	_, err := c.visibility(ctx)
	return err
}

// limit is how long work on a message may take: most of the time that the queue hides it from others, which is asked of the
// queue once, so that it stays true when the platform's declaration changes and the tasks are replaced.
func (c *Consumer) limit(ctx context.Context) time.Duration {
	for failures := 1; ; failures++ {
		visibility, err := c.visibility(ctx)
		if err == nil {
			return visibility * 4 / 5
		}
		if ctx.Err() != nil {
			return 0
		}
		slog.WarnContext(ctx, "the queue does not say how long it hides a message", "error", err.Error(), "failures", failures)
		sleep(ctx, backoff(failures, 2, leastPause, mostPause))
	}
}

// visibility is how long the queue hides a message that was received.
func (c *Consumer) visibility(ctx context.Context) (time.Duration, error) {
	ctx, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	out, err := c.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &c.QueueURL, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameVisibilityTimeout},
	})
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.Atoi(out.Attributes[string(types.QueueAttributeNameVisibilityTimeout)])
	return time.Duration(seconds) * time.Second, err
}

// take waits for a free slot and takes all there are. It returns how many, 0 when the context has ended.
func take(ctx context.Context, slots chan struct{}) int {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	n := 1
	for {
		select {
		case slots <- struct{}{}:
			n++
		default:
			return n
		}
	}
}

func release(slots chan struct{}, n int) {
	for range n {
		<-slots
	}
}

// receive returns at most as many messages as there are hands: none waits in memory while another worker could begin it.
func (c *Consumer) receive(ctx context.Context, most int) ([]types.Message, error) {
	if err := c.ready(ctx); err != nil {
		return nil, fmt.Errorf("not ready: %w", err)
	}
	call, done := context.WithTimeout(ctx, pollTimeout)
	defer done()
	out, err := c.Client.ReceiveMessage(call, &sqs.ReceiveMessageInput{
		QueueUrl:                    &c.QueueURL,
		MaxNumberOfMessages:         int32(most),
		WaitTimeSeconds:             pollSeconds,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		MessageAttributeNames:       []string{AttributeRequestID},
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

func (c *Consumer) ready(ctx context.Context) error {
	call, done := context.WithTimeout(ctx, callTimeout)
	defer done()
	return c.Ready(call)
}

// about adds to every line that is logged with the context which message it is about.
func about(ctx context.Context, m types.Message) context.Context {
	ctx = logs.With(ctx, slog.String("message_id", aws.ToString(m.MessageId)), slog.Int("receive_count", tries(m)))
	return logs.WithRequestID(ctx, logs.KeepRequestID(aws.ToString(m.MessageAttributes[AttributeRequestID].StringValue)))
}

// tries is how often a message was received.
func tries(m types.Message) int {
	n, err := strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	if err != nil {
		return 1
	}
	return n
}

// work handles a message and tells SQS what became of it.
func (c *Consumer) work(ctx context.Context, m types.Message, limit time.Duration) {
	ctx, start := about(ctx, m), time.Now()
	parsed, err := Parse(aws.ToString(m.Body))
	if err == nil {
		ctx = logs.With(ctx, slog.String("kind", parsed.Kind), slog.String("order", parsed.Order.ID))
		err = c.handle(ctx, parsed, limit)
	}
	took := slog.Int64("duration_ms", time.Since(start).Milliseconds())
	switch {
	case err == nil:
		c.delete(ctx, m, took)
	case ctx.Err() != nil:
		slog.WarnContext(ctx, "message cut short by the end of the service: given back", "error", err.Error(), took)
		c.hide(ctx, m, 0)
	default:
		retry := backoff(tries(m), 3, leastRetry, mostRetry)
		slog.ErrorContext(ctx, "message failed", "error", err.Error(), "retry_s", int(retry.Seconds()), took)
		c.hide(ctx, m, retry)
	}
}

// handle bounds the work on a message, and makes a panic the failure of this one.
func (c *Consumer) handle(ctx context.Context, m Message, limit time.Duration) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, done := context.WithTimeout(ctx, limit)
	defer done()
	return c.Handle(ctx, m)
}

// delete ends a message that was handled. Where that fails it comes again, and is found to be done.
func (c *Consumer) delete(ctx context.Context, m types.Message, took slog.Attr) {
	call, done := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer done()
	_, err := c.Client.DeleteMessage(call, &sqs.DeleteMessageInput{QueueUrl: &c.QueueURL, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		slog.WarnContext(ctx, "message handled but not deleted: it will come again", "error", err.Error(), took)
		return
	}
	slog.InfoContext(ctx, "message handled", took)
}

// hide makes a message visible again after a while. Where that fails it becomes so when the queue's own time is over.
func (c *Consumer) hide(ctx context.Context, m types.Message, d time.Duration) {
	call, done := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer done()
	_, err := c.Client.ChangeMessageVisibility(call, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: &c.QueueURL, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(d.Seconds()),
	})
	if err != nil {
		slog.WarnContext(ctx, "message's visibility not changed", "error", err.Error())
	}
}

// backoff grows from least by a factor with each failure up to most. The last half of it is chance, so that what failed
// together is not tried again together.
func backoff(failures int, factor float64, least, most time.Duration) time.Duration {
	d := float64(least)
	for i := 1; i < failures && d < float64(most); i++ {
		d *= factor
	}
	d = min(d, float64(most))
	return time.Duration(d/2 + rand.Float64()*d/2)
}

// sleep waits, or less if the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

var _ Queue = (*sqs.Client)(nil)
