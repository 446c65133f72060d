package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"shop/internal/database/databasetest"
	"shop/internal/messages"
	"shop/internal/web"
)

func TestOrderIsPlacedAndStockTaken(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	a := k.post(t, "key-of-ann", request{"a@b.example", []requestLine{{"tea-pot", 2}, {"oak-desk", 1}}, "card"})
	if a.Code != 201 {
		t.Fatalf("%d: %s", a.Code, a.Body)
	}
	want := order{
		ID: a.order.ID, Status: placed, Email: "a@b.example", Token: a.order.Token,
		Lines: []messages.Line{
			{Product: "oak-desk", Name: "Oak desk", Quantity: 1, Price: messages.Money{Amount: 24900, Currency: "EUR"}},
			{Product: "tea-pot", Name: "Tea pot", Quantity: 2, Price: messages.Money{Amount: 3900, Currency: "EUR"}},
		},
		Total:   messages.Money{Amount: 32700, Currency: "EUR"},
		History: []event{{Event: placed}},
	}
	if diff := cmp.Diff(want, a.order, cmpopts.IgnoreFields(event{}, "At")); diff != "" {
		t.Error(diff)
	}
	if _, err := uuid.Parse(a.order.ID); err != nil || a.order.Token == "" {
		t.Errorf("id is %q, token is %q", a.order.ID, a.order.Token)
	}
	if got := a.Header().Get("Location"); got != "/api/orders/"+a.order.ID {
		t.Errorf("Location is %q", got)
	}
	if got := a.Header().Get("Idempotent-Replayed"); got != "" {
		t.Errorf("Idempotent-Replayed is %q for a new order", got)
	}
	if desks, pots := s.stock(t, "oak-desk"), s.stock(t, "tea-pot"); desks != 9999 || pots != 9998 {
		t.Errorf("stock is %d, %d: want 9999, 9998", desks, pots)
	}

	got := k.get(t, a.order.ID, a.order.Token)
	want = a.order
	want.Token = ""
	if diff := cmp.Diff(want, got.order); got.Code != 200 || diff != "" {
		t.Errorf("%d %s", got.Code, diff)
	}
	if got.Header().Get("Cache-Control") != "no-store" {
		t.Error("the answer may be cached")
	}
}

func TestTheSameKeyIsTheSameOrder(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	both := request{"a@b.example", []requestLine{{"tea-pot", 2}, {"oak-desk", 1}}, "card"}
	first := k.post(t, "key-of-ann", both)
	both.Lines[0], both.Lines[1] = both.Lines[1], both.Lines[0]
	again := k.post(t, "key-of-ann", both)
	if again.Code != 201 || again.Header().Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d, Idempotent-Replayed: %q", again.Code, again.Header().Get("Idempotent-Replayed"))
	}
	if diff := cmp.Diff(first.order, again.order); diff != "" {
		t.Error(diff)
	}
	if n := s.stock(t, "oak-desk"); n != 9999 {
		t.Errorf("stock is %d: it was taken twice", n)
	}
	if other := k.post(t, "key-of-ann", desks(2)); other.Code != 409 || len(other.problem.Errors) != 0 {
		t.Errorf("another content: %d %s", other.Code, other.Body)
	}
}

// Ten requests with one key at once, at two tasks, for the last of a product: whoever comes second must find the first's order,
// not an empty shelf.
func TestTheSameKeyAtOnceIsOneOrder(t *testing.T) {
	s := newShop(t)
	s.exec(t, "UPDATE products SET stock = 1 WHERE id = 'oak-desk'")
	tasks := []*task{s.task(t), s.task(t)}
	for round := range 5 {
		s.exec(t, "UPDATE products SET stock = 1 WHERE id = 'oak-desk'")
		answers := make([]answer, 10)
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = tasks[i%2].post(t, fmt.Sprint("key-number-", round), desks(1)) })
		}
		all.Wait()
		replayed := 0
		for _, a := range answers {
			if a.Code != 201 || a.order.ID != answers[0].order.ID || a.order.Token != answers[0].order.Token {
				t.Errorf("%d %s: want the order %s", a.Code, a.Body, answers[0].order.ID)
			}
			if a.Header().Get("Idempotent-Replayed") == "true" {
				replayed++
			}
		}
		if replayed != 9 {
			t.Errorf("%d are replayed: want all but one", replayed)
		}
	}
	if n := s.number(t, "SELECT count(*) FROM orders"); n != 5 {
		t.Errorf("there are %d orders, not 5", n)
	}
}

