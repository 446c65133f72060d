package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database"
	"shop/internal/messages"
)

// shipper ships an order for each message that announces one.
type shipper struct{ pool *pgxpool.Pool }

// handle ships an order, unless it has been shipped. Whoever else has the same order waits at its row.
func (s *shipper) handle(ctx context.Context, m messages.Message) error {
	if m.Kind != messages.OrderPlaced {
		return fmt.Errorf("a message of the kind %s ships nothing", m.Kind)
	}
	return database.Tx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		var status string
		err := tx.QueryRow(ctx, "SELECT status FROM orders WHERE id = $1 FOR NO KEY UPDATE", m.Order.ID).Scan(&status)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("there is no order %s", m.Order.ID)
		case err != nil:
			return err
		case status == "shipped":
			slog.InfoContext(ctx, "this order has been shipped")
			return nil
		case status != "confirmed":
			return fmt.Errorf("the order %s is %s: only a confirmed one is shipped", m.Order.ID, status)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO shipments (order_id, tracking, shipped_at) VALUES ($1, $2, now())",
			m.Order.ID, tracking(m.Order.ID)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE orders SET status = 'shipped' WHERE id = $1", m.Order.ID)
		return err
	})
}

// tracking is the number of an order's parcel.
func tracking(order string) string {
	sum := sha256.Sum256([]byte(order))
	return "SHP" + base32.StdEncoding.EncodeToString(sum[:10])
}
