package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"shop/internal/messages"
	"shop/internal/web"
)

// What an order's status may be.
const (
	placed    = "placed"
	confirmed = "confirmed"
	declined  = "declined"
	shipped   = "shipped"
)

// mailed is the event that the confirmation mail has been handed over: no status, because shipping does not wait for it.
const mailed = "mailed"

// What a request may have.
const (
	mostLines    = 50
	mostQuantity = 99
)

// order is the answer's.
type order struct {
	ID      string          `json:"id"`
	Status  string          `json:"status"`
	Email   string          `json:"email"`
	Lines   []messages.Line `json:"lines"`
	Total   messages.Money  `json:"total"`
	History []event         `json:"history"`
	// Token opens the order. It is in POST's answer only.
	Token string `json:"token,omitempty"`
}

// event is something that happened to an order.
type event struct {
	Event string    `json:"event"`
	At    time.Time `json:"at"`
}

// moment is when something happened, or nil if it has not yet.
type moment struct {
	event string
	at    *time.Time
}

// history has what happened in the order of time. Of two at the same time the one that is given first comes first.
func history(moments ...moment) []event {
	all := []event{}
	for _, m := range moments {
		if m.at != nil {
			all = append(all, event{m.event, m.at.UTC()})
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return all
}

// request is the content of POST /api/orders.
type request struct {
	Email   string        `json:"email"`
	Lines   []requestLine `json:"lines"`
	Payment string        `json:"payment"`
}

type requestLine struct {
	Product  string `json:"product"`
	Quantity int    `json:"quantity"`
}

var productID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// validate returns all that is wrong with the request and can be told without the database.
func (r request) validate() []web.FieldError {
	var errs []web.FieldError
	add := func(field, detail string, args ...any) {
		errs = append(errs, web.FieldError{Field: field, Detail: fmt.Sprintf(detail, args...)})
	}
	if !messages.IsEmail(r.Email) {
		add("email", "must be an e-mail address, e.g. ann@mail.example")
	}
	if len(r.Lines) < 1 || len(r.Lines) > mostLines {
		add("lines", "must be 1 to %d", mostLines)
	}
	first := map[string]int{}
	for i, l := range r.Lines[:min(len(r.Lines), mostLines)] {
		if before, twice := first[l.Product]; twice {
			add(field(i, "product"), "is the same as in lines[%d]: give each product once, with its quantity", before)
		} else if !productID.MatchString(l.Product) {
			add(field(i, "product"), "must be the id of a product, e.g. oak-desk")
		} else {
			first[l.Product] = i
		}
		if l.Quantity < 1 || l.Quantity > mostQuantity {
			add(field(i, "quantity"), "must be 1 to %d", mostQuantity)
		}
	}
	if r.Payment != "card" && r.Payment != "card-declined" {
		add("payment", "must be card or card-declined, the sandbox's test cards")
	}
	return errs
}

func field(line int, name string) string { return fmt.Sprintf("lines[%d].%s", line, name) }

// sorted has the lines by product. Everybody who takes or gives back stock does it in this order: two orders of the same
// products then wait for each other, and never each for the other.
func (r request) sorted() request {
	r.Lines = slices.SortedFunc(slices.Values(r.Lines), func(a, b requestLine) int { return cmp.Compare(a.Product, b.Product) })
	return r
}

// hash is the same for requests that ask for the same.
func (r request) hash() []byte {
	text, err := json.Marshal(r.sorted())
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	sum := sha256.Sum256(text)
	return sum[:]
}
