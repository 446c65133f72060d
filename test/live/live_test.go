// Package live_test runs the synthesized JSON with the real Terraform and the real AWS provider against the AWS emulator:
// the very files that production gets. Run it with
//
//	source tools/env.sh && go test -timeout 30m -v ./test/live
//
// With -short all of it is skipped. It needs the project's tools and cdktf.out, and says so where they are missing.
package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/emulator"
	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
)

var (
	root, _ = filepath.Abs("../..")
	out     = filepath.Join(root, "cdktf.out")

	// scratch holds what several tests share; removed in the end.
	scratch string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "live-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	// A live test mostly waits, for the provider that waits for AWS: more of them at once than there are cores.
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("4"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	live.UseMirror(root)
	defer func() {
		for _, w := range worlds {
			if err := w.emulator.Kill(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return m.Run()
}

// needed is what the tests cannot do without, and how to get it.
var needed = sync.OnceValue(func() error {
	var errs []error
	if _, err := exec.LookPath("terraform"); err != nil {
		errs = append(errs, errors.New("terraform is not on PATH: install it from https://developer.hashicorp.com/terraform/install"))
	}
	_, err := stack.Names(out)
	return errors.Join(append(errs, emulator.Installed(root), err)...)
})

// begin skips a live test under -short and fails it where the tools are missing.
func begin(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: this test runs Terraform against the AWS emulator; run it without -short")
	}
	if err := needed(); err != nil {
		t.Fatal(err)
	}
	t.Parallel()
}

// world is an emulator with a copy of the JSON to run on it.
type world struct {
	emulator *emulator.Emulator
	dir      string
	env      []string
}

var (
	worldsMu sync.Mutex
	worlds   []*world
)

// newWorld starts an emulator that nothing has been made in. dir is where its files and the copy of the JSON go.
func newWorld(dir string) (*world, error) {
	names, err := stack.Names(out)
	if err != nil {
		return nil, err
	}
	w := &world{dir: filepath.Join(dir, "cdktf.out")}
	if err := live.Copy(out, w.dir, names...); err != nil {
		return nil, err
	}
	w.emulator, err = emulator.Start(context.Background(), emulator.Config{Root: root, Dir: filepath.Join(dir, "emulator")})
	if err != nil {
		return nil, err
	}
	worldsMu.Lock()
	worlds = append(worlds, w)
	worldsMu.Unlock()
	w.env, err = live.Environ(w.emulator, w.dir)
	return w, err
}

// emptyWorld is a world of the test's own.
func emptyWorld(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.emulator.Kill(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// sharedWorld is bootstrapped and has the shared stack applied. The tests that use it leave both alone.
func sharedWorld(t *testing.T) *world {
	t.Helper()
	w, err := bootstrapped()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var bootstrapped = sync.OnceValues(func() (*world, error) {
	w, err := newWorld(scratch)
	if err != nil {
		return nil, err
	}
	if err := bootstrap.Run(context.Background(), bootstrap.Options{Dir: w.dir, Env: w.env}); err != nil {
		return nil, err
	}
	s, err := stack.Open(w.dir, live.Shared, stack.Options{Env: w.env})
	if err != nil {
		return nil, err
	}
	return w, errors.Join(s.Init(context.Background()), s.Apply(context.Background()))
})

// open opens one of the world's stacks.
func (w *world) open(t *testing.T, name string, log ...*lines) *stack.Stack {
	t.Helper()
	return open(t, w.dir, name, w.env, log...)
}

func open(t *testing.T, dir, name string, env []string, log ...*lines) *stack.Stack {
	t.Helper()
	o := stack.Options{Env: env}
	if len(log) > 0 {
		o.Log = log[0]
	}
	s, err := stack.Open(dir, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// extraStack writes a small stack of the test's own into a new folder, with the backend and the provider of the shared
// stack, and initializes it. Called twice it gives two operators' checkouts of the same stack.
func (w *world) extraStack(t *testing.T, name string, resources map[string]any, log ...*lines) *stack.Stack {
	t.Helper()
	doc := document(t, live.Shared)
	backend := doc["terraform"].(map[string]any)["backend"].(map[string]any)["s3"].(map[string]any)
	backend["key"] = name + "/terraform.tfstate"
	dir := t.TempDir()
	write(t, dir, name, doc, resources)
	s := open(t, dir, name, w.env, log...)
	must(t, s.Init(t.Context()))
	return s
}

// document is the JSON of a stack.
func document(t *testing.T, name string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(out, "stacks", name, stack.File))
	must(t, err)
	var doc map[string]any
	must(t, json.Unmarshal(text, &doc))
	return doc
}

// write makes a stack of the backend and the providers of doc, with other resources.
func write(t *testing.T, dir, name string, doc, resources map[string]any) {
	t.Helper()
	made := map[string]any{"resource": resources}
	for _, block := range []string{"terraform", "provider", "variable"} {
		if doc[block] != nil {
			made[block] = doc[block]
		}
	}
	text, err := json.Marshal(made)
	must(t, err)
	folder := filepath.Join(dir, "stacks", name)
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, stack.File), text, 0o644))
}

// lines collects a program's output and lets a test wait for a line of it.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns when the output contains text, or false when done is closed first.
func (l *lines) await(text string, done <-chan struct{}) bool {
	for !strings.Contains(l.String(), text) {
		select {
		case <-l.more:
		case <-done:
			return strings.Contains(l.String(), text)
		}
	}
	return true
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// state reads a stack's state from its backend.
func state(t *testing.T, s *stack.Stack) stack.State {
	t.Helper()
	state, err := s.State(t.Context())
	must(t, err)
	return state
}

// mustBeUpToDate fails where a plan would change something.
func mustBeUpToDate(t *testing.T, s *stack.Stack) {
	t.Helper()
	plan, err := s.Diff(t.Context())
	must(t, err)
	if !plan.Empty() {
		t.Errorf("stack %s: the plan should be empty, but would\n%s", s.Name, plan)
	}
}
