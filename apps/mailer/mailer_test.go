package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database/databasetest"
	"shop/internal/messages"
	"shop/internal/servicetest"
)

func TestMain(m *testing.M) {
	servicetest.Main(main)
	databasetest.Main(m)
}

// bucket is what mails are put into.
type bucket struct {
	mu    sync.Mutex
	mails map[string]string
	puts  int
	err   error
	delay time.Duration
}

func (b *bucket) put(ctx context.Context, name string, text []byte) error {
	select {
	case <-time.After(b.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.puts++
	b.mails[name] = string(text)
	return nil
}

// shop is a database and a bucket that mailers share.
type shop struct {
	*databasetest.Database
	admin *pgxpool.Pool
	*bucket
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := databasetest.New(t)
	return &shop{db, db.Admin(t), &bucket{mails: map[string]string{}}}
}

func (s *shop) mailer(t *testing.T) *mailer {
	t.Helper()
	return &mailer{pool: s.Pool(t, "mailer"), put: s.put}
}

// order writes an order and returns the message that announces it.
func (s *shop) order(t *testing.T) messages.Message {
	t.Helper()
	id := uuid.NewString()
	s.exec(t, `
		INSERT INTO orders (id, idempotency_key, request_hash, email, payment, status, total_cents, currency, request_id, placed_at)
		VALUES ($1, $2, '', 'a@b.example', 'card', 'confirmed', 1, 'EUR', 'r', now())`, id, id)
	return placed(id)
}

func placed(id string) messages.Message {
	return messages.Message{
		ID: uuid.NewString(), Kind: messages.OrderPlaced, At: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		Order: messages.Order{
			ID: id, Email: "a@b.example",
			Lines: []messages.Line{
				{Product: "oak-desk", Name: "Oak desk", Quantity: 1, Price: messages.Money{Amount: 24900, Currency: "EUR"}},
				{Product: "tea-pot", Name: "Tea pot", Quantity: 2, Price: messages.Money{Amount: 3900, Currency: "EUR"}},
			},
			Total: messages.Money{Amount: 32700, Currency: "EUR"},
		},
	}
}

func (s *shop) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.admin.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// noted are the keys of the mails that are said to be sent.
func (s *shop) noted(t *testing.T) []string {
	t.Helper()
	rows, err := s.admin.Query(t.Context(), "SELECT key FROM mails ORDER BY key")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	keys := []string{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestEachKindOfMailIsSentOnceForAnOrder(t *testing.T) {
	s := newShop(t)
	m := s.mailer(t)
	in := s.order(t)
	receipt := in
	receipt.Kind, receipt.Order.Lines = messages.PaymentReceipt, nil
	for _, one := range []messages.Message{in, receipt, in, receipt} {
		if err := m.handle(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{in.Order.ID + "/order-confirmation.eml", in.Order.ID + "/payment-receipt.eml"}
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(s.mails))); diff != "" {
		t.Error(diff)
	}
	if s.puts != 2 {
		t.Errorf("%d mails were handed over, not 2", s.puts)
	}
	if diff := cmp.Diff([]string{"order-confirmation:" + in.Order.ID, "payment-receipt:" + in.Order.ID}, s.noted(t)); diff != "" {
		t.Error(diff)
	}
}

func TestMessageDeliveredTwiceAtOnceIsOneMail(t *testing.T) {
	s := newShop(t)
	in := s.order(t)
	s.delay = 50 * time.Millisecond
	var all sync.WaitGroup
	for range 6 {
		m := s.mailer(t)
		all.Go(func() {
			if err := m.handle(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.puts != 1 {
		t.Errorf("%d mails were handed over, not one", s.puts)
	}
}

func TestMailOfAnOrderThatIsNotThereIsAnError(t *testing.T) {
	s := newShop(t)
	in := placed(uuid.NewString())
	if err := s.mailer(t).handle(t.Context(), in); err == nil || !strings.Contains(err.Error(), in.Order.ID) {
		t.Errorf("error is %v", err)
	}
	if s.puts != 0 || len(s.noted(t)) != 0 {
		t.Error("a mail was sent")
	}
}

// Each way to die between the message and the commit: the message comes again, and the same mail is put in the same place.
func TestMailerThatDiesSendsTheSameMailAgain(t *testing.T) {
	tests := map[string]struct {
		die  func(t *testing.T, s *shop) context.Context
		mend func(t *testing.T, s *shop)
		puts int
	}{
		"the bucket is away": {
			func(t *testing.T, s *shop) context.Context { s.err = errors.New("away"); return t.Context() },
			func(_ *testing.T, s *shop) { s.err = nil }, 1,
		},
		"killed while it hands over": {
			func(t *testing.T, s *shop) context.Context {
				s.delay = time.Minute
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				t.Cleanup(cancel)
				return ctx
			},
			func(_ *testing.T, s *shop) { s.delay = 0 }, 1,
		},
		"killed before the commit": {
			func(t *testing.T, s *shop) context.Context {
				s.exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''the task died''; END'`)
				s.exec(t, `CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON mails DEFERRABLE INITIALLY DEFERRED
					FOR EACH ROW EXECUTE FUNCTION fail()`)
				return t.Context()
			},
			func(t *testing.T, s *shop) { s.exec(t, "DROP FUNCTION fail CASCADE") }, 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			in := s.order(t)
			if err := s.mailer(t).handle(test.die(t, s), in); err == nil {
				t.Error("no error")
			}
			if noted := s.noted(t); len(noted) != 0 {
				t.Errorf("the mail is noted as sent: %v", noted)
			}
			test.mend(t, s)
			before := maps.Clone(s.mails)
			if err := s.mailer(t).handle(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if s.puts != test.puts || len(s.mails) != 1 || len(s.noted(t)) != 1 {
				t.Errorf("%d puts, %d mails, noted %v: want %d, one, one", s.puts, len(s.mails), s.noted(t), test.puts)
			}
			if len(before) == 1 && !maps.Equal(before, s.mails) {
				t.Error("the mail is another one")
			}
		})
	}
}

// parse reads a mail as its receiver does.
func parse(t *testing.T, text []byte) (headers map[string]string, body string) {
	t.Helper()
	read, err := mail.ReadMessage(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	headers = map[string]string{}
	for name, values := range read.Header {
		if len(values) != 1 {
			t.Errorf("%s is there %d times", name, len(values))
		}
		headers[name], err = new(mime.WordDecoder).DecodeHeader(values[0])
		if err != nil {
			t.Error(err)
		}
	}
	decoded, err := io.ReadAll(quotedprintable.NewReader(read.Body))
	if err != nil {
		t.Error(err)
	}
	return headers, strings.ReplaceAll(string(decoded), "\r\n", "\n")
}

func TestMails(t *testing.T) {
	const id = "7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02"
	in := placed(id)
	in.Order.Lines[0].Name = "Chaise en chêne – très légère"
	receipt := in
	receipt.Kind = messages.PaymentReceipt
	tests := map[string]struct {
		message             messages.Message
		kind, subject, body string
	}{
		"confirmation": {in, "order-confirmation", "Your order is confirmed: Chaise en chêne – très légère and 1 more", `Hello,

thank you for your order. It is confirmed, and we are getting it ready.

   1 x Chaise en chêne – très légère, 249.00 EUR each
   2 x Tea pot, 39.00 EUR each

Total: 327.00 EUR
Order: 7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02

The shop
`},
		"receipt": {receipt, "payment-receipt", "Your payment of 327.00 EUR", `Hello,

we have received your payment of 327.00 EUR.

Order: 7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02

The shop
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			kind, text := compose(test.message)
			if kind != test.kind {
				t.Errorf("kind is %s", kind)
			}
			headers, body := parse(t, text)
			want := map[string]string{
				"Date": "Tue, 24 Nov 2026 10:00:00 +0000", "From": "Shop <no-reply@shop.example>", "To": "a@b.example",
				"Subject": test.subject, "Message-Id": "<" + test.kind + "." + id + "@shop.example>", "Auto-Submitted": "auto-generated",
				"Mime-Version": "1.0", "Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "quoted-printable",
			}
			if diff := cmp.Diff(want, headers); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.body, body); diff != "" {
				t.Error(diff)
			}
			for line := range strings.SplitSeq(string(text), "\r\n") {
				long := len(line) > 83 || (len(line) > 76 && strings.Contains(line, "=?"))
				if long || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
					t.Errorf("a line is too long, or not ASCII, or not ended by CRLF: %q", line)
				}
			}
		})
	}
}

func TestNothingInAnOrderMakesAHeader(t *testing.T) {
	for _, name := range []string{
		"Desk\r\nBcc: c@d.example", "Desk\nBcc: c@d.example", "Desk\rBcc: c@d.example", "Desk\r\n\r\n<html>",
		"Ch\u00eane\u2028\r\nBcc: c@d.example",
		strings.Repeat("Chêne ", 500), strings.Repeat("x", 5000),
	} {
		in := placed("7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02")
		in.Order.Lines = in.Order.Lines[:1]
		in.Order.Lines[0].Name = name
		_, text := compose(in)
		headers, body := parse(t, text)
		if len(headers) != 9 || headers["Bcc"] != "" || !strings.HasPrefix(body, "Hello,\n\nthank you") {
			t.Errorf("%q gives the headers %v", name, headers)
		}
		for line := range strings.SplitSeq(string(text), "\r\n") {
			if len(line) > 140 {
				t.Errorf("a line has %d characters", len(line))
			}
		}
	}
}

func TestMailGoesBelowThePrefix(t *testing.T) {
	var got *http.Request
	var body []byte
	status := 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	client := s3.New(s3.Options{
		BaseEndpoint: &server.URL, Region: "eu-west-1", Retryer: aws.NopRetryer{}, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	})
	put := objects(client, "media", "mails/")
	if err := put(t.Context(), "o/receipt.eml", []byte("mail")); err != nil {
		t.Fatal(err)
	}
	if got.Method != "PUT" || got.URL.Path != "/media/mails/o/receipt.eml" || got.Header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("S3 was asked %s %s, %s", got.Method, got.URL, got.Header.Get("Content-Type"))
	}
	if !strings.Contains(string(body), "mail") {
		t.Errorf("the body is %q", body)
	}
	status = 503
	if err := put(t.Context(), "o/receipt.eml", nil); err == nil || !strings.Contains(err.Error(), "o/receipt.eml") {
		t.Errorf("error is %v", err)
	}
}

// The whole service: a mail, a message that is none, and the end while a mail is in hand.
func TestService(t *testing.T) {
	s := newShop(t)
	quick, slow := s.order(t), s.order(t)
	inHand := make(chan bool)
	objects := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // it is not looked at
		if strings.Contains(r.URL.Path, slow.Order.ID) {
			inHand <- true
			time.Sleep(500 * time.Millisecond)
		}
	})
	cloud := servicetest.NewAWS(t, objects, text(t, quick), "poison", text(t, slow))
	environment := servicetest.Environment("mailer", cloud.URL)
	servicetest.WithDatabase(environment, s.Config("mailer"))
	environment["QUEUE_MAIL_URL"] = cloud.URL + "/111122223333/mail"
	environment["BUCKET_MEDIA_NAME"], environment["BUCKET_MEDIA_PREFIX"] = "media", "mails/"
	p := servicetest.Start(t, environment)
	<-inHand
	if code := p.Stop(t); code != 0 {
		t.Errorf("it ends with %d, not 0", code)
	}
	want := []string{text(t, quick), text(t, slow)}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(cloud.Deleted()))); diff != "" {
		t.Error(diff)
	}
	if n := len(s.noted(t)); n != 2 {
		t.Errorf("%d mails are noted, not 2", n)
	}
	if lines := p.Lines(`"message failed"`); len(lines) != 1 || !strings.Contains(lines[0], `"message_id":"2"`) {
		t.Errorf("failures are %v: want that of message 2", lines)
	}
	if lines := p.Lines("a@b.example"); len(lines) > 0 {
		t.Errorf("the log has the customer's address: %s", lines)
	}
}

func text(t *testing.T, m messages.Message) string {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestConfigurationIsRefusedAllAtOnce(t *testing.T) {
	said := servicetest.Refused(t, map[string]string{"SERVICE_NAME": "mailer", "AWS_REGION": "eu-west-1"})
	for _, name := range []string{"DATABASE_SHOP_HOST", "QUEUE_MAIL_URL", "BUCKET_MEDIA_NAME", "BUCKET_MEDIA_PREFIX"} {
		if !strings.Contains(said, name) {
			t.Errorf("it does not name %s: %s", name, said)
		}
	}
}
