package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"shop/internal/web"
)

func desks(n int) request {
	return request{Email: "a@b.example", Lines: []requestLine{{"oak-desk", n}}, Payment: "card"}
}

func TestValidateNamesAllProblems(t *testing.T) {
	many := desks(1)
	many.Lines = nil
	for i := range 51 {
		many.Lines = append(many.Lines, requestLine{fmt.Sprint("product-", i), 1})
	}
	tests := map[string]struct {
		request request
		want    []string
	}{
		"nothing":     {desks(99), nil},
		"all at once": {request{}, []string{"email", "lines", "payment"}},
		"quantities": {
			request{"a@b.example", []requestLine{{"a", 0}, {"b", 100}, {"c", -1}}, "card"},
			[]string{"lines[0].quantity", "lines[1].quantity", "lines[2].quantity"},
		},
		"twice": {request{"a@b.example", []requestLine{{"a", 1}, {"b", 1}, {"a", 2}}, "card"}, []string{"lines[2].product"}},
		"no product id": {
			request{"a@b.example", []requestLine{{"", 1}, {"A\x00", 1}, {"a-", 1}}, "card"},
			[]string{"lines[0].product", "lines[1].product", "lines[2].product"},
		},
		"too many": {many, []string{"lines"}},
		"payment":  {request{"a@b.example", []requestLine{{"a", 1}}, "cash"}, []string{"payment"}},
		"address":  {request{"a@b.example\r\nBcc: c@d.example", []requestLine{{"a", 1}}, "card"}, []string{"email"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range test.request.validate() {
				got = append(got, e.Field)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := (request{"a@b.example", []requestLine{{"a", 1}, {"a", 2}}, "card"}).validate(); !cmp.Equal(got, []web.FieldError{
		{Field: "lines[1].product", Detail: "is the same as in lines[0]: give each product once, with its quantity"},
	}) {
		t.Error(got)
	}
}

func TestHashIsOfTheContent(t *testing.T) {
	base := request{"a@b.example", []requestLine{{"a", 1}, {"b", 2}}, "card"}
	tests := map[string]struct {
		request request
		same    bool
	}{
		"lines in another order": {request{"a@b.example", []requestLine{{"b", 2}, {"a", 1}}, "card"}, true},
		"another quantity":       {request{"a@b.example", []requestLine{{"a", 1}, {"b", 3}}, "card"}, false},
		"quantities swapped":     {request{"a@b.example", []requestLine{{"a", 2}, {"b", 1}}, "card"}, false},
		"another card":           {request{"a@b.example", []requestLine{{"a", 1}, {"b", 2}}, "card-declined"}, false},
		"another address":        {request{"b@b.example", []requestLine{{"a", 1}, {"b", 2}}, "card"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if same := string(base.hash()) == string(test.request.hash()); same != test.same {
				t.Errorf("the same hash: %t, want %t", same, test.same)
			}
		})
	}
	if base.Lines[0].Product != "a" || base.sorted().Lines[0].Product != "a" {
		t.Error("sorting changed the request")
	}
}

func TestHistoryIsInOrderOfTime(t *testing.T) {
	at := func(second int) *time.Time {
		at := time.Date(2026, 11, 24, 10, 0, second, 0, time.FixedZone("", 3600))
		return &at
	}
	got := history(
		moment{placed, at(0)}, moment{confirmed, at(1)}, moment{declined, nil}, moment{mailed, at(3)}, moment{shipped, at(2)},
	)
	utc := func(second int) time.Time { return time.Date(2026, 11, 24, 9, 0, second, 0, time.UTC) }
	want := []event{{placed, utc(0)}, {confirmed, utc(1)}, {shipped, utc(2)}, {mailed, utc(3)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := history(moment{placed, at(1)}, moment{confirmed, at(1)}); got[0].Event != placed {
		t.Errorf("of two at the same time %s is first", got[0].Event)
	}
}

func TestBackoffDoublesUpToItsMost(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 2, 2: 4, 3: 8, 7: 128, 8: 256, 9: 300, 1000: 300} {
		want *= time.Second
		for range 20 {
			if d := backoff(failures, leastRetry, mostRetry); d < want/2 || d > want*3/2 {
				t.Errorf("after %d failures it is %s: want around %s", failures, d, want)
			}
		}
	}
}
