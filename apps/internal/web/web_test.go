package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"shop/internal/logs"
)

// logged is what a test writes into the log.
func logged(t *testing.T) *bytes.Buffer {
	t.Helper()
	before, out := slog.Default(), &bytes.Buffer{}
	slog.SetDefault(logs.New(out, "test"))
	t.Cleanup(func() { slog.SetDefault(before) })
	return out
}

func ask(handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Wrap(handler).ServeHTTP(w, r)
	return w
}

func TestErrorsBecomeProblems(t *testing.T) {
	const generic = `"type":"about:blank","title":`
	tests := []struct {
		name   string
		err    error
		status int
		body   string
		header map[string]string
	}{
		{"a problem", NotFound("There is no %s.", "sofa"), 404,
			`{` + generic + `"Not Found","status":404,"detail":"There is no sofa."}`, nil},
		{"a wrapped one", fmt.Errorf("x: %w", Conflict("Taken.")), 409,
			`{` + generic + `"Conflict","status":409,"detail":"Taken."}`, nil},
		{"fields", Invalid(FieldError{"email", "is missing"}), 422,
			`{` + generic + `"Unprocessable Entity","status":422,"detail":"The content of the request is not valid.",` +
				`"errors":[{"field":"email","detail":"is missing"}]}`, nil},
		{"a token", Unauthorized("No token."), 401, `{` + generic + `"Unauthorized","status":401,"detail":"No token."}`,
			map[string]string{"WWW-Authenticate": "Bearer"}},
		{"unavailable", Unavailable("the database", errors.New("secret reason")), 503,
			`{` + generic + `"Service Unavailable","status":503,` +
				`"detail":"Not available just now: the database. Please try again in a moment."}`,
			map[string]string{"Retry-After": "1"}},
		{"anything else", errors.New("secret reason"), 500,
			`{` + generic + `"Internal Server Error","status":500,` +
				`"detail":"Something went wrong here. It has been noted under the request id."}`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			log := logged(t)
			w := ask(Handler(func(http.ResponseWriter, *http.Request) error { return test.err }), httptest.NewRequest("GET", "/x", nil))
			if diff := cmp.Diff(test.body, strings.TrimSpace(w.Body.String())); diff != "" || w.Code != test.status {
				t.Errorf("%d, want %d (-want +got):\n%s", w.Code, test.status, diff)
			}
			for name, want := range test.header {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("the content type is %s", got)
			}
			if strings.Contains(test.err.Error(), "secret reason") && !strings.Contains(log.String(), "secret reason") {
				t.Error("the reason is not in the log")
			}
		})
	}
}

type unsent bool

func (u unsent) Error() string     { return "conn closed" }
func (u unsent) SafeToRetry() bool { return bool(u) }

type answer int

func (a answer) Error() string       { return "answered" }
func (a answer) HTTPStatusCode() int { return int(a) }

func TestWhatIsAwayIsUnavailable(t *testing.T) {
	tests := map[int][]error{
		503: {
			context.DeadlineExceeded, &net.OpError{Op: "dial", Err: errors.New("refused")}, io.ErrUnexpectedEOF,
			fmt.Errorf("x: %w", &pgconn.PgError{Code: "57P01"}), &pgconn.PgError{Code: "57014"}, &pgconn.PgError{Code: "08006"},
			&pgconn.PgError{Code: "53300"}, &pgconn.PgError{Code: "28000"}, &pgconn.PgError{Code: "25006"}, answer(503), answer(429), unsent(true),
		},
		500: {&pgconn.PgError{Code: "42P01"}, &pgconn.PgError{Code: "23505"}, &pgconn.PgError{Code: "42501"}, answer(403), io.EOF, unsent(false)},
	}
	for want, errs := range tests {
		for _, err := range errs {
			if got := problemOf(err).Status; got != want {
				t.Errorf("%v (%T) gives %d, want %d", err, err, got, want)
			}
		}
	}
}

func TestEachRequestHasAnIDAndALine(t *testing.T) {
	log := logged(t)
	var inside string
	handler := Handler(func(w http.ResponseWriter, r *http.Request) error {
		inside = logs.RequestID(r.Context())
		JSON(w, http.StatusCreated, map[string]string{"a": "<b>"})
		return nil
	})
	r := httptest.NewRequest("POST", "/api/orders?email=a@b.example", nil)
	r.Header.Set("X-Request-Id", "mine-1")
	w := ask(handler, r)
	if got := w.Header().Get("X-Request-Id"); got != "mine-1" || inside != "mine-1" {
		t.Errorf("the id that came became %q, inside %q", got, inside)
	}
	if w.Body.String() != "{\"a\":\"<b>\"}\n" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("got %q with %v", w.Body, w.Header())
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	delete(line, "duration_ms")
	want := map[string]any{
		"level": "INFO", "msg": "request", "service": "test", "version": "dev", "request_id": "mine-1",
		"method": "POST", "path": "/api/orders", "status": 201.0, "bytes": 12.0,
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}

	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Request-Id", "evil\"} ")
	if got := ask(handler, r).Header().Get("X-Request-Id"); got == "" || strings.Contains(got, "evil") {
		t.Errorf("an id that is none became %q", got)
	}
}