func TestStockIsNeverOversold(t *testing.T) {
	s := newShop(t)
	s.exec(t, "UPDATE products SET stock = 20 WHERE id IN ('oak-desk', 'tea-pot', 'desk-lamp')")
	tasks := []*task{s.task(t), s.task(t)}
	orders := [][]requestLine{ // in every order, so that they would wait for each other in a circle
		{{"oak-desk", 1}, {"tea-pot", 1}, {"desk-lamp", 1}},
		{{"tea-pot", 1}, {"desk-lamp", 1}, {"oak-desk", 1}},
		{{"desk-lamp", 1}, {"oak-desk", 1}, {"tea-pot", 1}},
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for i := range 60 {
		all.Go(func() {
			a := tasks[i%2].post(t, fmt.Sprint("key-number-", i), request{"a@b.example", orders[i%3], "card"})
			mu.Lock()
			defer mu.Unlock()
			codes[a.Code]++
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[int]int{201: 20, 409: 40}, codes); diff != "" {
		t.Error(diff)
	}
	for _, product := range []string{"oak-desk", "tea-pot", "desk-lamp"} {
		if n := s.stock(t, product); n != 0 {
			t.Errorf("stock of %s is %d, not 0", product, n)
		}
	}
	if n := s.number(t, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"); n != 0 {
		t.Errorf("there were %d deadlocks", n)
	}
	if n := s.number(t, "SELECT count(*) FROM orders"); n != 20 {
		t.Errorf("there are %d orders, not 20: those without stock must leave nothing", n)
	}
}

func TestNotEnoughSaysOfWhat(t *testing.T) {
	s := newShop(t)
	s.exec(t, "UPDATE products SET stock = 3 WHERE id IN ('oak-desk', 'tea-pot')")
	k := s.task(t)
	a := k.post(t, "key-of-ann", request{"a@b.example", []requestLine{{"tea-pot", 4}, {"desk-lamp", 1}, {"oak-desk", 5}}, "card"})
	if a.Code != 409 || !strings.Contains(a.problem.Detail, "Oak desk, Tea pot") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	want := []web.FieldError{
		{Field: "lines[2].quantity", Detail: "only 3 are left"},
		{Field: "lines[0].quantity", Detail: "only 3 are left"},
	}
	if diff := cmp.Diff(want, a.problem.Errors); diff != "" {
		t.Error(diff)
	}
	if n := s.stock(t, "desk-lamp"); n != 10000 {
		t.Errorf("stock of what there is enough of is %d", n)
	}
	if a := k.post(t, "key-of-ann", desks(3)); a.Code != 201 {
		t.Errorf("the key of an order that was refused is used up: %d", a.Code)
	}
}

func TestWhatCannotBeSoldIsNamed(t *testing.T) {
	s := newShop(t)
	s.exec(t, "UPDATE products SET currency = 'SEK' WHERE id = 'tea-pot'")
	a := s.task(t).post(t, "key-of-ann", request{"a@b.example", []requestLine{{"tea-pot", 1}, {"oak-desk", 1}, {"moon", 1}}, "card"})
	want := []web.FieldError{
		{Field: "lines[2].product", Detail: "there is no such product"},
		{Field: "lines[0].product", Detail: "is sold in SEK and another product in EUR: order them apart"},
	}
	if diff := cmp.Diff(want, a.problem.Errors); a.Code != 422 || diff != "" {
		t.Errorf("%d %s", a.Code, diff)
	}
}

func TestBadRequests(t *testing.T) {
	k := newShop(t).task(t)
	good, err := json.Marshal(desks(1))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key, kind, body string
		want            int
	}{
		"no key":               {"", "application/json", string(good), 400},
		"short key":            {"1234567", "application/json", string(good), 400},
		"long key":             {strings.Repeat("k", 129), "application/json", string(good), 400},
		"key with a space":     {"key of ann", "application/json", string(good), 400},
		"key beyond ASCII":     {"key-of-änn", "application/json", string(good), 400},
		"form":                 {"key-of-ann", "application/x-www-form-urlencoded", "a=b", 415},
		"no JSON":              {"key-of-ann", "application/json", "{", 400},
		"too large":            {"key-of-ann", "application/json", `{"email":"` + strings.Repeat("a", 64<<10) + `"}`, 413},
		"empty":                {"key-of-ann", "application/json", "{}", 422},
		"unknown field":        {"key-of-ann", "application/json", `{"coupon":"free"}`, 422},
		"quantity of no whole": {"key-of-ann", "application/json", `{"lines":[{"product":"a","quantity":1.5}]}`, 422},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/api/orders", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.kind)
			if test.key != "" {
				r.Header.Set("Idempotency-Key", test.key)
			}
			if a := k.ask(t, r); a.Code != test.want {
				t.Errorf("%d, want %d: %s", a.Code, test.want, a.Body)
			}
		})
	}
}

