package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/emulator"
)

// Prove starts an emulator of its own, bootstraps it, applies the shared stack and cycles one environment on it. All of it
// happens in a temporary copy of the JSON in out, so the checkout stays clean. root is the repository's root.
func Prove(ctx context.Context, root, out, environment string, w io.Writer) (err error) {
	environments, err := Environments(out)
	if err != nil {
		return err
	}
	if !slices.Contains(environments, environment) {
		return fmt.Errorf("unknown environment %q: choose one of %s", environment, strings.Join(environments, ", "))
	}
	dir, err := os.MkdirTemp("", "live-"+environment+"-")
	if err != nil {
		return err
	}
	start := time.Now()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = errors.Join(fmt.Errorf("interrupted: the emulator and %s are gone, the checkout is as it was", dir), os.RemoveAll(dir))
			return
		}
		if err != nil {
			err = fmt.Errorf("%w\nlogs and Terraform's folders are kept in %s; `rm -r` it when you are done", err, dir)
			return
		}
		os.RemoveAll(dir)
		fmt.Fprintf(w, "%s is proven in %.0f s: applied, a second plan without changes, destroyed with nothing left\n",
			environment, time.Since(start).Seconds())
	}()
	return prove(ctx, root, out, dir, environment, w)
}

func prove(ctx context.Context, root, out, dir, environment string, w io.Writer) (err error) {
	stacks := filepath.Join(dir, "cdktf.out")
	if err := Copy(out, stacks, bootstrap.Name, Shared, environment); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "terraform.log"))
	if err != nil {
		return err
	}
	defer log.Close()

	progress := NewProgress(w)
	var e *emulator.Emulator
	err = progress.step("emulator", "start", func() (string, error) {
		var err error
		e, err = emulator.Start(ctx, emulator.Config{Root: root, Dir: filepath.Join(dir, "emulator")})
		if err != nil {
			return "", err
		}
		return e.URL(), nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()

	env, err := Environ(e, stacks)
	if err != nil {
		return err
	}
	err = progress.step(bootstrap.Name, "apply, move", func() (string, error) {
		return "its state is in its bucket", bootstrap.Run(ctx, bootstrap.Options{Dir: stacks, Env: env, Log: log})
	})
	if err != nil {
		return err
	}
	// The emulator dies with this process: after a failure there is nothing worth destroying.
	o := Options{Dir: stacks, Env: env, Progress: progress, Log: log, Disposable: true}
	return Cycle(ctx, o, Shared, environment)
}
