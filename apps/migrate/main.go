// Command migrate brings the database to the newest schema and makes the roles that services log in as. It is the one task that
// knows the master's password.
//
//	app           apply what is missing, make the roles
//	app status    log which steps have been applied
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"

	"shop/internal/app"
	"shop/internal/cloud"
	"shop/internal/database"
	"shop/migrate/schema"
)

// patience is how long the database may take to answer.
const patience = 2 * time.Minute

func main() {
	status := len(os.Args) == 2 && os.Args[1] == "status"
	if len(os.Args) > 1 && !status {
		fmt.Fprintln(os.Stderr, "usage: app [status]")
		os.Exit(2)
	}
	app.Once(func(env *app.Env) func(context.Context) error {
		db := database.FromEnv(env, "shop")
		master := env.ARN("DATABASE_SHOP_SECRET_ARN", "secretsmanager")
		var roles []schema.Role
		env.JSON("DATABASE_SHOP_ROLES", &roles)
		if err := schema.Validate(roles); err != nil {
			env.Problem("DATABASE_SHOP_ROLES", "is wrong: %w", err)
		}
		return func(ctx context.Context) error {
			cfg, err := cloud.Load(ctx)
			if err != nil {
				return err
			}
			secrets := secretsmanager.NewFromConfig(cfg)
			config, err := db.Conn()
			if err != nil {
				return err
			}
			err = database.Wait(ctx, patience, func(ctx context.Context) error { return login(ctx, config, secrets, master) })
			if err != nil {
				return err
			}
			if status {
				return schema.Status(ctx, config)
			}
			return schema.Up(ctx, config, roles, putSecret(secrets))
		}
	})
}

// credentials are what the secrets hold: of the master, and of those whom RDS Proxy logs in.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// login tries to log in as the master, and leaves the password in config. It is read for each try, because RDS may be changing
// it.
func login(ctx context.Context, config *pgx.ConnConfig, secrets *secretsmanager.Client, master string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	value, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &master})
	if err != nil {
		return err
	}
	var c credentials
	if value.SecretString == nil || json.Unmarshal([]byte(*value.SecretString), &c) != nil || c.Username == "" || c.Password == "" {
		return errors.New(`the master's secret is not {"username": …, "password": …}`)
	}
	config.User, config.Password = c.Username, c.Password
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func putSecret(secrets *secretsmanager.Client) schema.PutSecret {
	return func(ctx context.Context, role schema.Role, password string) error {
		text, err := json.Marshal(credentials{role.Name, password})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		value := string(text)
		_, err = secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &role.Secret, SecretString: &value})
		return err
	}
}
