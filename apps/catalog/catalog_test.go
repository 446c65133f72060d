package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"shop/internal/database/databasetest"
	"shop/internal/web"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

// bucket is S3 as far as the catalog asks it.
type bucket struct {
	mu      sync.Mutex
	objects map[string]string
	broken  bool
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
		return
	}
	if r.URL.Query().Get("list-type") == "2" {
		type content struct{ Key string }
		result := struct {
			XMLName  xml.Name `xml:"ListBucketResult"`
			Contents []content
		}{}
		for key := range b.objects {
			if strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				result.Contents = append(result.Contents, content{key})
			}
		}
		if err := xml.NewEncoder(w).Encode(result); err != nil {
			panic(err)
		}
		return
	}
	text, ok := b.objects[strings.TrimPrefix(r.URL.Path, "/media/")]
	etag := fmt.Sprintf(`"%d"`, len(text))
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Type", "binary/octet-stream")
		fmt.Fprint(w, text)
	}
}

// client asks the fake S3 once.
func client(t *testing.T, b http.Handler) *s3.Client {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	return s3.New(s3.Options{
		BaseEndpoint: &server.URL, UsePathStyle: true, Region: "eu-west-1", Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}

func listed(t *testing.T, b *bucket) *pictures {
	t.Helper()
	p := newPictures(client(t, b), "media", "pictures/")
	ids, err := p.list(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.known.Store(&listing{ids: ids})
	return p
}

const desk = `<svg xmlns="http://www.w3.org/2000/svg"/>`

func drawings() *bucket {
	return &bucket{objects: map[string]string{
		"pictures/oak-desk.svg":  desk,
		"pictures/tea-pot.svg":   strings.Repeat("x", maxPicture+1),
		"pictures/readme.txt":    "no picture",
		"mails/linen-chair.svg":  "of somebody else",
		"pictures/wall-clock.sv": "no picture",
	}}
}

// get asks the service.
func get(t *testing.T, handler http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	web.Wrap(handler).ServeHTTP(w, r)
	return w.Result()
}

func decode[T any](t *testing.T, response *http.Response) (value T) {
	t.Helper()
	if err := json.NewDecoder(response.Body).Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func service(t *testing.T) (http.Handler, *databasetest.Database) {
	t.Helper()
	db := databasetest.New(t)
	return routes(&products{db.Pool(t, "catalog")}, listed(t, drawings())), db
}

func ids(p page) []string {
	all := []string{}
	for _, product := range p.Products {
		all = append(all, product.ID)
	}
	return all
}

func TestProduct(t *testing.T) {
	handler, _ := service(t)
	response := get(t, handler, "/api/catalog/products/oak-desk")
	want := product{
		ID: "oak-desk", Name: "Oak desk",
		Description: "Solid oak, oiled by hand, with a drawer that runs without a sound. 140 by 70 cm.",
		Category:    "Furniture", Price: price{24900, "EUR"}, Stock: 10000, Picture: "/api/catalog/products/oak-desk/picture",
	}
	if diff := cmp.Diff(want, decode[product](t, response)); diff != "" || response.StatusCode != http.StatusOK {
		t.Errorf("%s (-want +got):\n%s", response.Status, diff)
	}
	text, err := io.ReadAll(get(t, handler, "/api/catalog/products/linen-chair").Body)
	if err != nil || strings.Contains(string(text), "picture") {
		t.Errorf("a product without a picture has one: %s", text)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	handler, _ := service(t)
	for _, path := range []string{
		"/api/catalog/products/sofa", "/api/catalog/products/Oak-Desk", "/api/catalog/products/%00",
		"/api/catalog/products/..%2Foak-desk", "/api/catalog/products/" + strings.Repeat("a", 200),
		"/api/catalog/products/sofa/picture", "/api/catalog/products/linen-chair/picture",
		"/api/catalog/products/readme/picture", "/api/catalog/products/..%2Fmails%2Flinen-chair/picture", "/api/catalog", "/",
	} {
		response := get(t, handler, path)
		if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusNotFound || got != "application/problem+json" {
			t.Errorf("%s: %s, %s; want a 404 that is a problem", path, response.Status, got)
		}
	}
}

func TestListing(t *testing.T) {
	handler, db := service(t)
	if _, err := db.Admin(t).Exec(t.Context(), `
		INSERT INTO products (id, name, description, category, price_cents, currency, stock)
		VALUES ('odd', 'ODD 100%_\ one', 'desk''s', 'Home', 1, 'EUR', 0),
			('odd-2', 'odd 100 one', '', 'Home', 1, 'EUR', 0)`); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, query string
		want        []string
	}{
		{"all, by name whatever the case", "", []string{
			"bread-board", "canvas-bag", "coffee-mug", "desk-lamp", "fountain-pen", "linen-chair", "oak-desk", "odd-2", "odd",
			"paper-notebook", "plant-pot", "tea-pot", "wall-clock", "wool-blanket",
		}},
		{"a category", "category=Kitchen", []string{"bread-board", "coffee-mug", "tea-pot"}},
		{"no such category", "category=kitchen", []string{}},
		{"a word of a name, any case", "search=DESK", []string{"desk-lamp", "oak-desk", "odd"}},
		{"a word of a description", "search=herringbone", []string{"wool-blanket"}},
		{"words from both", "search=oak+drawer", []string{"oak-desk"}},
		{"search in a category", "search=pot&category=Home", []string{"plant-pot"}},
		{"%, _ and \\ are themselves", "search=%25", []string{"odd"}},
		{"_", "search=_", []string{"odd"}},
		{"\\", "search=%5C", []string{"odd"}},
		{"a quote", "search='s", []string{"odd"}},
		{"nothing", "search=sofa", []string{}},
		{"blanks", "search=++", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			response := get(t, handler, "/api/catalog/products?"+test.query)
			got := decode[page](t, response)
			if test.want == nil {
				test.want = tests[0].want
			}
			if diff := cmp.Diff(test.want, ids(got)); diff != "" {
				t.Errorf("products (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"Furniture", "Home", "Kitchen", "Lighting", "Stationery"}, got.Categories); diff != "" {
				t.Errorf("categories (-want +got):\n%s", diff)
			}
			if got.Next != "" {
				t.Errorf("there is a next page: %s", got.Next)
			}
		})
	}
}

func TestPagesNeitherRepeatNorLeaveOut(t *testing.T) {
	handler, db := service(t)
	owner := db.Admin(t)
	if _, err := owner.Exec(t.Context(), `INSERT INTO products (id, name, description, category, price_cents, currency, stock)
		SELECT 'same-' || i, 'Same', '', 'Home', 1, 'EUR', 1 FROM generate_series(1, 7) i`); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 2, 3, 5, 19, 100} {
		var seen []string
		for next := ""; ; {
			got := decode[page](t, get(t, handler, fmt.Sprintf("/api/catalog/products?limit=%d&after=%s", limit, next)))
			if len(got.Products) > limit {
				t.Fatalf("%d products on a page of %d", len(got.Products), limit)
			}
			seen = append(seen, ids(got)...)
			if next = got.Next; next == "" {
				break
			}
		}
		all := ids(decode[page](t, get(t, handler, "/api/catalog/products?limit=100")))
		if diff := cmp.Diff(all, seen); diff != "" || len(all) != 19 {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	first := decode[page](t, get(t, handler, "/api/catalog/products?limit=3"))
	if _, err := owner.Exec(t.Context(), `DELETE FROM products WHERE id = 'bread-board'`); err != nil {
		t.Fatal(err)
	}
	second := decode[page](t, get(t, handler, "/api/catalog/products?limit=3&after="+first.Next))
	if diff := cmp.Diff([]string{"desk-lamp", "fountain-pen", "linen-chair"}, ids(second)); diff != "" {
		t.Errorf("the second page, when a product of the first has gone (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeAsked(t *testing.T) {
	handler, _ := service(t)
	tests := []struct{ query, field string }{
		{"limit=0", "limit"}, {"limit=101", "limit"}, {"limit=ten", "limit"}, {"limit=99999999999999999999", "limit"},
		{"after=x", "after"}, {"after=" + url.QueryEscape(cursor{"a\x00", "b"}.String()), "after"},
		{"search=%00", "search"}, {"search=%ff", "search"}, {"search=" + strings.Repeat("a", 101), "search"},
		{"search=a+b+c+d+e+f+g+h+i", "search"}, {"category=%00", "category"},
	}
	for _, test := range tests {
		response := get(t, handler, "/api/catalog/products?"+test.query)
		problem := decode[web.Problem](t, response)
		if response.StatusCode != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || problem.Errors[0].Field != test.field {
			t.Errorf("%s: %s, %+v; want a 422 for %s", test.query, response.Status, problem.Errors, test.field)
		}
	}
	response := get(t, handler, "/api/catalog/products?limit=0&search=%00&after=x")
	if got := decode[web.Problem](t, response).Errors; len(got) != 3 {
		t.Errorf("%+v, want all three problems", got)
	}
}

func TestPicture(t *testing.T) {
	handler, _ := service(t)
	const path = "/api/catalog/products/oak-desk/picture"
	response := get(t, handler, path)
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != desk {
		t.Errorf("the picture is %q (%v), want %q", body, err, desk)
	}
	etag := fmt.Sprintf(`"%d"`, len(desk))
	for name, want := range map[string]string{
		"Content-Type": "image/svg+xml", "ETag": etag, "Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox", "Content-Length": fmt.Sprint(len(desk)),
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for header, want := range map[string]int{
		etag: http.StatusNotModified, "W/" + etag: http.StatusNotModified, `"1", ` + etag: http.StatusNotModified,
		`"1"`: http.StatusOK, "*": http.StatusOK, "nonsense": http.StatusOK,
	} {
		response := get(t, handler, path, "If-None-Match", header)
		if response.StatusCode != want || response.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match: %s gives %s and the ETag %s, want %d", header, response.Status, response.Header.Get("ETag"), want)
		}
	}
	if response := get(t, handler, "/api/catalog/products/tea-pot/picture"); response.StatusCode != http.StatusInternalServerError {
		t.Errorf("a picture that is too large gives %s", response.Status)
	}
}

func TestPicturesWhileS3IsAway(t *testing.T) {
	b := drawings()
	b.broken = true
	p := newPictures(client(t, b), "media", "pictures/")
	handler := routes(nil, p)
	const path = "/api/catalog/products/oak-desk/picture"
	if response := get(t, handler, path); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before the first listing: %s, want 503", response.Status)
	}
	if p.check(t.Context()) == nil {
		t.Error("it is ready before the first listing")
	}

	b.mu.Lock()
	b.broken = false
	b.mu.Unlock()
	done := make(chan error)
	go func() { done <- p.watch(t.Context()) }()
	for deadline := time.Now().Add(5 * time.Second); p.check(t.Context()) != nil && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if response := get(t, handler, path); response.StatusCode != http.StatusOK {
		t.Errorf("after the first listing: %s", response.Status)
	}

	b.mu.Lock()
	b.broken = true
	b.mu.Unlock()
	response := get(t, handler, path)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
		t.Errorf("while S3 is away: %s, want 503 with Retry-After", response.Status)
	}
}

func TestWhileTheDatabaseIsAway(t *testing.T) {
	handler, _ := service(t)
	const path = "/api/catalog/products/oak-desk"
	if response := get(t, handler, path); response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	databasetest.Stop(t)
	for _, path := range []string{path, "/api/catalog/products"} {
		began := time.Now()
		response := get(t, handler, path)
		took, retry := time.Since(began), response.Header.Get("Retry-After")
		if response.StatusCode != http.StatusServiceUnavailable || retry != "1" || took > 3*time.Second {
			t.Errorf("%s: %s after %s, want a quick 503 with Retry-After", path, response.Status, took)
		}
	}
	databasetest.Start(t)
	if response := get(t, handler, path); response.StatusCode != http.StatusOK {
		t.Errorf("when the database is back: %s", response.Status)
	}
}
