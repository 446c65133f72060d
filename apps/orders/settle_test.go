package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"shop/internal/database/databasetest"
	"shop/internal/messages"
)

func (s *shop) status(t *testing.T, id string) (status string) {
	t.Helper()
	if err := s.admin.QueryRow(t.Context(), "SELECT status FROM orders WHERE id = $1", id).Scan(&status); err != nil {
		t.Fatal(err)
	}
	return status
}

// settleOne settles what is due and fails the test on an error.
func (k *task) settleOne(t *testing.T) (worked bool) {
	t.Helper()
	worked, err := k.settler.next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return worked
}

// due makes an order due now, whatever lease or retry it waits for.
func (s *shop) due(t *testing.T, id string) {
	t.Helper()
	s.exec(t, "UPDATE orders SET next_attempt_at = now() WHERE id = $1", id)
}

func TestApprovedOrderIsConfirmedAndAnnounced(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", request{"a@b.example", []requestLine{{"tea-pot", 2}, {"oak-desk", 1}}, "card"}).order
	if !k.settleOne(t) || k.settleOne(t) {
		t.Error("want one order to be due, and no other")
	}
	want := []payment{{o.ID, "a@b.example", 32700, "EUR", "card"}}
	if diff := cmp.Diff(want, s.acquirer.calls()); diff != "" {
		t.Error(diff)
	}
	got := k.get(t, o.ID, o.Token).order
	if got.Status != confirmed || len(got.History) != 2 || got.History[1].Event != confirmed {
		t.Errorf("status is %s, history %v", got.Status, got.History)
	}
	if n := s.stock(t, "oak-desk"); n != 9999 {
		t.Errorf("stock is %d, not 9999", n)
	}
	if n := s.number(t, "SELECT count(*) FROM orders WHERE payment_id = 'pay_' || id"); n != 1 {
		t.Error("the payment's id is not kept")
	}

	if n, err := k.relay.publish(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p := s.topic.taken()[0]
	expected := published{
		messages.Message{Kind: messages.OrderPlaced, At: got.History[1].At, Order: messages.Order{
			ID: o.ID, Email: o.Email, Lines: o.Lines, Total: o.Total,
		}},
		map[string]string{"kind": "order-placed", "request_id": "request-of-key-of-ann"},
	}
	if diff := cmp.Diff(expected, p, cmpopts.IgnoreFields(messages.Message{}, "ID")); diff != "" {
		t.Error(diff)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDeclinedOrderGivesItsStockBack(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", request{"a@b.example", []requestLine{{"tea-pot", 2}, {"oak-desk", 1}}, "card-declined"}).order
	k.settleOne(t)
	got := k.get(t, o.ID, o.Token).order
	if got.Status != declined || len(got.History) != 2 || got.History[1].Event != declined {
		t.Errorf("status is %s, history %v", got.Status, got.History)
	}
	if desks, pots := s.stock(t, "oak-desk"), s.stock(t, "tea-pot"); desks != 10000 || pots != 10000 {
		t.Errorf("stock is %d, %d: want 10000 each", desks, pots)
	}
	if n := s.number(t, "SELECT count(*) FROM outbox"); n != 0 {
		t.Errorf("%d are announced", n)
	}
}

func TestHistoryHasMailAndShipment(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", desks(1)).order
	k.settleOne(t)
	s.exec(t, `INSERT INTO mails (key, order_id, kind, mailed_at) VALUES
		('a', $1, 'order-confirmation', now() + interval '1 min'), ('b', $1, 'payment-receipt', now())`, o.ID)
	s.exec(t, "INSERT INTO shipments (order_id, tracking, shipped_at) VALUES ($1, 'T', now() + interval '2 min')", o.ID)
	s.exec(t, "UPDATE orders SET status = 'shipped' WHERE id = $1", o.ID)
	var events []string
	for _, e := range k.get(t, o.ID, o.Token).order.History {
		events = append(events, e.Event)
	}
	if diff := cmp.Diff([]string{placed, confirmed, mailed, shipped}, events); diff != "" {
		t.Error(diff)
	}
}

func TestOrderWaitsWhilePaymentsHasNoClearAnswer(t *testing.T) {
	tests := map[string]func(http.ResponseWriter){
		"unavailable":       func(w http.ResponseWriter) { w.WriteHeader(503) },
		"refused":           func(w http.ResponseWriter) { w.WriteHeader(422) },
		"not found":         func(w http.ResponseWriter) { w.WriteHeader(404) },
		"no JSON":           func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") },
		"no payment":        func(w http.ResponseWriter) { fmt.Fprint(w, `{"status":"approved"}`) },
		"neither yes or no": func(w http.ResponseWriter) { fmt.Fprint(w, `{"payment":"p","status":"pending"}`) },
		"cut off":           func(w http.ResponseWriter) { w.Header().Set("Content-Length", "100"); fmt.Fprint(w, `{"pay`) },
		"sent elsewhere":    func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(302) },
	}
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", desks(1)).order
	for name, say := range tests {
		t.Run(name, func(t *testing.T) {
			s.due(t, o.ID)
			s.acquirer.answers(func(_ int, w http.ResponseWriter) bool { say(w); return true })
			if _, err := k.settler.next(t.Context()); err == nil {
				t.Error("no error")
			}
			if got := s.status(t, o.ID); got != placed {
				t.Errorf("status is %s", got)
			}
			if n := s.number(t, "SELECT count(*) FROM orders WHERE next_attempt_at > now() + interval '500 ms'"); n != 1 {
				t.Error("the order is due again at once")
			}
		})
	}
	s.acquirer.answers(nil)
	s.due(t, o.ID)
	k.settleOne(t)
	if got := s.status(t, o.ID); got != confirmed {
		t.Errorf("after it status is %s", got)
	}
}

func TestRetriesOfAnOrderBecomeRare(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	s.acquirer.answers(func(_ int, w http.ResponseWriter) bool { w.WriteHeader(500); return true })
	o := k.post(t, "key-of-ann", desks(1)).order
	for i, most := range []int{3, 6, 12, 24} {
		s.due(t, o.ID)
		if _, err := k.settler.next(t.Context()); err == nil {
			t.Fatal("no error")
		}
		wait := s.number(t, "SELECT extract(epoch FROM next_attempt_at - now())::int FROM orders")
		if wait > most || wait < most/4 {
			t.Errorf("after attempt %d it waits %d s: want %d to %d", i+1, wait, most/3, most)
		}
	}
}

// The answer of payments is lost: the customer has paid, the order does not know.
func TestLostAnswerIsAskedForAgainWithTheSameKey(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	s.acquirer.answers(func(n int, _ http.ResponseWriter) bool {
		if n == 1 {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	o := k.post(t, "key-of-ann", desks(1)).order
	if _, err := k.settler.next(t.Context()); err == nil {
		t.Error("no error")
	}
	s.due(t, o.ID)
	k.settleOne(t)
	if calls := s.acquirer.calls(); len(calls) != 2 || calls[0] != calls[1] {
		t.Errorf("payments was asked %v", calls)
	}
	if got := s.status(t, o.ID); got != confirmed {
		t.Errorf("status is %s", got)
	}
}

// A task dies at each point between taking up an order and having settled it. Another one goes on when the lease is over.
func TestOrderSurvivesTheTaskThatTookItUp(t *testing.T) {
	approve := receipt{Payment: "pay_1", Status: paymentApproved}
	tests := map[string]struct {
		card string
		die  func(t *testing.T, s *shop, k *task, d *due)
	}{
		"before the call": {"card", func(*testing.T, *shop, *task, *due) {}},
		"after the call": {"card", func(t *testing.T, _ *shop, k *task, d *due) {
			if _, err := k.settler.payments.pay(t.Context(), d.payment); err != nil {
				t.Error(err)
			}
		}},
		"before confirming": {"card", func(t *testing.T, s *shop, k *task, d *due) { s.dying(t, d, k.store.confirm) }},
		"before declining":  {"card-declined", func(t *testing.T, s *shop, k *task, d *due) { s.dying(t, d, k.store.decline) }},
		"after confirming": {"card", func(t *testing.T, _ *shop, k *task, d *due) {
			if _, err := k.store.confirm(t.Context(), d, approve.Payment); err != nil {
				t.Error(err)
			}
		}},
		"after declining": {"card-declined", func(t *testing.T, _ *shop, k *task, d *due) {
			if _, err := k.store.decline(t.Context(), d, approve.Payment); err != nil {
				t.Error(err)
			}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			one, other := s.task(t), s.task(t)
			in := desks(1)
			in.Payment = test.card
			o := one.post(t, "key-of-ann", in).order
			d, err := one.store.take(t.Context())
			if err != nil || d == nil {
				t.Fatal(d, err)
			}
			test.die(t, s, one, d)
			one.pool.Close()

			if other.settleOne(t) {
				t.Error("the order is taken up while the lease lasts")
			}
			s.due(t, o.ID) // the lease is over
			other.settleOne(t)
			want, stock, announced := confirmed, 9999, 1
			if test.card != "card" {
				want, stock, announced = declined, 10000, 0
			}
			if got := s.status(t, o.ID); got != want {
				t.Errorf("status is %s, not %s", got, want)
			}
			if n := s.stock(t, "oak-desk"); n != stock {
				t.Errorf("stock is %d, not %d", n, stock)
			}
			if n := s.number(t, "SELECT count(*) FROM outbox"); n != announced {
				t.Errorf("announced %d times, not %d", n, announced)
			}
		})
	}
}

// dying settles an order, and dies when all is written but the commit.
func (s *shop) dying(t *testing.T, d *due, settle func(context.Context, *due, string) (bool, error)) {
	t.Helper()
	mend := s.commitsFail(t, "orders")
	if _, err := settle(t.Context(), d, "pay_1"); err == nil {
		t.Error("it settled the order")
	}
	mend()
}

// Two tasks hold the same order, because the first took longer than its lease.
func TestOrderIsSettledOnceHoweverManySettleIt(t *testing.T) {
	for _, card := range []string{"card", "card-declined"} {
		t.Run(card, func(t *testing.T) {
			s := newShop(t)
			tasks := []*task{s.task(t), s.task(t), s.task(t)}
			in := desks(1)
			in.Payment = card
			o := tasks[0].post(t, "key-of-ann", in).order
			var mu sync.Mutex
			firsts := 0
			var all sync.WaitGroup
			var taken []*due
			for _, k := range tasks {
				s.due(t, o.ID)
				d, err := k.store.take(t.Context())
				if err != nil || d == nil {
					t.Fatal(d, err)
				}
				taken = append(taken, d)
			}
			for i, k := range tasks {
				all.Go(func() {
					settle := k.store.confirm
					if card != "card" {
						settle = k.store.decline
					}
					first, err := settle(t.Context(), taken[i], "pay_1")
					if err != nil {
						t.Error(err)
					}
					if first {
						mu.Lock()
						firsts++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			if firsts != 1 {
				t.Errorf("%d were the first", firsts)
			}
			if n := s.number(t, "SELECT count(*) FROM outbox"); (card == "card") != (n == 1) {
				t.Errorf("%d are announced", n)
			}
			if n := s.stock(t, "oak-desk"); card != "card" && n != 10000 {
				t.Errorf("stock is %d: it was given back more than once", n)
			}
		})
	}
}

func TestTasksTogetherSettleEveryOrderOnceAndAnnounceIt(t *testing.T) {
	s := newShop(t)
	const n = 60
	tasks := []*task{s.task(t), s.task(t)}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			in := request{"a@b.example", []requestLine{{"tea-pot", 1}, {"oak-desk", 1}}, "card"}
			if i%3 == 0 {
				in.Payment = "card-declined"
			}
			if a := tasks[i%2].post(t, fmt.Sprint("key-number-", i), in); a.Code != 201 {
				t.Errorf("%d %s", a.Code, a.Body)
			}
		})
	}
	all.Wait()
	for _, k := range tasks {
		k.run(t)
	}
	eventually(t, "settling and announcing all", func() bool {
		return s.number(t, "SELECT count(*) FROM orders WHERE status = 'placed'") == 0 &&
			s.number(t, "SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0
	})
	if got := len(s.acquirer.calls()); got != n {
		t.Errorf("payments was asked %d times for %d orders", got, n)
	}
	if stock := s.stock(t, "oak-desk"); stock != 10000-n*2/3 {
		t.Errorf("stock is %d, not %d", stock, 10000-n*2/3)
	}
	ids := map[string]int{}
	for _, p := range s.topic.taken() {
		ids[p.Order.ID]++
	}
	if len(ids) != n*2/3 || len(s.topic.taken()) != n*2/3 {
		t.Errorf("%d messages of %d orders: want %d of each", len(s.topic.taken()), len(ids), n*2/3)
	}
	if d := s.number(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); d != 0 {
		t.Errorf("there were %d deadlocks", d)
	}
}

func TestNewOrderIsSettledAtOnce(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	k.run(t)
	time.Sleep(100 * time.Millisecond) // the loops wait now
	start := time.Now()
	o := k.post(t, "key-of-ann", desks(1)).order
	eventually(t, "announcing", func() bool { return len(s.topic.taken()) == 1 })
	if d := time.Since(start); d > interval/2 {
		t.Errorf("it took %s: nobody was woken", d)
	}
	if got := s.status(t, o.ID); got != confirmed {
		t.Errorf("status is %s", got)
	}
}

func TestEndFinishesTheOrderInHandAndTakesNoOther(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	asked := make(chan bool)
	s.acquirer.answers(func(int, http.ResponseWriter) bool {
		asked <- true
		time.Sleep(300 * time.Millisecond)
		return false
	})
	for i := range hands + 3 {
		k.post(t, fmt.Sprint("key-number-", i), desks(1))
	}
	stop := k.run(t)
	for range hands {
		<-asked
	}
	stop()
	if n := s.number(t, "SELECT count(*) FROM orders WHERE status = 'confirmed'"); n != hands {
		t.Errorf("%d are confirmed: want the %d in hand", n, hands)
	}
	if n := s.number(t, "SELECT count(*) FROM orders WHERE attempts = 0"); n != 3 {
		t.Errorf("%d were not taken up: want 3", n)
	}
}

func TestLoopsSurviveTheDatabase(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	k.run(t)
	databasetest.Stop(t)
	time.Sleep(time.Second)
	databasetest.Start(t)
	var o order
	eventually(t, "placing an order", func() bool {
		a := k.post(t, "key-of-ann", desks(1))
		o = a.order
		return a.Code == 201
	})
	eventually(t, "announcing", func() bool { return len(s.topic.taken()) == 1 })
	if got := s.status(t, o.ID); got != confirmed {
		t.Errorf("status is %s", got)
	}
}

// While payments is away a task does not try one order after the other without a pause.
func TestSettlingSlowsDownWhilePaymentsIsAway(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	s.acquirer.answers(func(_ int, w http.ResponseWriter) bool { w.WriteHeader(503); return true })
	for i := range 50 {
		k.post(t, fmt.Sprint("key-number-", i), desks(1))
	}
	stop := k.run(t)
	time.Sleep(time.Second)
	stop()
	if n := len(s.acquirer.calls()); n < hands || n > 3*hands {
		t.Errorf("payments was asked %d times in a second: want %d to %d", n, hands, 3*hands)
	}
}

func TestAddressesAreNotInErrors(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	s.acquirer.Close()
	_, err := k.settler.payments.pay(t.Context(), payment{Order: "o", Email: "a@b.example"})
	if err == nil || strings.Contains(err.Error(), "a@b.example") {
		t.Errorf("error is %v", err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("it waited")
	}
}
