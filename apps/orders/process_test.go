package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"shop/internal/servicetest"
)

// environment is what a task of the service finds: the shop's database, payments and AWS.
func (s *shop) environment(t *testing.T) map[string]string {
	t.Helper()
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
			s.topic.Config.Handler.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		json.NewEncoder(w).Encode(map[string]string{"SecretString": "key one"}) //nolint:errcheck // seen by the client
	}))
	t.Cleanup(aws.Close)
	environment := servicetest.Environment("orders", aws.URL)
	servicetest.WithDatabase(environment, s.Config("orders"))
	environment["TOPIC_ORDER_PLACED_ARN"] = topicARN
	environment["SERVICE_PAYMENTS_URL"] = s.acquirer.URL
	environment["SECRET_ORDER_SIGNING_ARN"] = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:order-signing"
	return environment
}

func place(t *testing.T, p *servicetest.Process, key string) (o order) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.URL+"/api/orders",
		strings.NewReader(`{"email":"a@b.example","lines":[{"product":"oak-desk","quantity":1}],"payment":"card"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&o); err != nil || response.StatusCode != 201 {
		t.Fatalf("%s: %v", response.Status, err)
	}
	return o
}

// The first task is killed while it waits for payments. The second finishes what the first has begun, and ends in good order.
func TestKilledTaskLosesNothing(t *testing.T) {
	s := newShop(t)
	asked := make(chan bool, 1)
	s.acquirer.answers(func(n int, _ http.ResponseWriter) bool {
		if n == 1 {
			asked <- true
			panic(http.ErrAbortHandler)
		}
		return false
	})
	first := servicetest.Start(t, s.environment(t))
	first.Await(t, "/healthz", 200)
	o := place(t, first, "key-of-ann")
	<-asked
	first.Kill()

	second := servicetest.Start(t, s.environment(t))
	second.Await(t, "/readyz", 200)
	s.due(t, o.ID) // the lease is over
	eventually(t, "announcing", func() bool { return len(s.topic.taken()) == 1 })
	if again := place(t, second, "key-of-ann"); again.ID != o.ID || again.Status != confirmed || again.Token != o.Token {
		t.Errorf("the order is %+v", again)
	}
	if code := second.Stop(t); code != 0 {
		t.Errorf("it ends with %d, not 0", code)
	}
	for _, p := range []*servicetest.Process{first, second} {
		if lines := p.Lines("a@b.example"); len(lines) > 0 {
			t.Errorf("the log has the customer's address: %s", lines)
		}
	}
}

func TestConfigurationIsRefusedAllAtOnce(t *testing.T) {
	said := servicetest.Refused(t, map[string]string{"SECRET_ORDER_SIGNING_ARN": "arn:aws:sns:eu-west-1:111122223333:no-secret"})
	for _, name := range []string{
		"SERVICE_NAME", "AWS_REGION", "DATABASE_SHOP_HOST", "DATABASE_SHOP_PORT", "DATABASE_SHOP_NAME", "DATABASE_SHOP_USER",
		"TOPIC_ORDER_PLACED_ARN", "SERVICE_PAYMENTS_URL", "SECRET_ORDER_SIGNING_ARN",
	} {
		if !strings.Contains(said, name) {
			t.Errorf("it does not name %s: %s", name, said)
		}
	}
}
