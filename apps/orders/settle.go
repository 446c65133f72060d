package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"shop/internal/database"
	"shop/internal/logs"
	"shop/internal/messages"
)

const (
	// hands is how many orders a task settles at the same time.
	hands = 4
	// lease is how long an order belongs to the task that took it up: longer than everything that it then does.
	lease = 15 * time.Second
	// storeTimeout bounds what is done in the database at a time.
	storeTimeout = 4 * time.Second
	// leastRetry and mostRetry are how long an order waits after payments gave no answer, the first time and after many.
	leastRetry, mostRetry = 2 * time.Second, 5 * time.Minute
)

// settler has placed orders paid for, until each is confirmed or declined.
//
// Several tasks do so at once. Each takes up an order with a lease, committed before payments is called: no transaction is open
// and no lock is held while another service takes its time, and the order of a task that died is taken up by any other when the
// lease is over. Should two have the same one all the same, payments gives both the same answer, and only the first can write
// it down.
type settler struct {
	orders   *store
	payments *payments
	// wake makes it look for work.
	wake *bell
	// announced is told of each announcement in the outbox.
	announced *bell
}

func newSettler(orders *store, payments *payments, announced *bell) *settler {
	return &settler{orders: orders, payments: payments, wake: newBell(hands), announced: announced}
}

// Run settles until the context ends. It finishes what it has in hand.
func (s *settler) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for range hands {
		all.Go(func() { s.loop(ctx) })
	}
	all.Wait()
	return nil
}

func (s *settler) loop(ctx context.Context) {
	for failures, on := 0, ctx.Err() == nil; on; {
		worked, err := s.next(context.WithoutCancel(ctx))
		switch {
		case err != nil:
			failures++
			on = pause(ctx, failures) // payments or the database is away: no order fares better than this one
		case worked:
			failures, on = 0, ctx.Err() == nil
		default:
			failures, on = 0, s.wake.wait(ctx)
		}
	}
}

// next settles one order, or returns false if none is due.
func (s *settler) next(ctx context.Context) (worked bool, err error) {
	d, err := s.orders.take(ctx)
	if err != nil {
		slog.WarnContext(ctx, "no order can be taken up", "error", err.Error())
		return false, err
	}
	if d == nil {
		return false, nil
	}
	ctx = logs.With(logs.WithRequestID(ctx, d.requestID), slog.String("order", d.payment.Order), slog.Int("attempt", d.attempts))
	if err := s.settle(ctx, d); err != nil {
		slog.WarnContext(ctx, "order not settled", "error", err.Error())
		return true, err
	}
	return true, nil
}

func (s *settler) settle(ctx context.Context, d *due) error {
	receipt, err := s.payments.pay(ctx, d.payment)
	if err != nil {
		if later := s.orders.putOff(ctx, d); later != nil {
			slog.WarnContext(ctx, "order not put off: it is due when its lease is over", "error", later.Error())
		}
		return err
	}
	settle := s.orders.decline
	if receipt.Status == paymentApproved {
		settle = s.orders.confirm
	}
	first, err := settle(ctx, d, receipt.Payment)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "order settled", "status", receipt.Status, "reason", receipt.Reason, "first", first)
	if receipt.Status == paymentApproved {
		s.announced.ring()
	}
	return nil
}

// due is an order that waits for its payment.
type due struct {
	payment   payment
	requestID string
	attempts  int
}

// take takes up the order that has been due for longest, or returns nil if none is.
func (s *store) take(ctx context.Context) (*due, error) {
	ctx, done := context.WithTimeout(ctx, storeTimeout)
	defer done()
	d := &due{}
	err := s.pool.QueryRow(ctx, `
		UPDATE orders SET next_attempt_at = now() + $1::interval, attempts = attempts + 1
		WHERE id = (
			SELECT id FROM orders WHERE status = 'placed' AND next_attempt_at <= now()
			ORDER BY next_attempt_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
		)
		RETURNING id::text, email, total_cents, currency, payment, request_id, attempts`, lease).
		Scan(&d.payment.Order, &d.payment.Email, &d.payment.Amount, &d.payment.Currency, &d.payment.Payment, &d.requestID, &d.attempts)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return d, err
}

// putOff gives an order that could not be settled another time.
func (s *store) putOff(ctx context.Context, d *due) error {
	ctx, done := context.WithTimeout(ctx, storeTimeout)
	defer done()
	_, err := s.pool.Exec(ctx, "UPDATE orders SET next_attempt_at = now() + $2::interval WHERE id = $1 AND status = 'placed'",
		d.payment.Order, backoff(d.attempts, leastRetry, mostRetry))
	return err
}

// confirm notes that an order is paid for and leaves the announcement in the outbox, both or neither. It returns false if the
// order was settled already.
func (s *store) confirm(ctx context.Context, d *due, payment string) (first bool, err error) {
	return s.settled(ctx, d, payment, confirmed, func(ctx context.Context, tx pgx.Tx, at time.Time) error {
		lines, err := readLines(ctx, tx, d.payment.Order)
		if err != nil {
			return err
		}
		m := messages.Message{ID: uuid.NewString(), Kind: messages.OrderPlaced, At: at.UTC(), Order: messages.Order{
			ID: d.payment.Order, Email: d.payment.Email, Lines: lines,
			Total: messages.Money{Amount: d.payment.Amount, Currency: d.payment.Currency},
		}}
		body, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO outbox (message_id, kind, body, request_id) VALUES ($1, $2, $3, $4)",
			m.ID, m.Kind, body, d.requestID)
		return err
	})
}

// decline notes that an order is not paid for and gives its stock back, both or neither. It returns false if the order was
// settled already.
func (s *store) decline(ctx context.Context, d *due, payment string) (first bool, err error) {
	return s.settled(ctx, d, payment, declined, func(ctx context.Context, tx pgx.Tx, _ time.Time) error {
		_, err := tx.Exec(ctx, `
			SELECT FROM products p JOIN order_lines l ON l.product_id = p.id
			WHERE l.order_id = $1 ORDER BY p.id FOR NO KEY UPDATE OF p`, d.payment.Order) // in this order: see sorted
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE products p SET stock = p.stock + l.quantity
			FROM order_lines l WHERE l.order_id = $1 AND l.product_id = p.id`, d.payment.Order)
		return err
	})
}

// settled moves a placed order to another status and does what comes with it, in one transaction.
func (s *store) settled(
	ctx context.Context, d *due, payment, status string, with func(context.Context, pgx.Tx, time.Time) error,
) (first bool, err error) {
	ctx, done := context.WithTimeout(ctx, storeTimeout)
	defer done()
	column := pgx.Identifier{status + "_at"}.Sanitize()
	err = database.Tx(ctx, s.pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		first = false
		var at time.Time
		err := tx.QueryRow(ctx, `
			UPDATE orders SET status = $2, payment_id = $3, `+column+` = now() WHERE id = $1 AND status = 'placed'
			RETURNING `+column, d.payment.Order, status, payment).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		first = true
		return with(ctx, tx, at)
	})
	return first, err
}
