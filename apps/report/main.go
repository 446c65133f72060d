// Command report writes the sales of a day, in UTC, as a CSV file: of yesterday, or of the day it is told.
//
//	app -day 2026-11-24
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
)

// patience is how long the database may take to answer.
const patience = 5 * time.Minute

func main() {
	text := flag.String("day", "", "the day to report, e.g. 2026-11-24; yesterday by default")
	flag.Parse()
	day, err := closedDay(*text, time.Now())
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("what is %q?", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	app.Once(func(env *app.Env) func(context.Context) error {
		db := database.FromEnv(env, "shop")
		bucket, prefix := env.String("BUCKET_MEDIA_NAME"), env.String("BUCKET_MEDIA_PREFIX")
		return func(ctx context.Context) error {
			cfg, err := cloud.Load(ctx)
			if err != nil {
				return err
			}
			pool, err := database.Open(ctx, db, db.Token(cfg))
			if err != nil {
				return err
			}
			defer pool.Close()
			if err := database.Wait(ctx, patience, pool.Ping); err != nil {
				return err
			}
			return write(ctx, pool, s3.NewFromConfig(cfg), bucket, prefix, day)
		}
	})
}
