package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"shop/internal/messages"
	"shop/internal/web"
)

// mostAmount is the largest amount that the sandbox approves, in hundredths: 10,000.00.
const mostAmount = 10_000_00

// The sandbox's test cards.
const (
	cardGood     = "card"
	cardDeclined = "card-declined"
)

// What an answer's status may be.
const (
	approved = "approved"
	declined = "declined"
)

// request is the content of POST /payments.
type request struct {
	Order    string `json:"order"`
	Email    string `json:"email"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Payment  string `json:"payment"`
}

// answer is what came of it.
type answer struct {
	// Payment is the acquirer's id of the payment, also of one that was declined.
	Payment string `json:"payment"`
	Status  string `json:"status"`
	// Reason is why it was declined, for people.
	Reason string `json:"reason,omitempty"`
}

// validate returns all that is wrong with the request.
func (r request) validate() []web.FieldError {
	var errs []web.FieldError
	add := func(field, detail string) { errs = append(errs, web.FieldError{Field: field, Detail: detail}) }
	if id, err := uuid.Parse(r.Order); err != nil || id.String() != r.Order {
		add("order", "must be a UUID")
	}
	if !messages.IsEmail(r.Email) {
		add("email", "must be an e-mail address")
	}
	if r.Amount < 0 {
		add("amount", "must be 0 or more, in hundredths")
	}
	if !messages.IsCurrency(r.Currency) {
		add("currency", "must be a code of ISO 4217, e.g. EUR")
	}
	if r.Payment != cardGood && r.Payment != cardDeclined {
		add("payment", fmt.Sprintf("must be %s or %s, the sandbox's test cards", cardGood, cardDeclined))
	}
	return errs
}

// decide is the acquirer's decision.
func (r request) decide(apiKey, key string) answer {
	a := answer{Payment: paymentID(apiKey, key), Status: declined}
	switch {
	case r.Payment == cardDeclined:
		a.Reason = "the card was declined"
	case r.Amount > mostAmount:
		a.Reason = fmt.Sprintf("the amount is more than %s", messages.Money{Amount: mostAmount, Currency: r.Currency})
	default:
		a.Status = approved
	}
	return a
}

// paymentID is the same for the same key, as long as the shop has the same API key at the acquirer.
func paymentID(apiKey, key string) string {
	mac := hmac.New(sha256.New, []byte(apiKey))
	mac.Write([]byte(key))
	return "pay_" + strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:15]))
}
