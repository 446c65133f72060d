package schema_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"shop/internal/database"
	"shop/internal/database/databasetest"
	"shop/migrate/schema"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

func owner(t *testing.T, db *databasetest.Database) *pgx.ConnConfig {
	t.Helper()
	config, err := db.Config(databasetest.Owner).Conn()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func noSecret(context.Context, schema.Role, string) error { return errors.New("no role has a secret") }

func up(t *testing.T, db *databasetest.Database, roles []schema.Role, put schema.PutSecret) {
	t.Helper()
	if err := schema.Up(context.WithoutCancel(t.Context()), owner(t, db), roles, put); err != nil {
		t.Fatal(err)
	}
}

// code is the SQLSTATE of what a role gets for a statement.
func code(t *testing.T, db *databasetest.Database, role, statement string) string {
	t.Helper()
	pool := db.Pool(t, role)
	defer pool.Close()
	_, err := pool.Exec(t.Context(), statement)
	if err == nil {
		return ""
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		t.Fatal(err)
	}
	return pg.Code
}

const denied = "42501"

func TestRolesMayDoExactlyWhatTheirAccessSays(t *testing.T) {
	db := databasetest.New(t)
	const order = `INSERT INTO orders
		(id, idempotency_key, request_hash, email, payment, status, total_cents, currency, request_id, placed_at)
		VALUES (gen_random_uuid(), gen_random_uuid(), '', 'a@b.example', 'card', 'placed', 1, 'EUR', 'r', now())`
	const outbox = `INSERT INTO outbox (message_id, kind, body, request_id) VALUES (gen_random_uuid(), 'k', '{}', 'r')`
	tests := []struct{ role, statement, want string }{
		{"orders", order, ""},
		{"orders", outbox, ""},
		{"orders", "UPDATE products SET stock = stock - 1", ""},
		{"orders", "DELETE FROM outbox", ""},
		{"orders", "TRUNCATE outbox", denied},
		{"orders", "CREATE TABLE mine ()", denied},
		{"orders", "CREATE SCHEMA mine", denied},
		{"orders", "DROP TABLE mails", denied},
		{"orders", "ALTER TABLE mails ADD COLUMN x int", denied},
		{"orders", "CREATE ROLE friend", denied},
		{"orders", "SELECT * FROM goose_db_version", denied},
		{"orders", "UPDATE goose_db_version SET version_id = 0", denied},
		{"report", "SELECT * FROM orders", ""},
		{"report", order, denied},
		{"report", "UPDATE products SET stock = 0", denied},
		{"report", "DELETE FROM mails", denied},
		{"report", "SELECT nextval('outbox_id_seq')", denied},
		{"report", "SET ROLE orders", denied},
	}
	for _, test := range tests {
		if got := code(t, db, test.role, test.statement); got != test.want {
			t.Errorf("%s: %s\n gives %q, want %q", test.role, test.statement, got, test.want)
		}
	}
	var timeout string
	if err := db.Pool(t, "orders").QueryRow(t.Context(), "SHOW statement_timeout").Scan(&timeout); err != nil || timeout != "10s" {
		t.Errorf("statement_timeout is %q (%v), want 10s", timeout, err)
	}
}

func TestRolesKeepUpWithLaterTables(t *testing.T) {
	db := databasetest.New(t)
	if _, err := db.Admin(t).Exec(t.Context(), "CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, x text)"); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{
		"orders inserts": code(t, db, "orders", "INSERT INTO later (x) VALUES ('x')"),
		"report selects": code(t, db, "report", "SELECT * FROM later"),
		"report inserts": code(t, db, "report", "INSERT INTO later (x) VALUES ('x')"),
	}
	if diff := cmp.Diff(map[string]string{"orders inserts": "", "report selects": "", "report inserts": denied}, got); diff != "" {
		t.Error(diff)
	}
}

func TestStrangersMayNotConnect(t *testing.T) {
	db := databasetest.Empty(t)
	up(t, db, databasetest.Roles, noSecret)
	if _, err := db.Admin(t).Exec(t.Context(), "CREATE ROLE stranger LOGIN"); err != nil {
		t.Fatal(err)
	}
	if got := code(t, db, "stranger", "SELECT 1"); got != denied {
		t.Errorf("a role that is not listed gets %q, want %q", got, denied)
	}
}

func TestUpCanBeRepeatedAndRolesChange(t *testing.T) {
	db := databasetest.Empty(t)
	t.Cleanup(func() { up(t, db, databasetest.Roles, noSecret) })
	up(t, db, []schema.Role{{Name: "alpha", Access: schema.ReadWrite}, {Name: `odd "name"`, Access: schema.ReadOnly}}, noSecret)
	up(t, db, []schema.Role{{Name: "alpha", Access: schema.ReadWrite}, {Name: `odd "name"`, Access: schema.ReadOnly}}, noSecret)
	if got := code(t, db, "alpha", "UPDATE products SET stock = 1"); got != "" {
		t.Errorf("alpha, read-write, gets %q", got)
	}
	if got := code(t, db, `odd "name"`, "SELECT * FROM products"); got != "" {
		t.Errorf("odd name gets %q", got)
	}

	up(t, db, []schema.Role{{Name: "alpha", Access: schema.ReadOnly}}, noSecret)
	if got := code(t, db, "alpha", "UPDATE products SET stock = 1"); got != denied {
		t.Errorf("alpha, now read-only, gets %q", got)
	}
	if got := code(t, db, `odd "name"`, "SELECT 1"); got != "28000" {
		t.Errorf("a retired role gets %q, want 28000: it may not log in", got)
	}
	var iam []string
	rows, err := db.Admin(t).Query(t.Context(), `SELECT member::regrole::text FROM pg_auth_members
		WHERE roleid = 'rds_iam'::regrole AND member IN (SELECT oid FROM pg_roles WHERE rolname IN ('alpha', 'odd "name"')) ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if iam, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alpha"}, iam); diff != "" {
		t.Errorf("members of rds_iam (-want +got):\n%s", diff)
	}

	up(t, db, []schema.Role{{Name: `odd "name"`, Access: schema.ReadWrite}}, noSecret)
	if got := code(t, db, `odd "name"`, "UPDATE products SET stock = 1"); got != "" {
		t.Errorf("a role that came back gets %q", got)
	}
}

func TestRolesThatMigrateDidNotMakeAreLeftAlone(t *testing.T) {
	db := databasetest.Empty(t)
	if _, err := db.Admin(t).Exec(t.Context(), "CREATE ROLE somebody LOGIN"); err != nil {
		t.Fatal(err)
	}
	err := schema.Up(t.Context(), owner(t, db), []schema.Role{{Name: "somebody", Access: schema.ReadWrite}}, noSecret)
	if err == nil || !strings.Contains(err.Error(), "did not make") {
		t.Errorf("got %v, want an error about a role that migrate did not make", err)
	}
	if got := code(t, databasetest.Empty(t), "somebody", "SELECT 1"); got != "" {
		t.Errorf("somebody gets %q", got)
	}
}

// login is how a role gets on with a password.
func login(t *testing.T, db *databasetest.Database, password string) error {
	t.Helper()
	given := func(context.Context) (string, error) { return password, nil }
	pool, err := database.Open(t.Context(), db.Config(databasetest.Proxied), given)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	return pool.Ping(t.Context())
}

func TestPasswordsOfProxiedRoles(t *testing.T) {
	db := databasetest.Empty(t)
	t.Cleanup(func() { up(t, db, databasetest.Roles, noSecret) })
	role := schema.Role{Name: databasetest.Proxied, Access: schema.ReadWrite, Secret: "arn:aws:secretsmanager:eu-west-1:1:secret:p"}
	var passwords []string
	put := func(_ context.Context, r schema.Role, password string) error {
		if diff := cmp.Diff(role, r); diff != "" {
			t.Error(diff)
		}
		passwords = append(passwords, password)
		return nil
	}
	up(t, db, []schema.Role{role}, put)
	if err := login(t, db, passwords[0]); err != nil {
		t.Errorf("the password of the secret is refused: %v", err)
	}
	up(t, db, []schema.Role{role}, put)
	if err := login(t, db, passwords[1]); err != nil || passwords[0] == passwords[1] {
		t.Errorf("the second run's password is refused, or the first's: %v", err)
	}
	if err := login(t, db, passwords[0]); err == nil {
		t.Error("the first run's password is still good")
	}

	fails := func(context.Context, schema.Role, string) error { return errors.New("no network") }
	err := schema.Up(t.Context(), owner(t, db), []schema.Role{role}, fails)
	if err == nil || !strings.Contains(err.Error(), "no network") {
		t.Errorf("got %v, want the secret's error", err)
	}
	if err := login(t, db, passwords[1]); err != nil {
		t.Errorf("after a run that could not write the secret, what is in it is refused: %v", err)
	}
	var iam bool
	if err := db.Admin(t).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_auth_members
		WHERE roleid = 'rds_iam'::regrole AND member = 'proxied'::regrole)`).Scan(&iam); err != nil || iam {
		t.Errorf("a role with a password is a member of rds_iam (%v), which rules passwords out", err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	db := databasetest.Empty(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := schema.Up(t.Context(), owner(t, db), databasetest.Roles, noSecret); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var products int
	if err := db.Admin(t).QueryRow(t.Context(), "SELECT count(*) FROM products").Scan(&products); err != nil || products != 12 {
		t.Errorf("%d products (%v), want 12", products, err)
	}
}

func TestValidate(t *testing.T) {
	err := schema.Validate([]schema.Role{
		{Name: "orders", Access: "write"}, {Name: "orders", Access: schema.ReadOnly}, {Access: schema.ReadOnly},
	})
	const want = `role "orders" has the access "write": it must be read-write or read-only
role "orders" is there twice
a role has no name`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestAStepDoesNotWaitForATableForLong(t *testing.T) {
	db := databasetest.Empty(t)
	up(t, db, databasetest.Roles, noSecret)
	owner := db.Admin(t)
	// as if the last step had not been applied, while somebody holds what it needs
	if _, err := owner.Exec(t.Context(), "DELETE FROM goose_db_version WHERE version_id = 2; DELETE FROM products"); err != nil {
		t.Fatal(err)
	}
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // nothing to lose
	if _, err := tx.Exec(t.Context(), "LOCK TABLE products"); err != nil {
		t.Fatal(err)
	}
	config, err := db.Config(databasetest.Owner).Conn()
	if err != nil {
		t.Fatal(err)
	}
	err = schema.Up(t.Context(), config, databasetest.Roles, noSecret)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "55P03" {
		t.Errorf("got %v, want lock_not_available", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	up(t, db, databasetest.Roles, noSecret)
}
