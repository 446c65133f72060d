package live_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
)

// example synthesizes one of the sample systems into a folder of the test's own.
func example(t *testing.T, name string) (out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "cdktf.out")
	synth := exec.Command("go", "run", "./examples", name, out)
	synth.Dir = root
	if text, err := synth.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestTheExamplesValidate(t *testing.T) {
	begin(t)
	for _, name := range []string{"boutique", "options", "sockshop"} {
		t.Run(name, func(t *testing.T) {
			dir := example(t, name)
			names, err := stack.Names(dir)
			must(t, err)
			for _, name := range names {
				must(t, open(t, dir, name, os.Environ()).Validate(t.Context()))
			}
		})
	}
}

// What the platform does not choose is proven as well: EC2 instances, Aurora, FIFO, sidecars, host names, other protocols.
func TestEveryOptionAppliesReplansAndDestroys(t *testing.T) {
	begin(t)
	must(t, live.Prove(t.Context(), root, example(t, "options"), "demo", logger{t}))
}