func TestOrderOpensWithItsTokenOnly(t *testing.T) {
	k := newShop(t).task(t)
	ann, bob := k.post(t, "key-of-ann", desks(1)).order, k.post(t, "key-of-bob", desks(1)).order
	absent := uuid.NewString()
	tests := map[string]struct {
		id, authorization string
		want              int
	}{
		"its own":           {ann.ID, "Bearer " + ann.Token, 200},
		"lower case":        {ann.ID, "bearer " + ann.Token, 200},
		"none":              {ann.ID, "", 401},
		"another scheme":    {ann.ID, "Basic " + ann.Token, 401},
		"no token":          {ann.ID, "Bearer nonsense", 401},
		"cut off":           {ann.ID, "Bearer " + ann.Token[:40], 401},
		"another's":         {ann.ID, "Bearer " + bob.Token, 404},
		"no such order":     {absent, "Bearer " + ann.Token, 404},
		"no id":             {"1", "Bearer " + ann.Token, 404},
		"id in capitals":    {strings.ToUpper(ann.ID), "Bearer " + ann.Token, 404},
		"id with a zero in": {"%00", "Bearer " + ann.Token, 404},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/api/orders/"+test.id, nil)
			if test.authorization != "" {
				r.Header.Set("Authorization", test.authorization)
			}
			a := k.ask(t, r)
			if a.Code != test.want {
				t.Errorf("%d, want %d: %s", a.Code, test.want, a.Body)
			}
			if asks := a.Header().Get("WWW-Authenticate") != ""; asks != (test.want == 401) {
				t.Errorf("WWW-Authenticate is %q", a.Header().Get("WWW-Authenticate"))
			}
		})
	}
}

// A signed token of an order that is gone.
func TestTokenOfAnOrderThatIsGone(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", desks(1)).order
	s.exec(t, "DELETE FROM order_lines")
	s.exec(t, "DELETE FROM orders")
	if a := k.get(t, o.ID, o.Token); a.Code != 404 {
		t.Errorf("%d, want 404", a.Code)
	}
}

func TestTokenLapsesWithTheSecondRotation(t *testing.T) {
	s := newShop(t)
	before := s.task(t)
	o := before.post(t, "key-of-ann", desks(1)).order
	s.vault.rotate("key two")
	after := s.task(t)
	if a := after.get(t, o.ID, o.Token); a.Code != 200 {
		t.Errorf("by the previous secret: %d, want 200", a.Code)
	}
	again := after.post(t, "key-of-ann", desks(1))
	if again.order.Token == o.Token || again.order.ID != o.ID {
		t.Error("a replayed order must have a token by the current secret")
	}
	s.vault.rotate("key three")
	last := s.task(t)
	if a := last.get(t, o.ID, o.Token); a.Code != 404 {
		t.Errorf("by the secret before the previous one: %d, want 404", a.Code)
	}
	if a := last.get(t, o.ID, again.order.Token); a.Code != 200 {
		t.Errorf("by the previous secret: %d, want 200", a.Code)
	}
}

// The first task has read the secret before the rotation, the second after it.
func TestTokenOfATaskThatKnowsOfARotationFirst(t *testing.T) {
	s := newShop(t)
	slow, quick := s.task(t), s.task(t)
	slow.post(t, "key-of-ann", desks(1))
	s.vault.rotate("key two")
	s.vault.rotate("key three")
	o := quick.post(t, "key-of-bob", desks(1)).order
	eventually(t, "reading the secret again", func() bool { return slow.get(t, o.ID, o.Token).Code == 200 })
}

func TestWithoutTheSecretNothingIsPlaced(t *testing.T) {
	s := newShop(t)
	s.vault.err = errors.New("away")
	k := s.task(t)
	token := strings.Repeat("A", 43)
	for name, a := range map[string]answer{"post": k.post(t, "key-of-ann", desks(1)), "get": k.get(t, uuid.NewString(), token)} {
		if a.Code != 503 || a.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After: %q", name, a.Code, a.Header().Get("Retry-After"))
		}
	}
	if n := s.number(t, "SELECT count(*) FROM orders"); n != 0 {
		t.Errorf("%d orders were placed", n)
	}
}

func TestRequestsWhileTheDatabaseIsAwayAndAfter(t *testing.T) {
	s := newShop(t)
	k := s.task(t)
	o := k.post(t, "key-of-ann", desks(1)).order
	databasetest.Stop(t)
	for name, a := range map[string]answer{"post": k.post(t, "key-of-bob", desks(1)), "get": k.get(t, o.ID, o.Token)} {
		if a.Code != 503 || a.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After: %q", name, a.Code, a.Header().Get("Retry-After"))
		}
	}
	databasetest.Start(t)
	if a := k.get(t, o.ID, o.Token); a.Code != 200 {
		t.Errorf("after it: %d", a.Code)
	}
	if a := k.post(t, "key-of-bob", desks(1)); a.Code != 201 {
		t.Errorf("after it: %d", a.Code)
	}
}
