package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"shop/internal/messages"
	"shop/internal/secret"
	"shop/internal/servicetest"
	"shop/internal/web"
)

func TestMain(m *testing.M) {
	servicetest.Main(main)
	m.Run()
}

// vault is a Secrets Manager with the API key, or without one.
type vault string

func (v vault) GetSecretValue(
	_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	if v == "" || *in.VersionStage != "AWSCURRENT" {
		return nil, &types.ResourceNotFoundException{}
	}
	value := string(v)
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

// bench is a task of the service, whose mail goes nowhere.
type bench struct {
	http.Handler
	mails []messages.Message
	err   error
}

func newBench(v vault) *bench {
	b := &bench{}
	b.Handler = web.Wrap(routes(&api{key: secret.New(v, "arn"), send: func(_ context.Context, m messages.Message) error {
		if b.err == nil {
			b.mails = append(b.mails, m)
		}
		return b.err
	}}))
	return b
}

const id = "7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02"

func good() request { return request{id, "a@b.example", 24900, "EUR", "card"} }

func (b *bench) post(t *testing.T, key string, in any) (*httptest.ResponseRecorder, answer) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/payments", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	var out answer
	if w.Code == 200 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
	}
	return w, out
}

func TestSandboxDecidesByTheRequestAlone(t *testing.T) {
	tests := map[string]struct {
		change         func(*request)
		status, reason string
	}{
		"good card":       {func(*request) {}, approved, ""},
		"bad card":        {func(r *request) { r.Payment = "card-declined" }, declined, "the card was declined"},
		"the most":        {func(r *request) { r.Amount = 1_000_000 }, approved, ""},
		"more":            {func(r *request) { r.Amount = 1_000_001 }, declined, "the amount is more than 10000.00 EUR"},
		"nothing to pay":  {func(r *request) { r.Amount = 0 }, approved, ""},
		"bad card, more":  {func(r *request) { r.Payment, r.Amount = "card-declined", 1_000_001 }, declined, "the card was declined"},
		"other currency":  {func(r *request) { r.Currency = "SEK" }, approved, ""},
		"other customers": {func(r *request) { r.Email = "b@b.example" }, approved, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench("key")
			in := good()
			test.change(&in)
			w, out := b.post(t, id, in)
			want := answer{Payment: paymentID("key", id), Status: test.status, Reason: test.reason}
			if diff := cmp.Diff(want, out); w.Code != 200 || diff != "" {
				t.Errorf("%d %s", w.Code, diff)
			}
			if (len(b.mails) == 1) != (test.status == approved) {
				t.Errorf("%d mails: want one if it is approved", len(b.mails))
			}
		})
	}
}

func TestReceiptIsAMessageThatTheMailerTakes(t *testing.T) {
	b := newBench("key")
	b.post(t, id, good())
	text, err := json.Marshal(b.mails[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := messages.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := messages.Message{Kind: messages.PaymentReceipt, Order: messages.Order{
		ID: id, Email: "a@b.example", Total: messages.Money{Amount: 24900, Currency: "EUR"},
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(messages.Message{}, "ID", "At")); diff != "" {
		t.Error(diff)
	}
}

func TestRepeatedKeyGetsTheSameAnswerFromAnyTask(t *testing.T) {
	one, other := newBench("key"), newBench("key")
	_, first := one.post(t, id, good())
	_, again := other.post(t, id, good())
	if diff := cmp.Diff(first, again); diff != "" {
		t.Error(diff)
	}
	if one.mails[0].ID != other.mails[0].ID {
		t.Error("the mail that is asked for again is another message")
	}
	if paymentID("key", id) == paymentID("key", "7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c03") ||
		paymentID("key", id) == paymentID("other", id) {
		t.Error("different payments have the same id")
	}
}

func TestBadRequests(t *testing.T) {
	b := newBench("key")
	w, _ := b.post(t, id, map[string]any{})
	var p web.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	if diff := cmp.Diff([]string{"order", "email", "currency", "payment"}, fields); w.Code != 422 || diff != "" {
		t.Errorf("%d %s", w.Code, diff)
	}
	in := good()
	in.Amount = -1
	if w, _ := b.post(t, id, in); w.Code != 422 {
		t.Errorf("a negative amount: %d", w.Code)
	}
	for _, key := range []string{"", "7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c03"} {
		if w, _ := b.post(t, key, good()); w.Code != 400 {
			t.Errorf("key %q: %d", key, w.Code)
		}
	}
	if len(b.mails) != 0 {
		t.Errorf("%d mails", len(b.mails))
	}
}

func TestOrdersIsToldToWait(t *testing.T) {
	unsent := newBench("key")
	unsent.err = errors.New("SQS is away")
	for name, b := range map[string]*bench{"no API key": newBench(""), "no queue": unsent} {
		t.Run(name, func(t *testing.T) {
			w, _ := b.post(t, id, good())
			if w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("%d, Retry-After: %q", w.Code, w.Header().Get("Retry-After"))
			}
		})
	}
}

// The whole service, with AWS: an API key that is put in while it runs, a payment, the end.
func TestService(t *testing.T) {
	var mu sync.Mutex
	hasKey, sent := false, []string{}
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch target := r.Header.Get("X-Amz-Target"); {
		case strings.HasPrefix(target, "AmazonSQS"):
			sent = append(sent, target)
			io.WriteString(w, "{}") //nolint:errcheck // seen by the client
		case hasKey && strings.Contains(string(body), "AWSCURRENT"):
			io.WriteString(w, `{"SecretString":"key"}`) //nolint:errcheck // seen by the client
		default:
			w.WriteHeader(400)
			io.WriteString(w, `{"__type":"ResourceNotFoundException"}`) //nolint:errcheck // seen by the client
		}
	}))
	defer aws.Close()
	environment := servicetest.Environment("payments", aws.URL)
	environment["QUEUE_MAIL_URL"] = aws.URL + "/111122223333/mail"
	environment["SECRET_PAYMENT_PROVIDER_ARN"] = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:payment-provider"
	p := servicetest.Start(t, environment)
	p.Await(t, "/readyz", 503)
	mu.Lock()
	hasKey = true
	mu.Unlock()
	p.Await(t, "/readyz", 200)
	body, err := json.Marshal(good())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest("POST", p.URL+"/payments", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {id}}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Error(response.Status)
	}
	mu.Lock()
	if !slices.Contains(sent, "AmazonSQS.SendMessage") {
		t.Errorf("SQS was asked for %v", sent)
	}
	mu.Unlock()
	if code := p.Stop(t); code != 0 {
		t.Errorf("it ends with %d, not 0", code)
	}
	if lines := p.Lines("a@b.example"); len(lines) > 0 {
		t.Errorf("the log has the customer's address: %s", lines)
	}
}

func TestConfigurationIsRefusedAllAtOnce(t *testing.T) {
	said := servicetest.Refused(t, map[string]string{
		"SERVICE_NAME": "payments", "AWS_REGION": "eu-west-1", "QUEUE_MAIL_URL": "mail",
	})
	for _, name := range []string{"QUEUE_MAIL_URL", "SECRET_PAYMENT_PROVIDER_ARN"} {
		if !strings.Contains(said, name) {
			t.Errorf("it does not name %s: %s", name, said)
		}
	}
}