func TestRoutesThatAreNot(t *testing.T) {
	logged(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /here", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /here", func(http.ResponseWriter, *http.Request) {})
	for request, want := range map[string]int{"GET /here": 200, "HEAD /here": 200, "DELETE /here": 405, "GET /there": 404} {
		method, path, _ := strings.Cut(request, " ")
		w := ask(mux, httptest.NewRequest(method, path, nil))
		if w.Code != want || (want >= 400 && w.Header().Get("Content-Type") != "application/problem+json") {
			t.Errorf("%s: %d, %s; want %d", request, w.Code, w.Header().Get("Content-Type"), want)
		}
		if want == 405 && w.Header().Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("Allow is %q", w.Header().Get("Allow"))
		}
	}
}

func TestPanics(t *testing.T) {
	log := logged(t)
	w := ask(Handler(func(http.ResponseWriter, *http.Request) error { panic("oh no") }), httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || strings.Contains(w.Body.String(), "oh no") || !strings.Contains(log.String(), "oh no") {
		t.Errorf("%d %s\n%s", w.Code, w.Body, log)
	}
	server := httptest.NewServer(Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "half") //nolint:errcheck // of a test
		panic("oh no")
	})))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(response.Body)
	}
	if err == nil {
		t.Error("half an answer looks like a whole one")
	}
}

func TestWhoHasGoneGetsNoProblem(t *testing.T) {
	log := logged(t)
	ctx, cancel := context.WithCancel(t.Context())
	handler := Handler(func(_ http.ResponseWriter, r *http.Request) error {
		cancel()
		<-r.Context().Done()
		return r.Context().Err()
	})
	ask(handler, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if strings.Contains(log.String(), "problem") {
		t.Errorf("logged as a problem: %s", log)
	}
}

func TestDecode(t *testing.T) {
	logged(t)
	type line struct {
		Quantity int `json:"quantity"`
	}
	type content struct {
		Email string `json:"email"`
		Lines []line `json:"lines"`
	}
	tests := []struct {
		name, contentType, body string
		status                  int
		field                   string
	}{
		{"good", "application/json; charset=utf-8", `{"email":"a","lines":[{"quantity":1}]} `, 200, ""},
		{"no type", "", `{}`, 415, ""},
		{"a form", "application/x-www-form-urlencoded", `a=b`, 415, ""},
		{"JSON as text", "text/plain", `{}`, 415, ""},
		{"empty", "application/json", ``, 400, ""},
		{"no JSON", "application/json", `{"email":`, 400, ""},
		{"two", "application/json", `{} {}`, 400, ""},
		{"rubbish behind", "application/json", `{} x`, 400, ""},
		{"unknown field", "application/json", `{"mail":"a"}`, 422, "mail"},
		{"wrong type", "application/json", `{"email":5}`, 422, "email"},
		{"wrong type below", "application/json", `{"lines":[{"quantity":"1"}]}`, 422, "lines.quantity"},
		{"a fraction", "application/json", `{"lines":[{"quantity":1.5}]}`, 422, "lines.quantity"},
		{"too large", "application/json", `{"email":"` + strings.Repeat("x", 100) + `"}`, 413, ""},
		{"blanks without end", "application/json", `{}` + strings.Repeat(" ", 100), 413, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			w := ask(Handler(func(w http.ResponseWriter, r *http.Request) error {
				var in content
				return Decode(w, r, 64, &in)
			}), r)
			var problem Problem
			if test.status != 200 {
				if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
					t.Fatal(err)
				}
			}
			if w.Code != test.status || (test.field == "") != (len(problem.Errors) == 0) {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, test.status)
			}
			if test.field != "" && problem.Errors[0].Field != test.field {
				t.Errorf("the field is %q, want %q", problem.Errors[0].Field, test.field)
			}
		})
	}
}

func TestClient(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			time.Sleep(200 * time.Millisecond)
		case "/elsewhere":
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			fmt.Fprint(w, r.Header.Get("X-Request-Id"))
		}
	}))
	defer server.Close()
	client := NewClient(100 * time.Millisecond)
	get := func(path string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(logs.WithRequestID(t.Context(), "r-1"), "GET", server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return client.Do(r)
	}
	response, err := get("/")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "r-1" {
		t.Errorf("the request id is %q (%v)", body, err)
	}
	if response, err := get("/elsewhere"); err != nil || response.StatusCode != http.StatusFound {
		t.Errorf("a redirect gives %v, %v", response, err)
	}
	if _, err := get("/slow"); err == nil || !away(err) {
		t.Errorf("a slow answer gives %v, want what is away", err)
	}
}
