// Package messages is what the services tell each other by topic and queue, and how a worker consumes a queue.
//
//	orders -> topic order-placed -+-> queue to-ship -> shipping
//	                              +-> queue mail ----> mailer
//	payments ---------------------------^
//
// Delivery is raw: a queue's message is the text that was published, whichever way it came. It arrives at least once and in
// any order, so a consumer must not mind a second time.
package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
)

// The kinds of message there are.
const (
	// OrderPlaced says that an order is paid for: the topic's event. It has the order's lines.
	OrderPlaced = "order-placed"
	// PaymentReceipt asks for the mail that says that a payment was approved. It has no lines.
	PaymentReceipt = "payment-receipt"
)

// The names of the attributes that a message may carry beside its text, for filters and logs: nothing depends on them.
const (
	// AttributeKind is the message's kind.
	AttributeKind = "kind"
	// AttributeRequestID is the id of the request that led to the message.
	AttributeRequestID = "request_id"
)

// Message is one message. Receivers ignore fields they do not know, so a sender may add some.
type Message struct {
	// ID is the message's own, a UUID: a message that was sent again keeps it.
	ID string `json:"id"`
	// Kind is one of the constants above.
	Kind string `json:"kind"`
	// At is when it happened, in UTC.
	At time.Time `json:"at"`
	// Order is what it is about.
	Order Order `json:"order"`
}

// Order is an order as far as messages tell of it.
type Order struct {
	// ID is a UUID in lower case with dashes.
	ID string `json:"id"`
	// Email is the customer's address: personal data, not to be logged.
	Email string `json:"email"`
	// Lines are what was bought, by product.
	Lines []Line `json:"lines,omitempty"`
	// Total is what all lines cost.
	Total Money `json:"total"`
}

// Line is so many of one product.
type Line struct {
	// Product is the product's id.
	Product string `json:"product"`
	// Name is the product's name when it was bought.
	Name string `json:"name"`
	// Quantity is how many, at least 1.
	Quantity int `json:"quantity"`
	// Price is that of one, when it was bought.
	Price Money `json:"price"`
}

// Money is an amount in a currency.
type Money struct {
	// Amount is in hundredths, e.g. cents.
	Amount int64 `json:"amount"`
	// Currency is the code of ISO 4217, e.g. "EUR".
	Currency string `json:"currency"`
}

// String is the amount as a person writes it, e.g. "249.00 EUR".
func (m Money) String() string {
	sign, amount := "", m.Amount
	if amount < 0 {
		sign, amount = "-", -amount
	}
	return fmt.Sprintf("%s%d.%02d %s", sign, amount/100, amount%100, m.Currency)
}

// Parse reads a message and checks it.
func Parse(text string) (Message, error) {
	var m Message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return Message{}, fmt.Errorf("the message is not the JSON of one: %w", err)
	}
	if err := m.Validate(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// Validate returns all that is wrong with the message, without repeating personal data.
func (m Message) Validate() error {
	var errs []error
	if !isUUID(m.ID) {
		errs = append(errs, fmt.Errorf("id is %q: it must be a UUID", m.ID))
	}
	if m.Kind != OrderPlaced && m.Kind != PaymentReceipt {
		errs = append(errs, fmt.Errorf("kind is %q: it must be %s or %s", m.Kind, OrderPlaced, PaymentReceipt))
	}
	if m.At.IsZero() {
		errs = append(errs, errors.New("at is missing"))
	}
	if !isUUID(m.Order.ID) {
		errs = append(errs, fmt.Errorf("order.id is %q: it must be a UUID", m.Order.ID))
	}
	if !IsEmail(m.Order.Email) {
		errs = append(errs, errors.New("order.email is not an e-mail address"))
	}
	if m.Kind == OrderPlaced && len(m.Order.Lines) == 0 {
		errs = append(errs, errors.New("order.lines is empty"))
	}
	for i, l := range m.Order.Lines {
		if l.Product == "" || l.Quantity < 1 {
			errs = append(errs, fmt.Errorf("order.lines[%d] is %d of %q: it must be at least one of a product", i, l.Quantity, l.Product))
		}
	}
	if !IsCurrency(m.Order.Total.Currency) {
		errs = append(errs, fmt.Errorf("order.total.currency is %q: it must be three capitals", m.Order.Total.Currency))
	}
	return errors.Join(errs...)
}

// isUUID wants the one spelling that orders are stored and named under.
func isUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// The addresses that a browser's <input type="email"> takes: none needs quoting, and none can hold a line break.
// https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
var email = regexp.MustCompile(`^[a-zA-Z0-9.!#$%&'*+/=?^_{|}~\x60-]+` +
	`@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)

// IsEmail tells whether the shop sends mail to such an address: one that browsers take, of at most 254 characters.
func IsEmail(s string) bool {
	return len(s) <= 254 && email.MatchString(s)
}

// IsCurrency tells whether it is spelled like a currency's code of ISO 4217.
func IsCurrency(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, c := range s {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
