package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/logs"
	"shop/internal/messages"
)

const (
	// batchSize is how many messages SNS takes at once.
	batchSize = 10
	// publishTimeout bounds a call of SNS, all tries of the SDK included.
	publishTimeout = 5 * time.Second
	// keptDays is how long what was published stays in the outbox, for people who ask what was.
	keptDays = 7
	// tidyInterval is how often older rows are looked for, tidySize how many are deleted at a time.
	tidyInterval, tidySize = time.Hour, 1000
)

// relay publishes what the outbox holds, in the order in which it was written, each message at least once.
//
// Several tasks do so at once: each locks the rows it publishes, and skips those of others. Here the locks are held across the
// call, for five seconds at most: nobody else wants these rows, and those of a task that dies are free at once.
type relay struct {
	pool   *pgxpool.Pool
	client *sns.Client
	topic  string
	// wake makes it look for work.
	wake *bell
}

func newRelay(pool *pgxpool.Pool, client *sns.Client, topic string) *relay {
	return &relay{pool: pool, client: client, topic: topic, wake: newBell(1)}
}

// Run publishes until the context ends. It finishes what it has in hand.
func (r *relay) Run(ctx context.Context) error {
	var tidied time.Time
	for failures, on := 0, ctx.Err() == nil; on; {
		if time.Since(tidied) > tidyInterval {
			r.tidy(ctx)
			tidied = time.Now()
		}
		n, err := r.publish(context.WithoutCancel(ctx))
		switch {
		case err != nil:
			failures++
			slog.WarnContext(ctx, "announcements wait in the outbox", "error", err.Error(), "failures", failures)
			on = pause(ctx, failures)
		case n == batchSize:
			failures, on = 0, ctx.Err() == nil // there may be more
		default:
			failures, on = 0, r.wake.wait(ctx)
		}
	}
	return nil
}

// row is one message of the outbox.
type row struct {
	ID        int64
	MessageID string
	Kind      string
	Body      string
	RequestID string
}

// publish publishes the oldest messages that nobody else has in hand, and returns how many there were.
func (r *relay) publish(ctx context.Context) (n int, err error) {
	ctx, done := context.WithTimeout(ctx, publishTimeout+2*storeTimeout)
	defer done()
	var unsent error
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, `
			SELECT id, message_id::text, kind, body::text, request_id FROM outbox WHERE published_at IS NULL
			ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED`, batchSize)
		if err != nil {
			return err
		}
		rows, err := pgx.CollectRows(found, pgx.RowToStructByPos[row])
		if n = len(rows); err != nil || n == 0 {
			return err
		}
		var sent []int64
		if sent, unsent = r.send(ctx, rows); len(sent) == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, "UPDATE outbox SET published_at = now() WHERE id = ANY ($1)", sent)
		return err
	})
	return n, errors.Join(err, unsent)
}

// send publishes rows and returns the ids of those that the topic took, and why it did not take the others.
func (r *relay) send(ctx context.Context, rows []row) (sent []int64, err error) {
	ctx, done := context.WithTimeout(ctx, publishTimeout)
	defer done()
	byID := map[string]row{}
	in := &sns.PublishBatchInput{TopicArn: &r.topic}
	for _, row := range rows {
		byID[row.MessageID] = row
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, types.PublishBatchRequestEntry{
			Id: &row.MessageID, Message: &row.Body,
			MessageAttributes: map[string]types.MessageAttributeValue{
				messages.AttributeKind: attribute(row.Kind), messages.AttributeRequestID: attribute(row.RequestID),
			},
		})
	}
	out, err := r.client.PublishBatch(ctx, in)
	if err != nil {
		return nil, err
	}
	for _, e := range out.Successful {
		row := byID[aws.ToString(e.Id)]
		sent = append(sent, row.ID)
		slog.InfoContext(logs.WithRequestID(ctx, row.RequestID), "published", "message", row.MessageID, "kind", row.Kind)
	}
	for _, e := range out.Failed {
		err = errors.Join(err, fmt.Errorf("message %s: %s %s", aws.ToString(e.Id), aws.ToString(e.Code), aws.ToString(e.Message)))
	}
	return sent, err
}

func attribute(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
}

// tidy deletes what was published long ago. What it does not get done is done next time, or by another task.
func (r *relay) tidy(ctx context.Context) {
	ctx, done := context.WithTimeout(ctx, storeTimeout)
	defer done()
	for n := int64(tidySize); n == tidySize; {
		deleted, err := r.pool.Exec(ctx, `
			DELETE FROM outbox WHERE id IN (
				SELECT id FROM outbox WHERE published_at < now() - make_interval(days => $1) LIMIT $2
			)`, keptDays, tidySize)
		if err != nil {
			slog.WarnContext(ctx, "the outbox cannot be tidied", "error", err.Error())
			return
		}
		n = deleted.RowsAffected()
	}
}
