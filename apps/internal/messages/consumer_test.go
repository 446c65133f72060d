package messages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/uuid"

	"shop/internal/logs"
)

// queue is an SQS queue: long polls, visibility, receive counts and dead letters, by the clock of the test.
type queue struct {
	mu         sync.Mutex
	messages   []*queued
	dead       []string
	visibility time.Duration
	most       int // messages received at once
	failing    error
	receives   int
	given      []string // back, with visibility 0
}

type queued struct {
	id, body string
	visible  time.Time
	receives int
	receipt  string
}

func newQueue(bodies ...string) *queue {
	q := &queue{visibility: time.Minute}
	for i, body := range bodies {
		q.messages = append(q.messages, &queued{id: fmt.Sprint("m", i), body: body})
	}
	return q
}

func (q *queue) GetQueueAttributes(
	context.Context, *sqs.GetQueueAttributesInput, ...func(*sqs.Options),
) (*sqs.GetQueueAttributesOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		return nil, q.failing
	}
	seconds := fmt.Sprint(int(q.visibility.Seconds()))
	return &sqs.GetQueueAttributesOutput{Attributes: map[string]string{"VisibilityTimeout": seconds}}, nil
}

func (q *queue) ReceiveMessage(
	ctx context.Context, in *sqs.ReceiveMessageInput, _ ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	for end := time.Now().Add(time.Duration(in.WaitTimeSeconds) * time.Second); ; {
		q.mu.Lock()
		out, err := q.visibleNow(int(in.MaxNumberOfMessages))
		q.mu.Unlock()
		if err != nil || len(out) > 0 || !time.Now().Before(end) {
			return &sqs.ReceiveMessageOutput{Messages: out}, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) visibleNow(most int) ([]types.Message, error) {
	if q.failing != nil {
		q.receives++
		return nil, q.failing
	}
	var out []types.Message
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool {
		if len(out) == most || time.Now().Before(m.visible) {
			return false
		}
		if m.receives == 5 {
			q.dead = append(q.dead, m.id)
			return true
		}
		m.receives++
		m.visible = time.Now().Add(q.visibility)
		m.receipt = fmt.Sprint(m.id, "/", m.receives)
		out = append(out, types.Message{
			MessageId: &m.id, Body: &m.body, ReceiptHandle: aws.String(m.receipt),
			Attributes:        map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.receives)},
			MessageAttributes: map[string]types.MessageAttributeValue{AttributeRequestID: attribute("request-of-" + m.id)},
		})
		return false
	})
	if len(out) > 0 {
		q.receives++
		q.most = max(q.most, len(out))
	}
	return out, nil
}

func (q *queue) DeleteMessage(
	_ context.Context, in *sqs.DeleteMessageInput, _ ...func(*sqs.Options),
) (*sqs.DeleteMessageOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		return nil, q.failing
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *queued) bool { return m.receipt == *in.ReceiptHandle })
	return &sqs.DeleteMessageOutput{}, nil
}

func (q *queue) ChangeMessageVisibility(
	_ context.Context, in *sqs.ChangeMessageVisibilityInput, _ ...func(*sqs.Options),
) (*sqs.ChangeMessageVisibilityOutput, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing != nil {
		return nil, q.failing
	}
	for _, m := range q.messages {
		if m.receipt == *in.ReceiptHandle {
			m.visible = time.Now().Add(time.Duration(in.VisibilityTimeout) * time.Second)
			if in.VisibilityTimeout == 0 {
				q.given = append(q.given, m.id)
			}
		}
	}
	return &sqs.ChangeMessageVisibilityOutput{}, nil
}

func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.failing = err
}

func (q *queue) received() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.receives
}

func (q *queue) left() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.messages)
}

func body() string {
	return fmt.Sprintf(`{"id":%q,"kind":"order-placed","at":"2026-11-24T10:00:00Z","order":{"id":%q,"email":"a@b.example",`+
		`"lines":[{"product":"oak-desk","name":"Oak desk","quantity":1,"price":{"amount":24900,"currency":"EUR"}}],`+
		`"total":{"amount":24900,"currency":"EUR"}}}`, uuid.NewString(), uuid.NewString())
}

