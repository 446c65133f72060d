package live_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aws-microservices/internal/bootstrap"
	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
)

func TestBootstrapMovesItsStateIntoItsBucket(t *testing.T) {
	begin(t)
	w := emptyWorld(t)
	json := filepath.Join(w.dir, "stacks", bootstrap.Name, stack.File)
	before, err := os.ReadFile(json)
	must(t, err)

	must(t, bootstrap.Run(t.Context(), bootstrap.Options{Dir: w.dir, Env: w.env, Out: logger{t}}))

	mustBeBootstrapped(t, w)
	after, err := os.ReadFile(json)
	must(t, err)
	if string(before) != string(after) {
		t.Errorf("%s was altered", json)
	}
}

func TestBootstrapIsIdempotent(t *testing.T) {
	begin(t)
	w := sharedWorld(t)
	before := state(t, w.open(t, bootstrap.Name))
	progress := newLines()

	must(t, bootstrap.Run(t.Context(), bootstrap.Options{Dir: w.dir, Env: w.env, Out: progress}))

	if !strings.Contains(progress.String(), "nothing to change") {
		t.Errorf("the second run should say that there is nothing to change, but said:\n%s", progress)
	}
	if after := state(t, w.open(t, bootstrap.Name)); after.Serial != before.Serial {
		t.Errorf("the second run wrote the state: serial %d became %d", before.Serial, after.Serial)
	}
	mustBeBootstrapped(t, w)
}

// The program is killed, with all its children, at each point where it has made something and not yet told the bucket.
func TestBootstrapCarriesOnAfterAKill(t *testing.T) {
	begin(t)
	for _, test := range []struct {
		name string
		// reached tells whether it is time to kill.
		reached func(out *lines, local string) bool
	}{
		{"while it applies", func(_ *lines, local string) bool {
			kept, err := stack.ReadState(local)
			return err == nil && len(kept.IDs) > 0
		}},
		{"before the state is moved", func(out *lines, _ string) bool { return strings.Contains(out.String(), "applied:") }},
		{"before the local copy is deleted", func(out *lines, _ string) bool { return strings.Contains(out.String(), "state moved") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := emptyWorld(t)
			local := filepath.Join(w.dir, "stacks", bootstrap.Name, bootstrap.LocalState)
			killBootstrap(t, w, func(out *lines) bool { return test.reached(out, local) })

			kept, err := stack.ReadState(local)
			must(t, err)
			if len(kept.IDs) == 0 {
				t.Fatal("the killed run left no resources in its local state")
			}
			if exists(filepath.Join(w.dir, "stacks", bootstrap.Name, stack.OverrideFile)) {
				t.Log("the killed run left its override file, too")
			}
			must(t, bootstrap.Run(t.Context(), bootstrap.Options{Dir: w.dir, Env: w.env, Out: logger{t}}))

			mustBeBootstrapped(t, w)
			if lost := kept.Missing(state(t, w.open(t, bootstrap.Name))); len(lost) > 0 {
				t.Errorf("made before the kill and not in the bucket's state: %s", strings.Join(lost, ", "))
			}
		})
	}
}

// A local state that is not the bucket's may be all there is to know about somebody's resources.
func TestBootstrapKeepsALocalStateItDoesNotUnderstand(t *testing.T) {
	begin(t)
	w := sharedWorld(t)
	dir := t.TempDir()
	must(t, live.Copy(out, dir, bootstrap.Name))
	local := filepath.Join(dir, "stacks", bootstrap.Name, bootstrap.LocalState)
	foreign := `{"version":4,"serial":9,"lineage":"x","resources":[{"mode":"managed","type":"aws_s3_bucket","name":"other",
		"provider":"provider[\"registry.terraform.io/hashicorp/aws\"]","instances":[{"attributes":{"id":"somebody-elses"}}]}]}`
	must(t, os.WriteFile(local, []byte(foreign), 0o644))

	err := bootstrap.Run(t.Context(), bootstrap.Options{Dir: dir, Env: w.env})
	if err == nil || !strings.Contains(err.Error(), "aws_s3_bucket.other") {
		t.Errorf("the error should name aws_s3_bucket.other, but is: %v", err)
	}
	if kept, _ := os.ReadFile(local); string(kept) != foreign {
		t.Errorf("%s was touched", local)
	}
}

// mustBeBootstrapped checks what every run of bootstrap has to end with.
func mustBeBootstrapped(t *testing.T, w *world) {
	t.Helper()
	s := w.open(t, bootstrap.Name)
	for _, file := range []string{bootstrap.LocalState, bootstrap.LocalState + ".backup", stack.OverrideFile, "terraform.tfstate"} {
		if exists(s.Path(file)) {
			t.Errorf("%s was left behind", s.Path(file))
		}
	}
	must(t, s.Init(t.Context()))
	if held := state(t, s); len(held.IDs) != len(s.Resources) {
		t.Errorf("the state in %s holds %d resources, want the %d of the JSON", s.Backend, len(held.IDs), len(s.Resources))
	}
	mustBeUpToDate(t, s)
}

// bootstrapProgram is cmd/bootstrap, built once: a `go run` could not be killed without leaving its child.
var bootstrapProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "bootstrap-program")
	build := exec.Command("go", "build", "-o", path, "./cmd/bootstrap")
	build.Dir = root
	build.Stderr = os.Stderr
	return path, build.Run()
})

// killBootstrap starts the program and kills it and its children as soon as reached.
func killBootstrap(t *testing.T, w *world, reached func(*lines) bool) {
	t.Helper()
	program, err := bootstrapProgram()
	must(t, err)
	output := newLines()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, "-dir", w.dir)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, output, output
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	for !reached(output) {
		select {
		case <-ended:
			t.Fatalf("bootstrap ended before it could be killed:\n%s", output)
		case <-time.After(5 * time.Millisecond):
		}
	}
	killTree(t, cmd.Process.Pid)
	<-ended
}
