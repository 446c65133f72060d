package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// products are in the database.
type products struct{ pool *pgxpool.Pool }

const columns = "id, name, description, category, price_cents, currency, stock"

// fields are what the columns are scanned into.
func (p *product) fields() []any {
	return []any{&p.ID, &p.Name, &p.Description, &p.Category, &p.Price.Amount, &p.Price.Currency, &p.Stock}
}

// list finds a page of products, by name, and all categories there are.
func (s *products) list(ctx context.Context, q query) (page, error) {
	var where []string
	var args []any
	bind := func(value any) string {
		args = append(args, value)
		return fmt.Sprintf("$%d", len(args))
	}
	for _, word := range q.Words {
		pattern := bind("%" + escape(word) + "%")
		where = append(where, fmt.Sprintf("(name ILIKE %s OR description ILIKE %s)", pattern, pattern))
	}
	if q.Category != "" {
		where = append(where, "category = "+bind(q.Category))
	}
	if q.After != nil {
		where = append(where, fmt.Sprintf(`(lower(name) COLLATE "C", id COLLATE "C") > (%s, %s)`, bind(q.After.Name), bind(q.After.ID)))
	}
	sql := "SELECT " + columns + ", lower(name) FROM products"
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	// One more than the page holds tells whether there is a next one.
	sql += ` ORDER BY lower(name) COLLATE "C", id COLLATE "C" LIMIT ` + bind(q.Limit+1)

	found := page{Products: []product{}, Categories: []string{}}
	var cursors []cursor
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var p product
			var lower string
			if err := rows.Scan(append(p.fields(), &lower)...); err != nil {
				return err
			}
			found.Products = append(found.Products, p)
			cursors = append(cursors, cursor{lower, p.ID})
		}
		return rows.Err()
	})
	batch.Queue("SELECT DISTINCT category FROM products ORDER BY category").Query(func(rows pgx.Rows) (err error) {
		found.Categories, err = pgx.AppendRows(found.Categories, rows, pgx.RowTo[string])
		return err
	})
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return page{}, err
	}
	if len(found.Products) > q.Limit {
		found.Products = found.Products[:q.Limit]
		found.Next = cursors[q.Limit-1].String()
	}
	return found, nil
}

// escape makes a word mean itself in LIKE.
func escape(word string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(word)
}

// get finds a product, or says that there is none.
func (s *products) get(ctx context.Context, id string) (*product, error) {
	var found product
	err := s.pool.QueryRow(ctx, "SELECT "+columns+" FROM products WHERE id = $1", id).Scan(found.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, noProduct()
	}
	return &found, err
}
