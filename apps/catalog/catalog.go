package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"shop/internal/web"
)

// Limits of what may be asked for.
const (
	defaultLimit = 24
	maxLimit     = 100
	maxText      = 100 // characters of a search or a category
	maxWords     = 8   // of a search
)

type page struct {
	Products   []product `json:"products"`
	Categories []string  `json:"categories"`
	Next       string    `json:"next,omitempty"`
}

type product struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Category    string `json:"category"`
	Price       price  `json:"price"`
	Stock       int    `json:"stock"`
	Picture     string `json:"picture,omitempty"`
}

// price is in the currency's hundredth.
type price struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func routes(products *products, pictures *pictures) http.Handler {
	mux := http.NewServeMux()
	illustrate := func(p *product) {
		if pictures.has(p.ID) {
			p.Picture = "/api/catalog/products/" + p.ID + "/picture"
		}
	}
	mux.Handle("GET /api/catalog/products", web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		asked, err := parse(r.URL.Query())
		if err != nil {
			return err
		}
		found, err := products.list(r.Context(), asked)
		if err != nil {
			return err
		}
		for i := range found.Products {
			illustrate(&found.Products[i])
		}
		web.JSON(w, http.StatusOK, found)
		return nil
	}))
	mux.Handle("GET /api/catalog/products/{id}", withID(func(w http.ResponseWriter, r *http.Request, id string) error {
		found, err := products.get(r.Context(), id)
		if err != nil {
			return err
		}
		illustrate(found)
		web.JSON(w, http.StatusOK, found)
		return nil
	}))
	mux.Handle("GET /api/catalog/products/{id}/picture", withID(pictures.serve))
	return mux
}

var productID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func withID(handle func(w http.ResponseWriter, r *http.Request, id string) error) http.Handler {
	return web.Handler(func(w http.ResponseWriter, r *http.Request) error {
		id := r.PathValue("id")
		if len(id) > 100 || !productID.MatchString(id) {
			return noProduct()
		}
		return handle(w, r, id)
	})
}

func noProduct() error { return web.NotFound("There is no such product.") }

// query is what products are asked for.
type query struct {
	Words    []string // all of which are in the name or the description
	Category string   // "" for all
	After    *cursor  // nil for the first page
	Limit    int
}

// cursor is the last product of the page before: its place in the order, so that a page neither repeats nor leaves out a product
// when others come and go meanwhile.
type cursor struct {
	Name string `json:"n"` // in lower case
	ID   string `json:"i"`
}

func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseCursor(text string) (*cursor, error) {
	var c cursor
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(decoded, &c)
	}
	if err == nil && (!storable(c.Name) || !storable(c.ID)) {
		err = fmt.Errorf("not text")
	}
	return &c, err
}

func parse(values url.Values) (query, error) {
	var problems []web.FieldError
	wrong := func(field, detail string) { problems = append(problems, web.FieldError{Field: field, Detail: detail}) }
	for _, name := range []string{"search", "category"} {
		if text := values.Get(name); utf8.RuneCountInString(text) > maxText {
			wrong(name, fmt.Sprintf("must have at most %d characters", maxText))
		} else if !storable(text) {
			wrong(name, "must be text")
		}
	}
	q := query{Words: strings.Fields(values.Get("search")), Category: values.Get("category"), Limit: defaultLimit}
	if len(q.Words) > maxWords {
		wrong("search", fmt.Sprintf("must have at most %d words", maxWords))
	}
	if text := values.Get("after"); text != "" {
		var err error
		if q.After, err = parseCursor(text); err != nil {
			wrong("after", "must be the next of a page")
		}
	}
	if text := values.Get("limit"); text != "" {
		var err error
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxLimit {
			wrong("limit", fmt.Sprintf("must be a number, 1 to %d", maxLimit))
		}
	}
	if len(problems) > 0 {
		return query{}, web.Invalid(problems...)
	}
	return q, nil
}

// storable is text that PostgreSQL takes.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
