// Package database opens a service's database: a small pool of connections that log in with tokens of IAM in place of a password,
// over TLS that checks the server's name and certificate.
package database

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/app"
)

// Who signs RDS's certificates: the authorities of the 27 regions that there were in 2022, without those that have expired. AWS
// publishes the newest, of all regions, at https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem: for another region,
// put that in its place.
//
//go:embed rds-global-bundle.pem
var rdsRoots []byte

// Who signs RDS Proxy's, which come from ACM: https://www.amazontrust.com/repository/
//
//go:embed rds-proxy-roots.pem
var proxyRoots []byte

// MaxConns is how many connections a task opens to a database.
const MaxConns = 8

const (
	connectTimeout = 2 * time.Second
	pause          = 2 * time.Second // between two tries of Wait
)

// Config says where a database is and who logs in.
type Config struct {
	Host string
	Port int
	// Name of the database, User to log in as.
	Name, User string
	// Roots sign the server's certificate.
	Roots *x509.CertPool
}

// FromEnv reads DATABASE_<NAME>_HOST, _PORT, _NAME and _USER. Certificates are checked against the file that PGSSLROOTCERT names,
// as libpq would; without it, against AWS's authorities.
func FromEnv(env *app.Env, name string) Config {
	prefix := "DATABASE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	return Config{
		Host: env.String(prefix + "_HOST"),
		Port: env.Port(prefix + "_PORT"),
		Name: env.String(prefix + "_NAME"),
		User: env.String(prefix + "_USER"),

		Roots: roots(env),
	}
}

func roots(env *app.Env) *x509.CertPool {
	pool := x509.NewCertPool()
	file := env.Optional("PGSSLROOTCERT")
	if file == "" {
		pool.AppendCertsFromPEM(rdsRoots)
		pool.AppendCertsFromPEM(proxyRoots)
		return pool
	}
	text, err := os.ReadFile(file)
	if err != nil {
		env.Problem("PGSSLROOTCERT", "cannot be read: %w", err)
	} else if !pool.AppendCertsFromPEM(text) {
		env.Problem("PGSSLROOTCERT", "is %s, which has no certificate in it", file)
	}
	return pool
}

// Password gives the password of a new connection.
type Password func(ctx context.Context) (string, error)

// Token is the password of a role that logs in with IAM: signed here, valid for 15 minutes.
func (c Config) Token(cfg aws.Config) Password {
	endpoint := net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	return func(ctx context.Context) (string, error) {
		return auth.BuildAuthToken(ctx, endpoint, cfg.Region, c.User, cfg.Credentials)
	}
}

// Conn is how a connection is made. It reads none of libpq's variables.
func (c Config) Conn() (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=disable") // TLS is below, and there is no fallback from it
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database, config.User = c.Host, uint16(c.Port), c.Name, c.User
	config.Password = ""
	config.TLSConfig = &tls.Config{ServerName: c.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
	config.Fallbacks = nil
	config.ConnectTimeout = connectTimeout
	config.ValidateConnect = nil
	// RDS Proxy refuses most settings at login. The roles have theirs in the database: see migrate.
	config.RuntimeParams = map[string]string{"application_name": os.Getenv("SERVICE_NAME")}
	return config, nil
}

// Open makes a pool. It does not connect yet: a service starts while its database is away.
func Open(ctx context.Context, c Config, password Password) (*pgxpool.Pool, error) {
	conn, err := c.Conn()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.ConnConfig = conn
	config.MaxConns = MaxConns
	config.MinConns = 0
	config.MaxConnLifetime = time.Hour
	config.MaxConnLifetimeJitter = 10 * time.Minute
	config.MaxConnIdleTime = 10 * time.Minute
	config.HealthCheckPeriod = 30 * time.Second
	config.BeforeConnect = func(ctx context.Context, conn *pgx.ConnConfig) (err error) {
		conn.Password, err = password(ctx)
		return err
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// Tx runs work in a transaction and commits it if work returns nil. When PostgreSQL gives up on it in favour of another
// (serialization failure, deadlock) it is run again, five times in all; and so it is for each connection of the pool that turns out
// to be dead, as all do after a failover. So work must not have effects elsewhere.
func Tx(ctx context.Context, pool *pgxpool.Pool, options pgx.TxOptions, work func(tx pgx.Tx) error) error {
	yields, dead := 0, 0
	for {
		err := pgx.BeginTxFunc(ctx, pool, options, work)
		switch {
		case errors.Is(err, pgconn.ErrConnClosed) && dead < MaxConns:
			dead++
		case yielded(err) && yields < 4:
			yields++
			select {
			case <-ctx.Done():
				return err
			case <-time.After(time.Duration(rand.IntN(20*yields)+1) * time.Millisecond):
			}
		default:
			return err
		}
	}
}

// yielded: https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
func yielded(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// Unique says that an error is the violation of a unique constraint, e.g. "orders_idempotency_key_key".
func Unique(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.ConstraintName == constraint
}

// Wait is for jobs, which have no requests to answer meanwhile: it tries to log in for as long as patience, because a database
// that slept takes minutes to wake.
func Wait(ctx context.Context, patience time.Duration, login func(context.Context) error) error {
	deadline := time.Now().Add(patience)
	for {
		err := login(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("the database cannot be reached: %w", err)
		}
		slog.WarnContext(ctx, "waiting for the database", "error", err.Error())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Check is for App.Check: does the database answer?
func Check(pool *pgxpool.Pool) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("database: %w", err)
		}
		return nil
	}
}
