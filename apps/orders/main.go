// Orders takes orders, has them paid for and announces them.
//
//	POST /api/orders -> order "placed", stock taken ----- one transaction
//	settler -> payments -> "confirmed" and an announcement in the outbox, or "declined" and stock given back ----- one transaction
//	relay -> topic order-placed
//
// Each step begins with what the one before has committed, and may be repeated. So a task may die at any moment: no order is
// lost, none is paid twice, and none is announced that is not there.
package main

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
	"shop/internal/secret"
)

func main() { app.Serve(configure) }

func configure(env *app.Env) app.Start {
	shop := database.FromEnv(env, "shop")
	topic := env.ARN("TOPIC_ORDER_PLACED_ARN", "sns")
	payments := env.URL("SERVICE_PAYMENTS_URL")
	signing := env.ARN("SECRET_ORDER_SIGNING_ARN", "secretsmanager")
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
		orders := &store{pool}
		relay := newRelay(pool, sns.NewFromConfig(cfg), topic)
		settler := newSettler(orders, newPayments(payments), relay.wake)
		tokens := &tokens{secret.New(secretsmanager.NewFromConfig(cfg), signing)}

		// Neither payments nor the topic: orders are taken while these are away.
		a.Check("database", database.Check(pool))
		a.Check("secret order-signing", tokens.secret.Check)
		a.Background("settling payments", settler.Run)
		a.Background("announcing orders", relay.Run)
		a.Handle(routes(&api{orders: orders, tokens: tokens, placed: settler.wake}))
		return nil
	}
}

func routes(a *api) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("POST /api/orders", a.post())
	mux.Handle("GET /api/orders/{id}", a.get())
	return mux
}
