package database_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"shop/internal/app"
	"shop/internal/database"
	"shop/internal/database/databasetest"
)

func TestMain(m *testing.M) { databasetest.Main(m) }

func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, name := range []string{"HOST", "PORT", "NAME", "USER"} {
		t.Setenv("DATABASE_SHOP_"+name, "")
	}
	for name, value := range values {
		t.Setenv(name, value)
	}
}

func TestFromEnvNamesAllThatIsMissing(t *testing.T) {
	environment(t, map[string]string{"DATABASE_SHOP_PORT": "70000", "PGSSLROOTCERT": "/nowhere"})
	env := &app.Env{}
	database.FromEnv(env, "shop")
	err := env.Err()
	for _, want := range []string{
		"DATABASE_SHOP_HOST is not set", "DATABASE_SHOP_NAME is not set", "DATABASE_SHOP_USER is not set",
		`DATABASE_SHOP_PORT is "70000"`, "PGSSLROOTCERT cannot be read",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say: %s", err, want)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment(t, map[string]string{"PGSSLROOTCERT": empty})
	env = &app.Env{}
	database.FromEnv(env, "shop")
	if err := env.Err(); err == nil || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("an empty file of certificates gives %v", err)
	}
}

// libpq's variables, of which only PGSSLROOTCERT counts.
func TestOnlyTheLinksVariablesCount(t *testing.T) {
	environment(t, map[string]string{
		"DATABASE_SHOP_HOST": "db.example", "DATABASE_SHOP_PORT": "5433", "DATABASE_SHOP_NAME": "shop", "DATABASE_SHOP_USER": "orders",
		"PGSSLROOTCERT": databasetest.RootFile(), "PGHOST": "evil.example", "PGPORT": "1", "PGUSER": "root", "PGPASSWORD": "x",
		"PGDATABASE": "other", "PGSSLMODE": "disable", "PGAPPNAME": "y", "PGOPTIONS": "-c x=y", "PGTARGETSESSIONATTRS": "read-only",
		"PGTZ": "Asia/Tokyo", "SERVICE_NAME": "orders",
	})
	env := &app.Env{}
	config, err := database.FromEnv(env, "shop").Conn()
	if err := errors.Join(err, env.Err()); err != nil {
		t.Fatal(err)
	}
	got := []any{config.Host, config.Port, config.Database, config.User, config.Password, len(config.Fallbacks)}
	want := []any{"db.example", uint16(5433), "shop", "orders", "", 0}
	if diff := cmp.Diff(want, got); diff != "" || config.ValidateConnect != nil {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if tls := config.TLSConfig; tls == nil || tls.InsecureSkipVerify || tls.ServerName != "db.example" || tls.RootCAs == nil {
		t.Errorf("TLS is %+v", config.TLSConfig)
	}
	if len(config.RuntimeParams) != 1 || config.RuntimeParams["application_name"] != "orders" {
		t.Errorf("RDS Proxy refuses settings at login: %v", config.RuntimeParams)
	}
}

func TestToken(t *testing.T) {
	cfg := aws.Config{
		Region: "eu-west-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: "session"}, nil
		}),
	}
	token, err := database.Config{Host: "db.example", Port: 5432, User: "orders"}.Token(cfg)(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse("https://" + token)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Host != "db.example:5432" || q.Get("Action") != "connect" || q.Get("DBUser") != "orders" ||
		q.Get("X-Amz-Expires") != "900" || !strings.Contains(q.Get("X-Amz-Credential"), "/eu-west-1/rds-db/") || q.Get("X-Amz-Signature") == "" {
		t.Errorf("the token is %s", token)
	}
}