func bodies(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = body()
	}
	return all
}

// start runs a consumer. What it returns ends it and returns how long that took.
func start(t *testing.T, q *queue, handle func(context.Context, Message) error) (end func() time.Duration) {
	t.Helper()
	return startWhen(t, q, handle, func(context.Context) error { return nil })
}

func startWhen(
	t *testing.T, q *queue, handle func(context.Context, Message) error, ready func(context.Context) error,
) (end func() time.Duration) {
	t.Helper()
	c := &Consumer{Client: q, QueueURL: "queue", Handle: handle, Ready: ready}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	return func() time.Duration {
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		return time.Since(began)
	}
}

// captured collects the log of a test.
func captured(t *testing.T) *bytes.Buffer {
	t.Helper()
	var text bytes.Buffer
	old := slog.Default()
	slog.SetDefault(logs.New(&text, "test"))
	t.Cleanup(func() { slog.SetDefault(old) })
	return &text
}

func TestMessagesAreHandledTenAtATimeAndDeleted(t *testing.T) {
	text := captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(bodies(35)...)
		var mu sync.Mutex
		now, most, total := 0, 0, 0
		end := start(t, q, func(context.Context, Message) error {
			mu.Lock()
			now++
			total++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if q.left() != 0 || total != 35 || most != 10 {
			t.Errorf("%d messages are left, %d were handled, at most %d at once: want 0, 35, 10", q.left(), total, most)
		}
		if d := end(); d != 0 {
			t.Errorf("an idle consumer took %s to end", d)
		}
	})
	for _, want := range []string{
		`"message_id":"m7"`, `"request_id":"request-of-m7"`, `"duration_ms":1000`, `"receive_count":1`, `"kind":"order-placed"`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log has no %s", want)
		}
	}
	if strings.Contains(text.String(), "a@b.example") {
		t.Error("the log has the customer's address")
	}
}

func TestFailingMessageIsTriedFiveTimesOverMinutesAndDies(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no such order") },
		"panic": func() error { panic("nil map") },
	} {
		t.Run(name, func(t *testing.T) {
			text := captured(t)
			synctest.Test(t, func(t *testing.T) {
				poison := body()
				q := newQueue(append(bodies(3), poison)...)
				var times []time.Time
				end := start(t, q, func(_ context.Context, m Message) error {
					if strings.Contains(poison, m.ID) {
						times = append(times, time.Now())
						return fail()
					}
					return nil
				})
				time.Sleep(20 * time.Minute)
				end()
				if !slices.Equal(q.dead, []string{"m3"}) || q.left() != 0 {
					t.Errorf("dead are %v, %d are left: want m3 to be dead, and none left", q.dead, q.left())
				}
				if len(times) != 5 {
					t.Fatalf("tried %d times, not 5", len(times))
				}
				for i, most := range []time.Duration{10 * time.Second, 30 * time.Second, 90 * time.Second, 270 * time.Second} {
					if d := times[i+1].Sub(times[i]); d < most/2-time.Second || d > most+time.Second {
						t.Errorf("try %d came after %s: want %s to %s", i+2, d, most/2, most)
					}
				}
			})
			if n := strings.Count(text.String(), `"msg":"message failed"`); n != 5 {
				t.Errorf("the log has %d failures, not 5", n)
			}
		})
	}
}

func TestWhatIsNoMessageIsNeverHandled(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("{", strings.Replace(body(), OrderPlaced, "order-forgotten", 1))
		end := start(t, q, func(context.Context, Message) error {
			t.Error("handled")
			return nil
		})
		time.Sleep(20 * time.Minute)
		end()
		if len(q.dead) != 2 {
			t.Errorf("dead are %v: want both", q.dead)
		}
	})
}

func TestWorkEndsBeforeOthersSeeTheMessage(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(body())
		start, cut := time.Now(), time.Time{}
		end := startWhen(t, q, func(ctx context.Context, _ Message) error {
			if cut.IsZero() {
				<-ctx.Done()
				cut = time.Now()
				return ctx.Err()
			}
			return nil
		}, func(context.Context) error { return nil })
		time.Sleep(2 * time.Minute)
		end()
		if d := cut.Sub(start); d != 48*time.Second {
			t.Errorf("work ended after %s, not 48s of the queue's 60s", d)
		}
		if q.left() != 0 {
			t.Error("the message was not tried again")
		}
	})
}

