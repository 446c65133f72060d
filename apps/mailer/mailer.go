package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/messages"
)

// putTimeout bounds the handing over of a mail, all tries of the SDK included. A transaction is open meanwhile.
const putTimeout = 10 * time.Second

// mailer sends a mail for each message that asks for one.
type mailer struct {
	pool *pgxpool.Pool
	// put hands a mail over under a name. Under the same name it replaces what was there.
	put func(ctx context.Context, name string, mail []byte) error
}

// handle sends a message's mail, unless it has been sent.
//
// The row says that it has, and is committed last: a mailer that dies before lets the message come again, and puts the same
// mail in the same place. While one has a mail in hand, another one with the same waits at the row.
func (m *mailer) handle(ctx context.Context, in messages.Message) error {
	kind, mail := compose(in)
	return pgx.BeginFunc(ctx, m.pool, func(tx pgx.Tx) error {
		noted, err := tx.Exec(ctx, `
			INSERT INTO mails (key, order_id, kind, mailed_at) VALUES ($1, $2, $3, now()) ON CONFLICT (key) DO NOTHING`,
			kind+":"+in.Order.ID, in.Order.ID, kind)
		if isMissing(err) {
			return fmt.Errorf("there is no order %s", in.Order.ID)
		}
		if err != nil {
			return err
		}
		if noted.RowsAffected() == 0 {
			slog.InfoContext(ctx, "this mail has been sent", "mail", kind)
			return nil
		}
		return m.put(ctx, in.Order.ID+"/"+kind+".eml", mail)
	})
}

// isMissing tells whether the row that a new one refers to is not there.
func isMissing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}

// objects puts mails into a bucket, below a prefix.
func objects(client *s3.Client, bucket, prefix string) func(context.Context, string, []byte) error {
	return func(ctx context.Context, name string, mail []byte) error {
		ctx, done := context.WithTimeout(ctx, putTimeout)
		defer done()
		_, err := client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String(prefix + name), Body: bytes.NewReader(mail), ContentType: aws.String("message/rfc822"),
		})
		if err != nil {
			return fmt.Errorf("mail %s was not handed over: %w", name, err)
		}
		return nil
	}
}
