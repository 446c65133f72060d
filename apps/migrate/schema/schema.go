// Package schema brings a database to the newest schema and makes the roles that services log in as.
package schema

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"shop/migrate/migrations"
)

// lock is a number of our own for pg_advisory_lock.
const lock = 0x73686f70 // "shop"

// versions is the table in which goose notes what it applied.
const versions = "goose_db_version"

// Up applies the steps that the database does not have yet, and makes its roles. Of two at once, one waits for the other. It may
// be interrupted anywhere and run again.
func Up(ctx context.Context, config *pgx.ConnConfig, roles []Role, put PutSecret) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which gives the lock back, too
	if err := takeLock(ctx, conn); err != nil {
		return fmt.Errorf("taking the lock of migrations: %w", err)
	}
	if err := migrate(ctx, config); err != nil {
		return err
	}
	return makeRoles(ctx, conn, roles, put)
}

func takeLock(ctx context.Context, conn *pgx.Conn) error {
	var ok bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lock).Scan(&ok); err != nil || ok {
		return err
	}
	slog.InfoContext(ctx, "another migration is running: waiting for its end")
	_, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lock)
	return err
}

// A step that waits for a table stops all who come for it later. Rather than that it fails, and is tried again when it suits.
const lockTimeout = "5s"

func provider(config *pgx.ConnConfig) (*goose.Provider, error) {
	config = config.Copy()
	config.RuntimeParams["lock_timeout"] = lockTimeout
	return goose.NewProvider(goose.DialectPostgres, stdlib.OpenDB(*config), migrations.Files)
}

func migrate(ctx context.Context, config *pgx.ConnConfig) error {
	steps, err := provider(config)
	if err != nil {
		return err
	}
	defer steps.Close() // with its connections
	done, err := steps.Up(ctx)
	for _, step := range done {
		slog.InfoContext(ctx, "applied", "step", step.Source.Path, "duration_ms", step.Duration.Milliseconds())
	}
	if err != nil {
		return err // it names the step
	}
	version, err := steps.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "the schema is up to date", "schema", version)
	return nil
}

// Status logs which steps the database has.
func Status(ctx context.Context, config *pgx.ConnConfig) error {
	steps, err := provider(config)
	if err != nil {
		return err
	}
	defer steps.Close()
	all, err := steps.Status(ctx)
	if err != nil {
		return err
	}
	for _, step := range all {
		args := []any{"step", step.Source.Path, "state", string(step.State)}
		if step.State == goose.StateApplied {
			args = append(args, "applied_at", step.AppliedAt.UTC())
		}
		slog.InfoContext(ctx, "step", args...)
	}
	return nil
}
