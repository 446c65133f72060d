package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"shop/internal/database"
	"shop/internal/database/databasetest"
)

// The test binary is also the command that the tests run.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_MIGRATE") != "" {
		main()
		return
	}
	databasetest.Main(m)
}

const (
	masterSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:master"
	proxySecret  = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:proxied"
)

// secrets is Secrets Manager.
type secrets struct {
	values map[string]string
	denied bool
}

func (s *secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ID    string `json:"SecretId"`
		Value string `json:"SecretString"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch action := r.Header.Get("X-Amz-Target"); {
	case s.denied && action == "secretsmanager.PutSecretValue":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"AccessDeniedException","Message":"no"}`)
	case action == "secretsmanager.PutSecretValue":
		s.values[in.ID] = in.Value
		fmt.Fprint(w, `{}`)
	default:
		if err := json.NewEncoder(w).Encode(map[string]string{"SecretString": s.values[in.ID]}); err != nil {
			panic(err)
		}
	}
}

func run(t *testing.T, db *databasetest.Database, s *secrets, roles string, args ...string) (output string, code int) {
	t.Helper()
	server := httptest.NewServer(s)
	defer server.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	config := db.Config("ignored: the secret names the user")
	command := exec.CommandContext(t.Context(), self, args...)
	command.Env = []string{
		"TEST_MIGRATE=yes", "SERVICE_NAME=migrate", "AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=" + server.URL,
		"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret", "PGSSLROOTCERT=" + databasetest.RootFile(),
		"DATABASE_SHOP_HOST=" + config.Host, fmt.Sprintf("DATABASE_SHOP_PORT=%d", config.Port), "DATABASE_SHOP_NAME=" + config.Name,
		"DATABASE_SHOP_USER=master", "DATABASE_SHOP_SECRET_ARN=" + masterSecret, "DATABASE_SHOP_ROLES=" + roles,
	}
	out, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), command.ProcessState.ExitCode()
}

func TestMigrate(t *testing.T) {
	db := databasetest.Empty(t)
	s := &secrets{values: map[string]string{masterSecret: `{"username":"master","password":"any"}`}}
	roles := `[{"role":"orders","access":"read-write"},{"role":"proxied","access":"read-only","secret":"` + proxySecret + `"}]`
	out, code := run(t, db, s, roles)
	if code != 0 {
		t.Fatalf("exit status %d:\n%s", code, out)
	}
	for _, want := range []string{
		`"msg":"applied","service":"migrate","version":"dev","step":"00001_schema.sql"`,
		`"role":"orders","access":"read-write","login":"iam"`,
		`"role":"proxied","access":"read-only","login":"password"`, `"msg":"role retired"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %s:\n%s", want, out)
		}
	}
	var c credentials
	if err := json.Unmarshal([]byte(s.values[proxySecret]), &c); err != nil || c.Username != databasetest.Proxied {
		t.Fatalf("the secret is %q (%v)", s.values[proxySecret], err)
	}
	if strings.Contains(out, c.Password) || strings.Contains(out, "SCRAM") {
		t.Error("the output has the password")
	}
	pool, err := database.Open(t.Context(), db.Config(c.Username), func(context.Context) (string, error) { return c.Password, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rows, err := pool.Query(t.Context(), "SELECT id FROM products ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	products, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"bread-board", "canvas-bag", "coffee-mug", "desk-lamp", "fountain-pen", "linen-chair", "oak-desk", "paper-notebook",
		"plant-pot", "tea-pot", "wall-clock", "wool-blanket",
	}, products); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}

	if out, code = run(t, db, s, roles); code != 0 || strings.Contains(out, `"msg":"applied"`) {
		t.Errorf("again: exit status %d:\n%s", code, out)
	}
	out, code = run(t, db, s, roles, "status")
	if code != 0 || !strings.Contains(out, `"step":"00002_products.sql","state":"applied"`) || strings.Contains(out, "orders") {
		t.Errorf("status: exit status %d:\n%s", code, out)
	}
	s.denied = true
	if out, code = run(t, db, s, roles); code != 1 || !strings.Contains(out, "AccessDenied") {
		t.Errorf("when the secret cannot be written: exit status %d:\n%s", code, out)
	}
}

func TestWhatItIsToldIsCheckedFirst(t *testing.T) {
	db := databasetest.Empty(t)
	for roles, want := range map[string]string{
		"": "DATABASE_SHOP_ROLES is not set", "{": "DATABASE_SHOP_ROLES is no such JSON",
		`[{"role":"a","access":"all"}]`: "must be read-write or read-only",
	} {
		if out, code := run(t, db, &secrets{}, roles); code != 1 || !strings.Contains(out, want) {
			t.Errorf("roles %q: exit status %d, without %q:\n%s", roles, code, want, out)
		}
	}
	if out, code := run(t, db, &secrets{}, "[]", "down"); code != 2 || !strings.Contains(out, "usage") {
		t.Errorf("an unknown argument: exit status %d:\n%s", code, out)
	}
}

func TestItWaitsForTheDatabase(t *testing.T) {
	db := databasetest.Empty(t)
	s := &secrets{values: map[string]string{masterSecret: `{"username":"master","password":"any"}`}}
	databasetest.Stop(t)
	back := make(chan struct{})
	go func() {
		defer close(back)
		time.Sleep(time.Second)
		databasetest.Start(t)
	}()
	defer func() { <-back }()
	if out, code := run(t, db, s, "[]"); code != 0 || !strings.Contains(out, "waiting for the database") {
		t.Errorf("exit status %d:\n%s", code, out)
	}
}
