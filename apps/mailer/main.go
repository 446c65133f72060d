// Mailer sends the shop's mails.
//
//	queue mail -> mailer -+- row in mails: once for each mail of an order
//	                      +- s3://<bucket>/mails/<order>/<kind>.eml -> a mail gateway
//
// It hands a mail over by putting it, ready to be sent, where a gateway picks it up; a client of Amazon SES takes that place
// where there is one.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
	"shop/internal/messages"
)

func main() { app.Work(configure) }

func configure(env *app.Env) app.Start {
	shop := database.FromEnv(env, "shop")
	queue := env.QueueURL("QUEUE_MAIL_URL")
	bucket, prefix := env.String("BUCKET_MEDIA_NAME"), env.String("BUCKET_MEDIA_PREFIX")
	return func(ctx context.Context, a *app.App) error {
		cfg, err := cloud.Load(ctx)
		if err != nil {
			return err
		}
		pool, err := database.Open(ctx, shop, shop.Token(cfg))
		if err != nil {
			return err
		}
		a.OnStop(pool.Close)
		m := &mailer{pool: pool, put: objects(s3.NewFromConfig(cfg), bucket, prefix)}
		consumer := &messages.Consumer{
			Client: sqs.NewFromConfig(cfg), QueueURL: queue, Ready: database.Check(pool), Handle: m.handle,
		}

		a.Check("database", database.Check(pool))
		a.Check("queue mail", consumer.Check)
		a.Background("consuming mail", consumer.Run)
		return nil
	}
}
