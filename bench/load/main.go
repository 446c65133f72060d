// Command load puts a steady load on the shop that `make up` runs, from a process of its own, and prints what it saw:
//
//	go run ./bench/load [-rate 20] [-for 3m] [-url http://localhost:8080]
//
// Of ten requests, six read the catalog, two place an order and two look at an order that was placed. In the end it waits until
// every order that was taken is mailed and shipped. It fails where a request fails or an order does not arrive.
//
// The requests are sent by vegeta, which keeps its rate however slow the answers are, so that a slow answer is not left out of
// the figures: https://github.com/tsenart/vegeta
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// settleTime is how long the last orders may take.
const settleTime = 2 * time.Minute

func main() {
	url := flag.String("url", "http://localhost:8080", "where the page is")
	rate := flag.Int("rate", 20, "requests a second")
	duration := flag.Duration("for", 3*time.Minute, "how long")
	flag.Parse()
	if flag.NArg() > 0 || *rate < 1 || *duration < time.Second {
		fmt.Fprintln(os.Stderr, "usage: load [-rate 20] [-for 3m] [-url http://localhost:8080]")
		os.Exit(2)
	}
	if err := run(os.Stdout, *url, *rate, *duration); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(w io.Writer, url string, rate int, duration time.Duration) error {
	l := &load{url: url, key: fmt.Sprint(time.Now().UnixNano())}
	attacker := vegeta.NewAttacker(vegeta.Timeout(30 * time.Second))
	kinds := map[string]*vegeta.Metrics{}
	var total vegeta.Metrics
	for result := range attacker.Attack(l.next, vegeta.ConstantPacer{Freq: rate, Per: time.Second}, duration, "load") {
		kind := kindOf(result)
		if kinds[kind] == nil {
			kinds[kind] = &vegeta.Metrics{}
		}
		kinds[kind].Add(result)
		total.Add(result)
		if kind == place && result.Code == http.StatusCreated {
			if err := l.took(result.Body); err != nil {
				return err
			}
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\trequests\ta second\tp50 ms\tp99 ms\tmax ms\terrors\t")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		row(table, kind, kinds[kind])
	}
	row(table, "all", &total)
	if err := table.Flush(); err != nil {
		return err
	}
	if len(total.Errors) > 0 {
		return fmt.Errorf("%d kinds of errors: %s", len(total.Errors), strings.Join(total.Errors, "; "))
	}
	slowest, err := l.settle()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d orders placed; all are mailed and shipped %.0f s after the last\n", len(l.orders), slowest.Seconds())
	return nil
}

func row(w io.Writer, kind string, m *vegeta.Metrics) {
	m.Close()
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	fmt.Fprintf(w, "%s\t%d\t%.1f\t%s\t%s\t%s\t%.0f\t\n", kind, m.Requests, m.Throughput,
		ms(m.Latencies.P50), ms(m.Latencies.P99), ms(m.Latencies.Max), float64(m.Requests)*(1-m.Success))
}

// load makes the requests.
type load struct {
	url, key string

	mu     sync.Mutex
	n      int
	orders []order
}

type order struct {
	ID      string `json:"id"`
	Token   string `json:"token"`
	History []struct {
		Event string `json:"event"`
	} `json:"history"`
}

const (
	browse = "read the catalog"
	place  = "place an order"
	look   = "look at an order"
)

func kindOf(r *vegeta.Result) string {
	switch {
	case strings.Contains(r.URL, "/api/catalog/"):
		return browse
	case r.Method == http.MethodPost:
		return place
	default:
		return look
	}
}

// next is the next request. vegeta calls it from many goroutines.
func (l *load) next(t *vegeta.Target) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	t.Header = http.Header{"Content-Type": {"application/json"}}
	switch {
	case l.n%10 == 3 || l.n%10 == 7:
		t.Method, t.URL = http.MethodPost, l.url+"/api/orders"
		t.Header.Set("Idempotency-Key", fmt.Sprintf("load-%s-%d", l.key, l.n))
		t.Body = []byte(`{"email": "load@example.com", "lines": [{"product": "coffee-mug", "quantity": 1}], "payment": "card"}`)
	case l.n%5 == 0 && len(l.orders) > 0:
		o := l.orders[l.n%len(l.orders)]
		t.Method, t.URL = http.MethodGet, l.url+"/api/orders/"+o.ID
		t.Header.Set("Authorization", "Bearer "+o.Token)
	default:
		t.Method, t.URL = http.MethodGet, l.url+"/api/catalog/products?limit=12"
	}
	return nil
}

func (l *load) took(body []byte) error {
	var o order
	if err := json.Unmarshal(body, &o); err != nil {
		return fmt.Errorf("an order's answer: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders = append(l.orders, o)
	return nil
}

// settle waits until every order has arrived, and says how long that took.
func (l *load) settle() (time.Duration, error) {
	start := time.Now()
	for _, o := range l.orders {
		for !l.arrived(o) {
			if time.Since(start) > settleTime {
				return 0, errors.New("order " + o.ID + " is not mailed and shipped after " + settleTime.String())
			}
			time.Sleep(time.Second)
		}
	}
	return time.Since(start), nil
}

func (l *load) arrived(o order) bool {
	request, err := http.NewRequest(http.MethodGet, l.url+"/api/orders/"+o.ID, nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+o.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&o) != nil {
		return false
	}
	seen := map[string]bool{}
	for _, h := range o.History {
		seen[h.Event] = true
	}
	return seen["mailed"] && seen["shipped"]
}
