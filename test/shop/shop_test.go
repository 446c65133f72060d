// Package shop_test runs the shop on the emulated platform, as `make up` does, and is hard on it: real containers of the
// images that are built here, a real PostgreSQL, the emulator's queues, a browser. Run it with
//
//	source tools/env.sh && go test -timeout 30m -v ./test/shop
//
// With -short all of it is skipped. Where the machine runs no containers, the same services run as processes, and the tests
// say so. They share one shop and come one after the other: each leaves it as it works.
package shop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-microservices/internal/live"
	"aws-microservices/stacks"
)

var root, _ = filepath.Abs("../..")

// world is the shop that all tests share, and what it is on.
type world struct {
	*live.Sandbox
	dir string
	log *os.File
}

// key begins the keys of a test's orders.
func (w *world) key(t *testing.T) string { return filepath.Base(w.dir) + "-" + t.Name() }

func TestMain(m *testing.M) {
	code := m.Run()
	if !started {
		os.Exit(code) // asked only now, running would start it
	}
	if w, err := running(); err == nil {
		code = w.Close(w.dir, code)
	}
	os.Exit(code)
}

var started bool

// running brings the shop up once.
var running = sync.OnceValues(func() (*world, error) {
	started = true
	dir, err := os.MkdirTemp("", "shop-test-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	if w.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	live.UseMirror(root)
	if err := w.up(context.Background()); err != nil {
		return nil, fmt.Errorf("%w\nlogs: %s", err, dir)
	}
	return w, nil
})

func (w *world) up(ctx context.Context) error {
	var err error
	if w.Sandbox, err = live.OpenSandbox(ctx, root, w.dir, w.log); err != nil {
		return err
	}
	if w.Without != nil {
		fmt.Println(w.Without, "- the services run as processes instead")
	}
	built := make(chan error, 1)
	go func() { built <- w.Build(ctx) }()
	err = w.Bootstrap(ctx)
	if err == nil {
		err = w.Apply(ctx, live.Shared)
	}
	if err := errors.Join(err, <-built); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return w.Push(ctx) },
		func() error { return w.Apply(ctx, stacks.Dev.Name) },
		func() error { return w.Release(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// begin gives a test the shop.
func begin(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test runs the shop on the AWS emulator; run it without -short")
	}
	w, err := running()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// order is what the API answers.
type order struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Token   string `json:"token"`
	History []struct {
		Event string `json:"event"`
	} `json:"history"`
}

// done tells whether nothing more will happen to an order.
func (o order) done() bool {
	var mailed, shipped bool
	for _, h := range o.History {
		mailed = mailed || h.Event == "mailed"
		shipped = shipped || h.Event == "shipped"
	}
	return mailed && shipped
}

// refusal is an answer that is not the wanted one.
type refusal struct {
	status     int
	retryAfter string
	body       string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.body) }

var client = &http.Client{Timeout: 30 * time.Second}

// call sends a request through CloudFront, the load balancer and all, as a browser would.
func (w *world) call(ctx context.Context, method, path string, header map[string]string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, w.Emulator.SiteURL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return refusal{response.StatusCode, response.Header.Get("Retry-After"), strings.TrimSpace(string(text))}
	}
	return json.Unmarshal(text, out)
}

// place orders one coffee mug, once.
func (w *world) place(ctx context.Context, key string) (order, error) {
	var o order
	return o, w.call(ctx, http.MethodPost, "/api/orders", map[string]string{"Idempotency-Key": key}, map[string]any{
		"email": "buyer@example.com", "lines": []map[string]any{{"product": "coffee-mug", "quantity": 1}}, "payment": "card",
	}, &o)
}

// insist orders until an order is taken, as a browser's user would who keeps pressing the button: with the same key.
func (w *world) insist(ctx context.Context, key string) (order, []error) {
	var refused []error
	for {
		o, err := w.place(ctx, key)
		if err == nil || ctx.Err() != nil {
			return o, refused
		}
		refused = append(refused, err)
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// finish waits until an order was mailed and shipped.
func (w *world) finish(t *testing.T, o order) {
	t.Helper()
	within(t, 3*time.Minute, func() error {
		var now order
		header := map[string]string{"Authorization": "Bearer " + o.Token}
		if err := w.call(t.Context(), http.MethodGet, "/api/orders/"+o.ID, header, nil, &now); err != nil {
			return err
		}
		if !now.done() {
			return fmt.Errorf("order %s is %s: %v", now.ID, now.Status, now.History)
		}
		return nil
	})
}

// stock is how many coffee mugs are left.
func (w *world) stock(t *testing.T) int {
	t.Helper()
	var product struct {
		Stock int `json:"stock"`
	}
	must(t, w.call(t.Context(), http.MethodGet, "/api/catalog/products/coffee-mug", nil, nil, &product))
	return product.Stock
}

// within tries until there is no error.
func within(t *testing.T, limit time.Duration, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(500 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still after %s: %v", limit, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
