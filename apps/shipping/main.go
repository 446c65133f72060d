// Shipping ships orders that are paid for.
//
//	queue to-ship -> shipping: row in shipments, order "shipped" ----- one transaction
//
// It stands for the carrier's interface, which would give the tracking number.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
	"shop/internal/messages"
)

func main() { app.Work(configure) }

func configure(env *app.Env) app.Start {
	shop := database.FromEnv(env, "shop")
	queue := env.QueueURL("QUEUE_TO_SHIP_URL")
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
		s := &shipper{pool}
		consumer := &messages.Consumer{
			Client: sqs.NewFromConfig(cfg), QueueURL: queue, Ready: database.Check(pool), Handle: s.handle,
		}

		a.Check("database", database.Check(pool))
		a.Check("queue to-ship", consumer.Check)
		a.Background("consuming to-ship", consumer.Run)
		return nil
	}
}
