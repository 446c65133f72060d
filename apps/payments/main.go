// Payments has orders paid.
//
//	orders -- POST /payments --> sandbox -- approved --> queue mail: payment-receipt
//
// It is a sandbox that stands for the acquirer, the bank's service that takes cards: a real acquirer's client goes in its place
// (Internet, in the platform's declaration, is for that one). Nothing is stored: an answer follows from the request and its key,
// so a repeated request gets the same answer from any task.
package main

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/messages"
	"shop/internal/secret"
)

func main() { app.Serve(configure) }

func configure(env *app.Env) app.Start {
	mail := env.QueueURL("QUEUE_MAIL_URL")
	provider := env.ARN("SECRET_PAYMENT_PROVIDER_ARN", "secretsmanager")
	return func(ctx context.Context, a *app.App) error {
		cfg, err := cloud.Load(ctx)
		if err != nil {
			return err
		}
		queue := sqs.NewFromConfig(cfg)
		key := secret.New(secretsmanager.NewFromConfig(cfg), provider)

		a.Check("secret payment-provider", key.Check)
		a.Check("queue mail", func(ctx context.Context) error {
			_, err := queue.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
				QueueUrl: &mail, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
			})
			return err
		})
		a.Handle(routes(&api{key: key, send: func(ctx context.Context, m messages.Message) error {
			return messages.Send(ctx, queue, mail, m)
		}}))
		return nil
	}
}

func routes(a *api) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /payments", a.post())
	return mux
}
