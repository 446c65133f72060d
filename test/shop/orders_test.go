package shop_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

func TestABrowserOrdersThroughThePage(t *testing.T) {
	w := begin(t)
	done, err := w.Browse(t.Context(), "")
	must(t, err)
	w.mustHaveOneOfEach(t, order{ID: done.ID})
	t.Logf("order %s: confirmed, mailed and shipped in %.0f s", done.ID, done.Seconds)
}

// An API's refusal reaches the client as it is, while a page of the application is index.html.
func TestThePageAndTheServicesShareOneName(t *testing.T) {
	w := begin(t)
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		"/":                             {http.StatusOK, "text/html; charset=utf-8"},
		"/orders/some-order":            {http.StatusOK, "text/html; charset=utf-8"},
		"/api/catalog/products":         {http.StatusOK, "application/json"},
		"/api/catalog/products/missing": {http.StatusNotFound, "application/problem+json"},
		"/api/orders/missing":           {http.StatusUnauthorized, "application/problem+json"},
		"/missing.png":                  {http.StatusForbidden, "application/xml"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.Emulator.SiteURL()+path, nil)
		must(t, err)
		response, err := client.Do(request)
		must(t, err)
		response.Body.Close()
		if kind := response.Header.Get("Content-Type"); response.StatusCode != want.status || kind != want.kind {
			t.Errorf("%s: %d %s, want %d %s", path, response.StatusCode, kind, want.status, want.kind)
		}
	}
}

// Buyers keep ordering, each once, while the service is killed under them.
func TestNoOrderIsLostOrDoubledWhenTasksDie(t *testing.T) {
	w := begin(t)
	const buyers, kills = 40, 3
	before := w.stock(t)
	orders := w.crowd(t, buyers, 250*time.Millisecond, func() {
		for range kills {
			time.Sleep(2 * time.Second)
			w.kill(t, "orders")
			within(t, 2*time.Minute, func() error { return w.answers(t.Context()) })
		}
	})
	for _, o := range orders {
		w.finish(t, o)
		w.mustHaveOneOfEach(t, o)
	}
	w.mustBeDistinct(t, orders, buyers, before)
}

// Ten seconds without the database: orders are refused at once with the hint to come again, no task is replaced for it, and
// what was begun is carried on.
func TestTheDatabaseIsAwayForTenSeconds(t *testing.T) {
	w := begin(t)
	const buyers = 20
	before, tasks := w.stock(t), w.taskARNs(t)
	database := rds.NewFromConfig(w.Config())
	name := aws.String(w.Cluster() + "-shop")
	orders := w.crowd(t, buyers, 500*time.Millisecond, func() {
		time.Sleep(2 * time.Second)
		_, err := database.StopDBInstance(t.Context(), &rds.StopDBInstanceInput{DBInstanceIdentifier: name})
		must(t, err)
		var refused refusal
		within(t, 10*time.Second, func() error {
			_, err := w.place(t.Context(), "while-away-"+w.key(t))
			if !errors.As(err, &refused) || refused.status != http.StatusServiceUnavailable {
				return fmt.Errorf("an order without a database: %w, want a 503", err)
			}
			return nil
		})
		if refused.retryAfter == "" {
			t.Errorf("the refusal does not say when to come again: %v", refused)
		}
		time.Sleep(10 * time.Second)
		_, err = database.StartDBInstance(t.Context(), &rds.StartDBInstanceInput{DBInstanceIdentifier: name})
		must(t, err)
	})
	for _, o := range orders {
		w.finish(t, o)
		w.mustHaveOneOfEach(t, o)
	}
	w.mustBeDistinct(t, orders, buyers, before)
	if after := w.taskARNs(t); !slices.Equal(tasks, after) {
		t.Errorf("tasks were replaced: %v, then %v", tasks, after)
	}
}

// crowd lets buyers order one after the other, each with a key of its own that it keeps until its order is taken, while
// something happens.
func (w *world) crowd(t *testing.T, buyers int, pause time.Duration, happen func()) []order {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	orders := make([]order, buyers)
	var all sync.WaitGroup
	for i := range buyers {
		all.Go(func() {
			time.Sleep(time.Duration(i) * pause)
			orders[i], _ = w.insist(ctx, fmt.Sprintf("%s-%d", w.key(t), i))
		})
	}
	happen()
	all.Wait()
	must(t, ctx.Err())
	return orders
}

// answers tells whether orders can be asked for.
func (w *world) answers(ctx context.Context) error {
	var refused refusal
	err := w.call(ctx, http.MethodGet, "/api/orders/any", nil, nil, nil)
	if errors.As(err, &refused) && refused.status == http.StatusUnauthorized {
		return nil
	}
	return err
}

// mustBeDistinct fails unless every buyer has an order of its own, the database knows no other for them, and the stock says
// the same.
func (w *world) mustBeDistinct(t *testing.T, orders []order, buyers, stockBefore int) {
	t.Helper()
	ids := map[string]bool{}
	for _, o := range orders {
		ids[o.ID] = true
	}
	if len(ids) != buyers {
		t.Errorf("%d buyers have %d orders", buyers, len(ids))
	}
	known := w.count(t, "SELECT count(*) FROM orders WHERE idempotency_key LIKE $1", w.key(t)+"-%")
	if known != buyers {
		t.Errorf("the database has %d orders of %d buyers", known, buyers)
	}
	paid := w.count(t, "SELECT count(DISTINCT payment_id) FROM orders WHERE id = ANY($1)", slices.Collect(maps.Keys(ids)))
	if paid != buyers {
		t.Errorf("%d buyers have %d payments", buyers, paid)
	}
	if left := w.stock(t); left != stockBefore-buyers {
		t.Errorf("%d of %d mugs are left after %d were sold", left, stockBefore, buyers)
	}
}

// taskARNs are those of all services.
func (w *world) taskARNs(t *testing.T) []string {
	t.Helper()
	var arns []string
	for _, service := range []string{"catalog", "orders", "payments", "mailer", "shipping"} {
		tasks, err := w.Tasks(t.Context(), service)
		must(t, err)
		for _, task := range tasks {
			arns = append(arns, *task.TaskArn)
		}
	}
	slices.Sort(arns)
	return arns
}
