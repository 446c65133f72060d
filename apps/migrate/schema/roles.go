package schema

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
)

// What a role may do.
const (
	ReadWrite = "read-write"
	ReadOnly  = "read-only"
)

// Role is a database role that a service logs in as.
type Role struct {
	// Name is the service's.
	Name string `json:"role"`
	// Access is ReadWrite or ReadOnly.
	Access string `json:"access"`
	// Secret is the ARN of the secret that gets the role's password, for RDS Proxy. Defaults to none: then the role logs in with
	// tokens of IAM, which rule a password out.
	Secret string `json:"secret,omitempty"`
}

// Validate finds all that is wrong with the roles.
func Validate(roles []Role) error {
	var problems []error
	seen := map[string]bool{}
	for _, r := range roles {
		if r.Name == "" {
			problems = append(problems, errors.New("a role has no name"))
		}
		if seen[r.Name] {
			problems = append(problems, fmt.Errorf("role %q is there twice", r.Name))
		}
		seen[r.Name] = true
		if r.Access != ReadWrite && r.Access != ReadOnly {
			problems = append(problems, fmt.Errorf("role %q has the access %q: it must be %s or %s",
				r.Name, r.Access, ReadWrite, ReadOnly))
		}
	}
	return errors.Join(problems...)
}

// PutSecret puts the new password of a role into its secret.
type PutSecret func(ctx context.Context, role Role, password string) error

// mark is the comment on the roles made here. No others are touched.
const mark = "made by migrate for a service"

// Settings of the roles. They are in the database because RDS Proxy refuses them at login, and a SET would pin a connection.
var settings = []string{
	"statement_timeout = '10s'", // longer than a request may take; who asked has gone by then
	"idle_in_transaction_session_timeout = '30s'",
}

// makeRoles makes each role what it should be, in one transaction: a service that works keeps what it has meanwhile.
func makeRoles(ctx context.Context, conn *pgx.Conn, roles []Role, put PutSecret) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to roll back after a commit
	run := runner{ctx: ctx, tx: tx, database: pgx.Identifier{conn.Config().Database}.Sanitize()}
	// Who is not listed has no business in this database, and nobody makes temporary tables in it.
	run.exec("REVOKE ALL ON DATABASE %s FROM PUBLIC", run.database)
	var names []string
	for _, role := range roles {
		names = append(names, role.Name)
		run.grant(role)
	}
	run.retire(names)
	// The passwords come last. Until the commit the old ones hold, so the time in which a secret is ahead of the database is the
	// commit's. If this process dies within, the proxy lets nobody new in until migrate is run again.
	for _, role := range roles {
		if role.Secret != "" {
			run.password(role, put)
		}
	}
	if run.err != nil {
		return fmt.Errorf("making roles: %w", run.err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("making roles: %w", err)
	}
	for _, role := range roles {
		login := "iam"
		if role.Secret != "" {
			login = "password"
		}
		slog.InfoContext(ctx, "role", "role", role.Name, "access", role.Access, "login", login)
	}
	for _, name := range run.retired {
		slog.InfoContext(ctx, "role retired", "role", name)
	}
	return nil
}

// runner executes statements until the first error.
type runner struct {
	ctx      context.Context
	tx       pgx.Tx
	database string
	retired  []string
	err      error
}

func (r *runner) exec(format string, args ...any) {
	if r.err == nil {
		_, r.err = r.tx.Exec(r.ctx, fmt.Sprintf(format, args...))
	}
}

func (r *runner) query(into any, sql string, args ...any) {
	if r.err == nil {
		r.err = r.tx.QueryRow(r.ctx, sql, args...).Scan(into)
	}
}

func (r *runner) grant(role Role) {
	var comment *string // nil where there is no such role; "" where it has none
	r.query(&comment, `SELECT (
		SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1)`, role.Name)
	if r.err != nil {
		return
	}
	name := pgx.Identifier{role.Name}.Sanitize()
	switch {
	case comment == nil:
		r.exec("CREATE ROLE %s", name)
		r.exec("COMMENT ON ROLE %s IS '%s'", name, mark)
	case *comment != mark:
		r.err = fmt.Errorf("there is a role %q already that migrate did not make", role.Name)
	}
	r.revoke(name)
	r.exec("ALTER ROLE %s LOGIN", name)
	for _, setting := range settings {
		r.exec("ALTER ROLE %s SET %s", name, setting)
	}
	r.exec("GRANT CONNECT ON DATABASE %s TO %s", r.database, name)
	r.exec("GRANT USAGE ON SCHEMA public TO %s", name)
	tables := "SELECT"
	if role.Access == ReadWrite {
		tables = "SELECT, INSERT, UPDATE, DELETE"
		r.exec("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO %s", name)
		r.exec("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO %s", name)
	}
	r.exec("GRANT %s ON ALL TABLES IN SCHEMA public TO %s", tables, name)
	r.exec("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT %s ON TABLES TO %s", tables, name)
	r.exec("REVOKE ALL ON %s FROM %s", versions, name)
	if role.Secret == "" {
		r.exec("ALTER ROLE %s PASSWORD NULL", name)
		r.exec("GRANT rds_iam TO %s", name)
	}
}

// revoke takes away all that grant gives.
func (r *runner) revoke(name string) {
	r.exec("REVOKE ALL ON DATABASE %s FROM %s", r.database, name)
	r.exec("REVOKE ALL ON SCHEMA public FROM %s", name)
	for _, kind := range []string{"TABLES", "SEQUENCES"} {
		r.exec("REVOKE ALL ON ALL %s IN SCHEMA public FROM %s", kind, name)
		r.exec("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON %s FROM %s", kind, name)
	}
	var iam bool
	r.query(&iam, `SELECT EXISTS (SELECT FROM pg_auth_members
		WHERE roleid = 'rds_iam'::regrole AND member = $1::regrole)`, name)
	if iam {
		r.exec("REVOKE rds_iam FROM %s", name)
	}
}

// retire takes from the roles that are no longer listed all that they were given. They stay: what a person granted them goes
// with a DROP ROLE, and that is for a person to say.
func (r *runner) retire(listed []string) {
	if r.err != nil {
		return
	}
	rows, err := r.tx.Query(r.ctx, `SELECT rolname FROM pg_roles
		WHERE shobj_description(oid, 'pg_authid') = $1 AND rolcanlogin AND rolname <> ALL ($2) ORDER BY rolname`, mark, listed)
	if err != nil {
		r.err = err
		return
	}
	if r.retired, r.err = pgx.CollectRows(rows, pgx.RowTo[string]); r.err != nil {
		return
	}
	for _, role := range r.retired {
		name := pgx.Identifier{role}.Sanitize()
		r.revoke(name)
		r.exec("ALTER ROLE %s NOLOGIN PASSWORD NULL", name)
	}
}

func (r *runner) password(role Role, put PutSecret) {
	password := rand.Text() + rand.Text() // 260 bits
	verifier, err := scram(password)
	if err != nil {
		r.err = errors.Join(r.err, err)
	}
	r.exec("ALTER ROLE %s PASSWORD '%s'", pgx.Identifier{role.Name}.Sanitize(), verifier)
	if r.err == nil {
		r.err = put(r.ctx, role, password)
	}
}

// scram is what PostgreSQL keeps of a password. It is made here because the statement may be written to the server's log.
// https://www.postgresql.org/docs/current/catalog-pg-authid.html
func scram(password string) (string, error) {
	const iterations = 4096
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	of := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(of(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	server := of(salted, "Server Key")
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(server)), nil
}
