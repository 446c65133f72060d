// Command catalog answers what the shop sells: the products and their pictures.
package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
)

func main() {
	app.Serve(func(env *app.Env) app.Start {
		db := database.FromEnv(env, "shop")
		bucket, prefix := env.String("BUCKET_MEDIA_NAME"), env.String("BUCKET_MEDIA_PREFIX")
		return func(ctx context.Context, a *app.App) error {
			cfg, err := cloud.Load(ctx)
			if err != nil {
				return err
			}
			pool, err := database.Open(ctx, db, db.Token(cfg))
			if err != nil {
				return err
			}
			a.OnStop(pool.Close)
			a.Check("database", database.Check(pool))
			pictures := newPictures(s3.NewFromConfig(cfg), bucket, prefix)
			a.Check("pictures", pictures.check)
			a.Background("listing pictures", pictures.watch)
			a.Handle(routes(&products{pool}, pictures))
			return nil
		}
	})
}
