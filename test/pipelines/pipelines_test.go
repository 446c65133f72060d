//go:build pipelines

// Package pipelines_test runs the workflows of .github/workflows, as they are, by act on this machine: against the emulated
// platform with all its environments and real containers. Run it with
//
//	make pipelines
//
// What is real: the programs, Terraform, Docker builds, the registry, the releases, Syft and Grype. What stands in: GitHub and the
// actions of others (standin, actions), Grype's database (grypedb). What act does not do is told from the YAML instead: that an
// environment waits for its reviewers, and that runs wait for each other.
//
// It takes the better part of an hour, so it is not a part of make test, which looks at the YAML alone. Where the machine runs no
// containers all of it is skipped.
package pipelines_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"aws-microservices/internal/containers"
	"aws-microservices/internal/live"
	"aws-microservices/stacks"
	"aws-microservices/test/pipelines/github"
)

var act = filepath.Join(root, ".tools", "bin", "act")

// world is what all tests share: the platform with all its environments, and GitHub.
type world struct {
	*live.Sandbox
	dir    string
	log    *os.File
	github github.Store
	// environment is what act gives the jobs, and variables are the repository's.
	environment, variables map[string]string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if !started {
		os.Exit(code) // asked only now, running would start it
	}
	if w, _ := running(); w != nil && w.Sandbox != nil {
		code = w.Close(w.dir, code)
	}
	os.Exit(code)
}

var started bool

// open returns the world, which the first test brings up.
func open(t *testing.T) *world {
	t.Helper()
	w, err := running()
	if err != nil {
		t.Fatal(err)
	}
	if w.Without != nil {
		t.Skip(w.Without)
	}
	return w
}

var running = sync.OnceValues(func() (*world, error) {
	started = true
	dir, err := os.MkdirTemp("", "pipelines-test-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, github: github.Store{Dir: filepath.Join(dir, "github")}}
	if w.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		return nil, err
	}
	live.UseMirror(root)
	if err := w.up(context.Background()); err != nil {
		return w, fmt.Errorf("%w\nlogs: %s", err, dir)
	}
	return w, nil
})

func (w *world) up(ctx context.Context) error {
	var err error
	if w.Sandbox, err = live.OpenSandbox(ctx, root, w.dir, w.log); err != nil || w.Without != nil {
		return err
	}
	if _, err := os.Stat(act); err != nil {
		return fmt.Errorf("%w: make scanners", err)
	}
	for _, dir := range []string{w.github.Dir, w.bin()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := w.build(ctx); err != nil {
		return err
	}
	for _, image := range []containers.Image{containers.Go, containers.PostgreSQL} {
		if _, err := w.Emulator.Engine.Provide(ctx, image); err != nil {
			return err
		}
	}
	if err := w.Bootstrap(ctx); err != nil {
		return err
	}
	if err := w.Apply(ctx, live.Shared); err != nil {
		return err
	}
	// All at once, because Terraform mostly waits.
	errs := make([]error, len(stacks.All.Environments))
	var all sync.WaitGroup
	for i, e := range stacks.All.Environments {
		all.Go(func() { errs[i] = w.Apply(ctx, e.Name) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return w.settle(ctx)
}

// bin is the folder of what stands in for GitHub's programs.
func (w *world) bin() string { return filepath.Join(w.dir, "bin") }

// build builds the stand-ins and the database of vulnerabilities.
func (w *world) build(ctx context.Context) error {
	for _, command := range [][]string{
		{"go", "build", "-o", filepath.Join(w.bin(), "standin"), "./test/pipelines/standin"},
		{"ln", "-s", "standin", filepath.Join(w.bin(), "gh")},
		{"go", "-C", "test/pipelines/grypedb", "run", ".", filepath.Join(w.dir, "grypedb")},
	} {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = root
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, text)
		}
	}
	return nil
}

// settle says what the jobs are given: the emulator as AWS, the engine, the stand-ins, and the repository's variables.
func (w *world) settle(ctx context.Context) error {
	shared := stacks.All.Shared
	w.variables = map[string]string{"AWS_ACCOUNT_ID": shared.AccountID, "AWS_REGION": shared.Region}
	for _, e := range stacks.All.Environments {
		cfg, err := w.ConfigOf(ctx, e)
		if err != nil {
			return err
		}
		listed, err := cloudfront.NewFromConfig(cfg).ListDistributions(ctx, nil)
		if err != nil {
			return err
		}
		if n := len(listed.DistributionList.Items); n != 1 {
			return fmt.Errorf("environment %s has %d distributions", e.Name, n)
		}
		w.variables["SITE_URL_"+strings.ToUpper(e.Name)] = w.Emulator.SiteURLOf(*listed.DistributionList.Items[0].DomainName)
	}
	w.environment = map[string]string{
		"GITHUB_STANDIN": w.github.Dir,
		"CACHED_TOOLS":   filepath.Join(root, ".tools"),
		// Grype as it is without a network, with the database of the tests.
		"GRYPE_DB_CACHE_DIR": filepath.Join(w.dir, "grypedb"), "GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_DB_VALIDATE_AGE": "false",
		"GRYPE_DB_VALIDATE_BY_HASH_ON_START": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false",
	}
	for _, row := range w.Env {
		name, value, _ := strings.Cut(row, "=")
		// The emulator's address, and nobody logged in: that is what a job's role is for.
		if slices.Contains([]string{"AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "NO_PROXY", "no_proxy"}, name) {
			w.environment[name] = value
		}
	}
	for _, row := range w.Emulator.Engine.Environ() {
		name, value, _ := strings.Cut(row, "=")
		w.environment[name] = value
	}
	return nil
}

// processEnvironment is that of programs: this process's, with the stand-ins first on the path, and no AWS account.
func (w *world) processEnvironment() []string {
	environment := slices.DeleteFunc(os.Environ(), func(row string) bool {
		return strings.HasPrefix(row, "AWS_") || strings.HasPrefix(row, "GITHUB_") || strings.HasPrefix(row, "TF_VAR_")
	})
	path := strings.Join([]string{w.bin(), filepath.Join(root, ".tools", "bin"), os.Getenv("PATH")}, string(os.PathListSeparator))
	return append(environment, "PATH="+path)
}
