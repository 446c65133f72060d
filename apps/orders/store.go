package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database"
	"shop/internal/messages"
)

var (
	errNoOrder = errors.New("there is no such order")
	// errOtherContent is the error of a key that stands for another order.
	errOtherContent = errors.New("the key was used with another content")
)

// refusedError says which products an order cannot have: those that cannot be sold at all, and those of which there is not
// enough.
type refusedError struct{ unsold, short []refusal }

type refusal struct{ product, name, why string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("not sold: %v, not enough: %v", e.unsold, e.short)
}

// store keeps the orders.
type store struct{ pool *pgxpool.Pool }

// place takes the stock and writes the order, both or neither. With a key that was used before it returns that order, and false.
func (s *store) place(ctx context.Context, key, requestID string, r request) (o *order, isNew bool, err error) {
	r = r.sorted()
	err = database.Tx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		// The order comes first, to claim the key: a second request with it waits here until the first has committed, and
		// never touches stock. Its total follows, when the prices are known.
		id := uuid.NewString()
		claimed, err := tx.Exec(ctx, `
			INSERT INTO orders (id, idempotency_key, request_hash, email, payment, status, total_cents, currency, request_id, placed_at)
			VALUES ($1, $2, $3, $4, $5, 'placed', 0, '', $6, now())
			ON CONFLICT (idempotency_key) DO NOTHING`,
			id, key, r.hash(), r.Email, r.Payment, requestID)
		if err != nil {
			return err
		}
		if isNew = claimed.RowsAffected() == 1; !isNew {
			if id, err = replay(ctx, tx, key, r.hash()); err != nil {
				return err
			}
		} else if err := buy(ctx, tx, id, r.Lines); err != nil {
			return err
		}
		o, err = read(ctx, tx, id)
		return err
	})
	return o, isNew, err
}

// replay finds the order of a key.
func replay(ctx context.Context, tx pgx.Tx, key string, hash []byte) (id string, err error) {
	var before []byte
	err = tx.QueryRow(ctx, "SELECT id::text, request_hash FROM orders WHERE idempotency_key = $1", key).Scan(&id, &before)
	if err == nil && !bytes.Equal(before, hash) {
		err = errOtherContent
	}
	return id, err
}

// product is one that an order is of.
type product struct {
	ID, Name   string
	PriceCents int64
	Currency   string
	Stock      int
}

// buy takes the stock of the lines, which are sorted by product, and writes them with the prices of now.
func buy(ctx context.Context, tx pgx.Tx, id string, lines []requestLine) error {
	ids, quantities := make([]string, len(lines)), make([]int, len(lines))
	for i, l := range lines {
		ids[i], quantities[i] = l.Product, l.Quantity
	}
	products, err := lock(ctx, tx, ids)
	if err != nil {
		return err
	}
	total, err := price(lines, products)
	if err != nil {
		return err
	}
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`UPDATE products p SET stock = p.stock - l.quantity
			FROM unnest($1::text[], $2::int[]) l (id, quantity) WHERE p.id = l.id`, []any{ids, quantities}},
		{`INSERT INTO order_lines (order_id, product_id, name, quantity, unit_cents)
			SELECT $3, p.id, p.name, l.quantity, p.price_cents
			FROM unnest($1::text[], $2::int[]) l (id, quantity) JOIN products p ON p.id = l.id`, []any{ids, quantities, id}},
		{`UPDATE orders SET total_cents = $2, currency = $3 WHERE id = $1`, []any{id, total.Amount, total.Currency}},
	} {
		if _, err := tx.Exec(ctx, statement.sql, statement.args...); err != nil {
			return err
		}
	}
	return nil
}

// lock keeps everybody else from changing the products until the transaction ends, and returns those that exist. They are
// locked in the order of their ids: see sorted.
func lock(ctx context.Context, tx pgx.Tx, ids []string) (map[string]product, error) {
	rows, err := tx.Query(ctx, `
		SELECT id, name, price_cents, currency, stock FROM products WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE`, ids)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[product])
	products := map[string]product{}
	for _, p := range found {
		products[p.ID] = p
	}
	return products, err
}

// price adds up what the lines cost, or says all that is in the way of selling them.
func price(lines []requestLine, products map[string]product) (messages.Money, error) {
	var total messages.Money
	var refused refusedError
	for _, l := range lines {
		p, ok := products[l.Product]
		if !ok {
			refused.unsold = append(refused.unsold, refusal{l.Product, l.Product, "there is no such product"})
			continue
		}
		if total.Currency != "" && total.Currency != p.Currency {
			why := fmt.Sprintf("is sold in %s and another product in %s: order them apart", p.Currency, total.Currency)
			refused.unsold = append(refused.unsold, refusal{p.ID, p.Name, why})
		}
		if p.Stock < l.Quantity {
			refused.short = append(refused.short, refusal{p.ID, p.Name, fmt.Sprintf("only %d are left", p.Stock)})
		}
		total = messages.Money{Amount: total.Amount + int64(l.Quantity)*p.PriceCents, Currency: p.Currency}
	}
	if len(refused.unsold)+len(refused.short) > 0 {
		return messages.Money{}, &refused
	}
	return total, nil
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// get returns an order, or errNoOrder.
func (s *store) get(ctx context.Context, id string) (*order, error) { return read(ctx, s.pool, id) }

func read(ctx context.Context, q querier, id string) (*order, error) {
	o := &order{ID: id}
	var placedAt, confirmedAt, declinedAt, mailedAt, shippedAt *time.Time
	err := q.QueryRow(ctx, `
		SELECT o.status, o.email, o.total_cents, o.currency, o.placed_at, o.confirmed_at, o.declined_at, m.mailed_at, s.shipped_at
		FROM orders o
		LEFT JOIN mails m ON m.order_id = o.id AND m.kind = 'order-confirmation'
		LEFT JOIN shipments s ON s.order_id = o.id
		WHERE o.id = $1`, id).
		Scan(&o.Status, &o.Email, &o.Total.Amount, &o.Total.Currency, &placedAt, &confirmedAt, &declinedAt, &mailedAt, &shippedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNoOrder
	}
	if err != nil {
		return nil, err
	}
	o.History = history(
		moment{placed, placedAt}, moment{confirmed, confirmedAt}, moment{declined, declinedAt}, moment{mailed, mailedAt},
		moment{shipped, shippedAt},
	)
	o.Lines, err = readLines(ctx, q, id)
	return o, err
}

func readLines(ctx context.Context, q querier, id string) ([]messages.Line, error) {
	rows, err := q.Query(ctx, `
		SELECT l.product_id, l.name, l.quantity, l.unit_cents, o.currency
		FROM order_lines l JOIN orders o ON o.id = l.order_id WHERE l.order_id = $1 ORDER BY l.product_id`, id)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l messages.Line, err error) {
		return l, row.Scan(&l.Product, &l.Name, &l.Quantity, &l.Price.Amount, &l.Price.Currency)
	})
}
