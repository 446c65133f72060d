package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

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

// shop is a database that shippers share.
type shop struct {
	*databasetest.Database
	admin *pgxpool.Pool
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := databasetest.New(t)
	return &shop{db, db.Admin(t)}
}

// order writes an order and returns the message that announces it.
func (s *shop) order(t *testing.T, status string) messages.Message {
	t.Helper()
	id := uuid.NewString()
	s.exec(t, `
		INSERT INTO orders (id, idempotency_key, request_hash, email, payment, status, total_cents, currency, request_id, placed_at)
		VALUES ($1, $2, '', 'a@b.example', 'card', $3, 1, 'EUR', 'r', now())`, id, id, status)
	return placed(id)
}

func placed(id string) messages.Message {
	price := messages.Money{Amount: 24900, Currency: "EUR"}
	return messages.Message{
		ID: uuid.NewString(), Kind: messages.OrderPlaced, At: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
		Order: messages.Order{
			ID: id, Email: "a@b.example", Total: price,
			Lines: []messages.Line{{Product: "oak-desk", Name: "Oak desk", Quantity: 1, Price: price}},
		},
	}
}

func (s *shop) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.admin.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// shipped are the order's status and how many shipments there are of it.
func (s *shop) shipped(t *testing.T, id string) (status string, shipments int) {
	t.Helper()
	err := s.admin.QueryRow(t.Context(), `
		SELECT o.status, (SELECT count(*) FROM shipments s WHERE s.order_id = o.id) FROM orders o WHERE o.id = $1`, id).
		Scan(&status, &shipments)
	if err != nil {
		t.Fatal(err)
	}
	return status, shipments
}

func TestOrderIsShippedOnceHoweverOftenTheMessageComes(t *testing.T) {
	s := newShop(t)
	in := s.order(t, "confirmed")
	var all sync.WaitGroup
	for range 6 {
		k := &shipper{s.Pool(t, "shipping")}
		all.Go(func() {
			if err := k.handle(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if status, n := s.shipped(t, in.Order.ID); status != "shipped" || n != 1 {
		t.Errorf("status is %s, %d shipments", status, n)
	}
	var number string
	err := s.admin.QueryRow(t.Context(), "SELECT tracking FROM shipments").Scan(&number)
	if err != nil || number != tracking(in.Order.ID) {
		t.Errorf("tracking is %s (%v)", number, err)
	}
}

func TestOrderThatIsNotConfirmedIsNotShipped(t *testing.T) {
	s := newShop(t)
	k := &shipper{s.Pool(t, "shipping")}
	for _, status := range []string{"placed", "declined"} {
		in := s.order(t, status)
		if err := k.handle(t.Context(), in); err == nil || !strings.Contains(err.Error(), status) {
			t.Errorf("%s: error is %v", status, err)
		}
		if got, n := s.shipped(t, in.Order.ID); got != status || n != 0 {
			t.Errorf("status is %s, %d shipments", got, n)
		}
	}
	if err := k.handle(t.Context(), placed(uuid.NewString())); err == nil {
		t.Error("an order that does not exist was shipped")
	}
	other := s.order(t, "confirmed")
	other.Kind = messages.PaymentReceipt
	if err := k.handle(t.Context(), other); err == nil {
		t.Error("a receipt ships an order")
	}
}

func TestShipperThatDiesLeavesNothingHalf(t *testing.T) {
	s := newShop(t)
	in := s.order(t, "confirmed")
	s.exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''the task died''; END'`)
	s.exec(t, `CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION fail()`)
	k := &shipper{s.Pool(t, "shipping")}
	if err := k.handle(t.Context(), in); err == nil {
		t.Error("no error")
	}
	if status, n := s.shipped(t, in.Order.ID); status != "confirmed" || n != 0 {
		t.Errorf("status is %s, %d shipments", status, n)
	}
	s.exec(t, "DROP FUNCTION fail CASCADE")
	if err := k.handle(t.Context(), in); err != nil {
		t.Error(err)
	}
	if status, n := s.shipped(t, in.Order.ID); status != "shipped" || n != 1 {
		t.Errorf("status is %s, %d shipments", status, n)
	}
}

func TestTrackingNumbersDiffer(t *testing.T) {
	a, b := tracking(uuid.NewString()), tracking(uuid.NewString())
	if a == b || len(a) != len("SHP")+16 {
		t.Errorf("tracking numbers are %s, %s", a, b)
	}
}

// The whole service: an order, a message that is none, the end.
func TestService(t *testing.T) {
	s := newShop(t)
	in := s.order(t, "confirmed")
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cloud := servicetest.NewAWS(t, http.NotFoundHandler(), "poison", string(body))
	environment := servicetest.Environment("shipping", cloud.URL)
	servicetest.WithDatabase(environment, s.Config("shipping"))
	environment["QUEUE_TO_SHIP_URL"] = cloud.URL + "/111122223333/to-ship"
	p := servicetest.Start(t, environment)
	p.Await(t, "/readyz", 200)
	for deadline := time.Now().Add(20 * time.Second); len(cloud.Deleted()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no message is deleted")
		}
	}
	if deleted := cloud.Deleted(); len(deleted) != 1 || deleted[0] != string(body) {
		t.Errorf("deleted are %v", deleted)
	}
	if status, n := s.shipped(t, in.Order.ID); status != "shipped" || n != 1 {
		t.Errorf("status is %s, %d shipments", status, n)
	}
	if code := p.Stop(t); code != 0 {
		t.Errorf("it ends with %d, not 0", code)
	}
	if lines := p.Lines(`"message failed"`); len(lines) != 1 {
		t.Errorf("failures are %v: want that of the poison", lines)
	}
}

func TestConfigurationIsRefusedAllAtOnce(t *testing.T) {
	said := servicetest.Refused(t, map[string]string{"SERVICE_NAME": "shipping", "AWS_REGION": "eu-west-1"})
	for _, name := range []string{"DATABASE_SHOP_HOST", "DATABASE_SHOP_USER", "QUEUE_TO_SHIP_URL"} {
		if !strings.Contains(said, name) {
			t.Errorf("it does not name %s: %s", name, said)
		}
	}
}
