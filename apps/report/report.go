package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database"
)

// slowest is how long the query may take: it reads a day of everything, the services' timeout is for requests.
const slowest = 5 * time.Minute

// closedDay is the midnight that a day begins with. Only a day that is over has a report: it never changes again, and a report
// made twice is the same file.
func closedDay(text string, now time.Time) (time.Time, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	if text == "" {
		return today.AddDate(0, 0, -1), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("-day is %q: it must be like 2026-11-24", text)
	}
	if !day.Before(today) {
		return time.Time{}, fmt.Errorf("-day is %s, which is not over yet", text)
	}
	return day, nil
}

// sale is what was sold of a product, in one currency and under one name.
type sale struct {
	Product, Name string
	Quantity      int64
	RevenueCents  int64
	Currency      string
}

// sales are those of the orders whose payment was confirmed on the day, the greatest revenue first.
func sales(ctx context.Context, pool *pgxpool.Pool, day time.Time) (sales []sale, err error) {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = database.Tx(ctx, pool, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL statement_timeout = %d", slowest.Milliseconds())); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT l.product_id, l.name, sum(l.quantity)::bigint, sum(l.quantity * l.unit_cents)::bigint, o.currency
			FROM orders o JOIN order_lines l ON l.order_id = o.id
			WHERE o.confirmed_at >= $1 AND o.confirmed_at < $2
			GROUP BY l.product_id, l.name, o.currency
			ORDER BY 4 DESC, 1, 2, 5`, day, day.AddDate(0, 0, 1))
		if err != nil {
			return err
		}
		sales, err = pgx.CollectRows(rows, pgx.RowToStructByPos[sale])
		return err
	})
	return sales, err
}

func writeCSV(to io.Writer, sales []sale) error {
	rows := [][]string{{"product", "name", "quantity", "revenue_cents", "currency"}}
	for _, s := range sales {
		rows = append(rows, []string{
			s.Product, s.Name, strconv.FormatInt(s.Quantity, 10), strconv.FormatInt(s.RevenueCents, 10), s.Currency,
		})
	}
	return csv.NewWriter(to).WriteAll(rows)
}

// write puts the day's report at <prefix>2026-11-24.csv.
func write(ctx context.Context, pool *pgxpool.Pool, bucket *s3.Client, name, prefix string, day time.Time) error {
	found, err := sales(ctx, pool, day)
	if err != nil {
		return fmt.Errorf("reading the sales: %w", err)
	}
	var body bytes.Buffer
	if err := writeCSV(&body, found); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	key := prefix + day.Format(time.DateOnly) + ".csv"
	_, err = bucket.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &name, Key: &key, Body: bytes.NewReader(body.Bytes()),
		ContentType: aws.String("text/csv; charset=utf-8; header=present"),
	})
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	slog.InfoContext(ctx, "reported", "day", day.Format(time.DateOnly), "products", len(found), "object", key)
	return nil
}