func TestServersWithoutACertificateForTheirNameAreRefused(t *testing.T) {
	db := databasetest.New(t)
	good := db.Config("orders")
	other, unknown := good, good
	other.Host = "127.0.0.1"
	unknown.Roots = x509.NewCertPool()
	for name, config := range map[string]database.Config{"another name": other, "an unknown authority": unknown} {
		err := ping(t, config)
		var tls *x509.HostnameError
		var authority *x509.UnknownAuthorityError
		if err == nil || (!errors.As(err, &tls) && !errors.As(err, &authority) && !strings.Contains(err.Error(), "x509")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ping(t, good); err != nil {
		t.Error(err)
	}
}

func ping(t *testing.T, config database.Config) error {
	t.Helper()
	pool, err := database.Open(t.Context(), config, func(context.Context) (string, error) { return "token", nil })
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	return database.Check(pool)(t.Context())
}

func TestEachConnectionGetsANewPassword(t *testing.T) {
	var mu sync.Mutex
	var asked int
	pool, err := database.Open(t.Context(), databasetest.New(t).Config("orders"), func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return "token", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var held []interface{ Release() }
	for range 3 {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	for _, conn := range held {
		conn.Release()
	}
	mu.Lock()
	defer mu.Unlock()
	if asked < 3 || pool.Config().MaxConns != database.MaxConns {
		t.Errorf("%d passwords for 3 connections", asked)
	}
}

func TestTheDatabaseGoesAndComesBack(t *testing.T) {
	pool := databasetest.New(t).Pool(t, "orders")
	if err := pool.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	databasetest.Stop(t)
	began := time.Now()
	if err := pool.Ping(t.Context()); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("while it is away: %v after %s", err, time.Since(began))
	}
	if err := database.Wait(t.Context(), 0, pool.Ping); err == nil {
		t.Error("waiting without patience succeeds")
	}
	done := make(chan error)
	go func() { done <- database.Wait(t.Context(), time.Minute, pool.Ping) }()
	time.Sleep(100 * time.Millisecond)
	databasetest.Start(t)
	if err := <-done; err != nil {
		t.Errorf("waiting for it: %v", err)
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	err := database.Wait(ctx, time.Hour, func(context.Context) error { return errors.New("away") })
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// Two transactions that take the same rows in different order deadlock, unless one is run again.
func TestTransactionsThatMeetAreRunAgain(t *testing.T) {
	pool := databasetest.New(t).Pool(t, "orders")
	var wg, met sync.WaitGroup
	met.Add(2)
	var mu sync.Mutex
	runs := 0
	for _, ids := range [][2]string{{"oak-desk", "tea-pot"}, {"tea-pot", "oak-desk"}} {
		wg.Go(func() {
			first := true
			err := database.Tx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
				mu.Lock()
				runs++
				mu.Unlock()
				for _, id := range ids {
					if _, err := tx.Exec(t.Context(), "UPDATE products SET stock = stock - 1 WHERE id = $1", id); err != nil {
						return err
					}
					if first { // each has the row that the other wants next
						first = false
						met.Done()
						met.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var stock []int
	rows, err := pool.Query(t.Context(), "SELECT stock FROM products WHERE id IN ('oak-desk', 'tea-pot')")
	if err != nil {
		t.Fatal(err)
	}
	if stock, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil || stock[0] != 9998 || stock[1] != 9998 || runs < 3 {
		t.Errorf("stock %v after %d runs (%v), want 9998 of each after a deadlock", stock, runs, err)
	}
}

// After a failover every connection of the pool is dead.
func TestDeadConnectionsAreReplaced(t *testing.T) {
	pool := databasetest.New(t).Pool(t, "orders")
	var wg sync.WaitGroup
	for range database.MaxConns {
		wg.Go(func() {
			if _, err := pool.Exec(t.Context(), "SELECT pg_sleep(0.1)"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	databasetest.Stop(t)
	databasetest.Start(t)
	for range database.MaxConns {
		err := database.Tx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "SELECT 1")
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestATransactionThatFailsLeavesNothing(t *testing.T) {
	pool := databasetest.New(t).Pool(t, "orders")
	runs := 0
	err := database.Tx(t.Context(), pool, pgx.TxOptions{}, func(tx pgx.Tx) error {
		runs++
		if _, err := tx.Exec(t.Context(), "DELETE FROM products"); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), `INSERT INTO outbox (message_id, kind, body, request_id)
			SELECT '00000000-0000-0000-0000-000000000001', 'k', '{}', 'r' FROM generate_series(1, 2)`)
		return err
	})
	if !database.Unique(err, "outbox_message_id_key") || database.Unique(err, "outbox_pkey") || runs != 1 {
		t.Errorf("%v after %d runs, want a violation of outbox_message_id_key after one", err, runs)
	}
	var products int
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM products").Scan(&products); err != nil || products != 12 {
		t.Errorf("%d products (%v), want 12", products, err)
	}
}
