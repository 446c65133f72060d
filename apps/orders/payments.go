package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"shop/internal/web"
)

// payTimeout bounds a call to payments.
const payTimeout = 5 * time.Second

// payments is the service that has orders paid.
type payments struct {
	url    string
	client *http.Client
}

func newPayments(url string) *payments { return &payments{url, web.NewClient(payTimeout)} }

// payment is what payments is asked for.
type payment struct {
	Order    string `json:"order"`
	Email    string `json:"email"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Payment  string `json:"payment"`
}

// receipt is its answer.
type receipt struct {
	Payment string `json:"payment"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
}

// What a receipt's status may be.
const (
	paymentApproved = "approved"
	paymentDeclined = "declined"
)

// pay has an order paid, or finds out what came of it before. Without a clear answer it returns an error, and nothing is known.
func (p *payments) pay(ctx context.Context, in payment) (receipt, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return receipt{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/payments", bytes.NewReader(body))
	if err != nil {
		return receipt{}, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", in.Order)
	response, err := p.client.Do(request)
	if err != nil {
		return receipt{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return receipt{}, fmt.Errorf("payments: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return receipt{}, fmt.Errorf("payments answered %s: %.200q", response.Status, text)
	}
	var out receipt
	if err := json.Unmarshal(text, &out); err != nil {
		return receipt{}, fmt.Errorf("payments answered no receipt: %w", err)
	}
	if out.Payment == "" || (out.Status != paymentApproved && out.Status != paymentDeclined) {
		return receipt{}, fmt.Errorf("payments answered neither yes nor no: %.200q", text)
	}
	return out, nil
}
