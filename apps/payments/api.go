package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"shop/internal/messages"
	"shop/internal/secret"
	"shop/internal/web"
)

// mostBytes is how large a request may be.
const mostBytes = 4 << 10

// api answers the requests.
type api struct {
	// key is the secret with the shop's API key at the acquirer.
	key *secret.Secret
	// send puts a message into the queue mail.
	send func(context.Context, messages.Message) error
}

// post has an order paid. Its key is the order's id: an order is paid once.
func (a *api) post() web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		var in request
		if err := web.Decode(w, r, mostBytes, &in); err != nil {
			return err
		}
		if errs := in.validate(); len(errs) > 0 {
			return web.Invalid(errs...)
		}
		key := r.Header.Get("Idempotency-Key")
		if key != in.Order {
			return web.BadRequest("Send the order's id as the Idempotency-Key.")
		}
		apiKey, err := a.key.Values(r.Context())
		if err != nil {
			return web.Unavailable("the acquirer's API key", err)
		}
		out := in.decide(apiKey.Current, key)
		// Before the answer: should that get lost, orders asks again, and the mail is asked for again, not forgotten. Mailer
		// sends each mail once.
		if out.Status == approved {
			if err := a.send(r.Context(), receipt(in, out)); err != nil {
				return web.Unavailable("the queue for mail", err)
			}
		}
		slog.InfoContext(r.Context(), "payment", "order", in.Order, "payment", out.Payment, "status", out.Status, "reason", out.Reason)
		web.JSON(w, http.StatusOK, out)
		return nil
	}
}

// receipt asks for the mail that says that a payment was approved. Asked for again it is the same message.
func receipt(in request, out answer) messages.Message {
	return messages.Message{
		ID:   uuid.NewSHA1(uuid.NameSpaceOID, []byte(out.Payment)).String(),
		Kind: messages.PaymentReceipt,
		At:   time.Now().UTC().Truncate(time.Second),
		Order: messages.Order{
			ID: in.Order, Email: in.Email, Total: messages.Money{Amount: in.Amount, Currency: in.Currency},
		},
	}
}
