package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"shop/internal/logs"
	"shop/internal/web"
)

// mostBytes is how large a request may be.
const mostBytes = 64 << 10

// api answers the requests.
type api struct {
	orders *store
	tokens *tokens
	// placed is told of each new order.
	placed *bell
}

// post places an order, or finds the one that was placed with the same key.
func (a *api) post() web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		key := r.Header.Get("Idempotency-Key")
		if !isKey(key) {
			return web.BadRequest("Send an Idempotency-Key of 8 to 128 visible ASCII characters, a new one for each order.")
		}
		var in request
		if err := web.Decode(w, r, mostBytes, &in); err != nil {
			return err
		}
		if errs := in.validate(); len(errs) > 0 {
			return web.Invalid(errs...)
		}
		// Before anything is written: an order that nobody can open would be of no use.
		if err := a.tokens.secret.Check(r.Context()); err != nil {
			return web.Unavailable("the secret that signs tokens", err)
		}
		o, isNew, err := a.orders.place(r.Context(), key, logs.RequestID(r.Context()), in)
		if err != nil {
			return problem(err, in)
		}
		if isNew {
			a.placed.ring()
		} else {
			w.Header().Set("Idempotent-Replayed", "true")
		}
		if o.Token, err = a.tokens.make(r.Context(), o.ID); err != nil {
			return web.Unavailable("the secret that signs tokens", err)
		}
		w.Header().Set("Location", "/api/orders/"+o.ID)
		web.JSON(w, http.StatusCreated, o)
		return nil
	}
}

// problem is what place refuses a request with, as an answer.
func problem(err error, in request) error {
	if errors.Is(err, errOtherContent) {
		return web.Conflict("This Idempotency-Key was used for another order. Send a new one.")
	}
	var refused *refusedError
	if !errors.As(err, &refused) {
		return err
	}
	if len(refused.unsold) > 0 {
		fields, _ := fieldErrors(in, refused.unsold, "product")
		return web.Invalid(fields...)
	}
	fields, names := fieldErrors(in, refused.short, "quantity")
	p := web.Conflict("There is not enough of %s.", strings.Join(names, ", "))
	p.Errors = fields
	return p
}

// fieldErrors says of which line of the request each refusal is.
func fieldErrors(in request, refusals []refusal, name string) (fields []web.FieldError, names []string) {
	for _, r := range refusals {
		line := slices.IndexFunc(in.Lines, func(l requestLine) bool { return l.Product == r.product })
		fields = append(fields, web.FieldError{Field: field(line, name), Detail: r.why})
		names = append(names, r.name)
	}
	return fields, names
}

// get returns an order to whoever has its token.
func (a *api) get() web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		token, ok := parse(bearer(r))
		if !ok {
			return web.Unauthorized("Send the token of the order: Authorization: Bearer <token>.")
		}
		// An order of another token and one that does not exist are the same: there is nothing to find out here.
		missing := web.NotFound("There is no such order, or it has another token.")
		id, err := uuid.Parse(r.PathValue("id"))
		if err != nil || id.String() != r.PathValue("id") {
			return missing
		}
		opens, err := a.tokens.opens(r.Context(), token, id.String())
		if err != nil {
			return web.Unavailable("the secret that signs tokens", err)
		}
		if !opens {
			return missing
		}
		o, err := a.orders.get(r.Context(), id.String())
		if errors.Is(err, errNoOrder) {
			return missing
		}
		if err != nil {
			return err
		}
		web.JSON(w, http.StatusOK, o)
		return nil
	}
}

// bearer returns the request's token, or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func isKey(key string) bool {
	if len(key) < 8 || len(key) > 128 {
		return false
	}
	return strings.IndexFunc(key, func(c rune) bool { return c < '!' || c > '~' }) < 0
}