func TestNothingIsReceivedWhileNotReady(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(body())
		back := time.Now().Add(time.Hour)
		end := startWhen(t, q, func(context.Context, Message) error { return nil }, func(context.Context) error {
			if time.Now().Before(back) {
				return errors.New("the database is away")
			}
			return nil
		})
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if n := q.received(); n != 0 {
			t.Errorf("received %d times", n)
		}
		time.Sleep(mostPause + time.Second)
		if q.left() != 0 {
			t.Error("the message is not handled although the database is back")
		}
		end()
	})
}

func TestConsumerBacksOffWhileSQSIsAwayAndRecovers(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(body())
		q.fail(errors.New("SQS is away"))
		handled := 0
		end := start(t, q, func(context.Context, Message) error { handled++; return nil })
		time.Sleep(10 * time.Minute) // it does not even learn how long the queue hides a message
		q.fail(nil)
		time.Sleep(mostPause + time.Second)
		synctest.Wait()
		if handled != 1 {
			t.Fatalf("handled %d times, not once", handled)
		}
		q.fail(errors.New("SQS is away"))
		before := q.received()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := q.received() - before; n < 20 || n > 50 {
			t.Errorf("received %d times in 10 minutes: want 20 to 50", n)
		}
		end()
	})
}

func TestMessageThatCouldNotBeDeletedComesAgain(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(body())
		handled := 0
		end := start(t, q, func(context.Context, Message) error {
			if handled++; handled == 1 {
				q.fail(errors.New("SQS is away"))
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		q.fail(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if handled != 2 || q.left() != 0 {
			t.Errorf("handled %d times, %d left: want 2, 0", handled, q.left())
		}
		end()
	})
}

func TestEndWaitsForMessagesInHand(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(bodies(12)...)
		end := start(t, q, func(ctx context.Context, _ Message) error {
			time.Sleep(10 * time.Second)
			return ctx.Err()
		})
		time.Sleep(time.Second)
		if d := end(); d != 9*time.Second {
			t.Errorf("it took %s to end, not 9s", d)
		}
		if n := q.left(); n != 2 {
			t.Errorf("%d messages are left: want 2, those that were not begun", n)
		}
	})
}

func TestEndGivesBackWhatTakesTooLong(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(bodies(2)...)
		end := start(t, q, func(ctx context.Context, _ Message) error {
			<-ctx.Done()
			return ctx.Err()
		})
		time.Sleep(time.Second)
		if d := end(); d != grace {
			t.Errorf("it took %s to end, not %s", d, grace)
		}
		if len(q.given) != 2 || q.left() != 2 {
			t.Errorf("given back are %v, %d left: want both", q.given, q.left())
		}
	})
}

// endsWith ends the context in the moment that SQS hands messages out.
type endsWith struct {
	*queue
	cancel context.CancelFunc
}

func (q endsWith) ReceiveMessage(
	ctx context.Context, in *sqs.ReceiveMessageInput, options ...func(*sqs.Options),
) (*sqs.ReceiveMessageOutput, error) {
	out, err := q.queue.ReceiveMessage(ctx, in, options...)
	q.cancel()
	return out, err
}

func TestEndGivesBackWhatWasNotBegun(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(bodies(3)...)
		ctx, cancel := context.WithCancel(t.Context())
		c := &Consumer{
			Client: endsWith{q, cancel}, QueueURL: "queue",
			Ready:  func(context.Context) error { return nil },
			Handle: func(context.Context, Message) error { t.Error("handled"); return nil },
		}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if len(q.given) != 3 {
			t.Errorf("given back are %v: want all three", q.given)
		}
	})
}

func TestEndBeforeTheQueueAnswers(t *testing.T) {
	captured(t)
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.fail(errors.New("SQS is away"))
		end := start(t, q, nil)
		time.Sleep(time.Minute)
		if d := end(); d != 0 {
			t.Errorf("it took %s to end", d)
		}
	})
}
