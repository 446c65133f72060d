package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"shop/internal/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// bucket keeps what is put into it.
type bucket map[string]string

func (b bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPut || r.Header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b[r.URL.Path] = string(body)
}

func client(t *testing.T, b http.Handler) *s3.Client {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "eu-west-1", Retryer: aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}

// The first second of the day counts, that of the next does not; nor do orders that were declined or are not settled.
const orders = `
INSERT INTO orders (id, idempotency_key, request_hash, email, payment, status, total_cents, currency, request_id,
	placed_at, confirmed_at)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, n, '', 'a@b.example', 'card', status, 1, 'EUR', 'r', at, confirmed
FROM (VALUES
	('1', 'confirmed', timestamptz '2026-11-23 23:59:59Z', timestamptz '2026-11-24 00:00:00Z'),
	('2', 'shipped',   timestamptz '2026-11-24 12:00:00Z', timestamptz '2026-11-24 23:59:59.999999Z'),
	('3', 'confirmed', timestamptz '2026-11-24 23:59:59Z', timestamptz '2026-11-25 00:00:00Z'),
	('4', 'confirmed', timestamptz '2026-11-23 23:59:59Z', timestamptz '2026-11-23 23:59:59Z'),
	('5', 'placed',    timestamptz '2026-11-24 12:00:00Z', NULL),
	('6', 'declined',  timestamptz '2026-11-24 12:00:00Z', NULL)
) o (n, status, at, confirmed);
INSERT INTO order_lines (order_id, product_id, name, quantity, unit_cents)
SELECT id, 'tea-pot', 'Tea pot, "grey"', 2, 3900 FROM orders
UNION ALL SELECT id, 'oak-desk', 'Oak desk', 1, 24900 FROM orders WHERE idempotency_key IN ('1', '3', '5', '6')
UNION ALL SELECT id, 'bread-board', 'Bread board', 9, 1000000000 FROM orders WHERE idempotency_key = '2'`

func TestReportOfADay(t *testing.T) {
	db := databasetest.New(t)
	if _, err := db.Admin(t).Exec(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	pool := db.Pool(t, "report")
	b := bucket{}
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for range 2 { // again is the same
		if err := write(t.Context(), pool, client(t, b), "media", "reports/", day); err != nil {
			t.Fatal(err)
		}
		want := bucket{"/media/reports/2026-11-24.csv": `product,name,quantity,revenue_cents,currency
bread-board,Bread board,9,9000000000,EUR
oak-desk,Oak desk,1,24900,EUR
tea-pot,"Tea pot, ""grey""",4,15600,EUR
`}
		if diff := cmp.Diff(want, b); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if err := write(t.Context(), pool, client(t, b), "media", "reports/", day.AddDate(0, 0, 7)); err != nil {
		t.Fatal(err)
	}
	if got := b["/media/reports/2026-12-01.csv"]; got != "product,name,quantity,revenue_cents,currency\n" {
		t.Errorf("a day without sales: %q", got)
	}
}

func TestFailuresAreErrors(t *testing.T) {
	pool := databasetest.New(t).Pool(t, "report")
	denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if err := write(t.Context(), pool, client(t, denied), "media", "reports/", time.Now()); err == nil {
		t.Error("a refused upload is no error")
	}
	pool.Close()
	if err := write(t.Context(), pool, client(t, bucket{}), "media", "reports/", time.Now()); err == nil {
		t.Error("a lost database is no error")
	}
}

func TestClosedDay(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 30, 0, 0, time.FixedZone("CET", 3600)) // 23:30 of the day before in UTC
	tests := []struct{ text, want, problem string }{
		{"", "2026-11-23", ""},
		{"2026-11-23", "2026-11-23", ""},
		{"2024-02-29", "2024-02-29", ""},
		{"2026-11-24", "", "not over yet"},
		{"2027-01-01", "", "not over yet"},
		{"24.11.2026", "", "must be like"},
		{"2026-02-30", "", "must be like"},
	}
	for _, test := range tests {
		got, err := closedDay(test.text, now)
		if test.problem != "" {
			if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%q: %v, want %q", test.text, err, test.problem)
			}
		} else if err != nil || got.Format(time.RFC3339) != test.want+"T00:00:00Z" {
			t.Errorf("%q: %s, %v; want %s", test.text, got, err, test.want)
		}
	}
}
