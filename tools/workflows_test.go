// Package tools tests the scripts of this folder.
package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// workflow is a good one.
const workflow = `name: example
on: push
permissions: {}
jobs:
  example:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/upload-artifact@330a01c490aca151604b8cf639adc76d48f6c5d4 # v5.0.0
        with:
          name: example
          path: example
      - run: echo "$GITHUB_REF_NAME"
concurrency:
  group: example
  queue: max
`

func TestWorkflowsAreLinted(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the linters")
	}
	for name, test := range map[string]struct{ from, to, want string }{
		"a good one":                {"", "", ""},
		"a pin without its version": {" # v5.0.0", "", "pin each of these"},
		"a pin to a major version":  {"# v5.0.0", "# v5", "pin each of these"},
		"a tag":                     {"330a01c490aca151604b8cf639adc76d48f6c5d4 # v5.0.0", "v5", "pin each of these"},
		"an input that is not":      {"path: example", "paths: example", `input "paths" is not defined`},
		"an unknown key":            {"timeout-minutes", "timeout", `unexpected key "timeout"`},
		"untrusted text in a script": {`"$GITHUB_REF_NAME"`, "${{ github.event.head_commit.message }}",
			`"github.event.head_commit.message" is potentially untrusted`},
		"credentials that stay": {"actions/upload-artifact@330a01c490aca151604b8cf639adc76d48f6c5d4 # v5.0.0\n        with:\n          name: example\n          path: example",
			"actions/checkout@93cb6efe18208431cddfb8368fd83d5badbf9bfd # v5.0.1", "artipacked"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := checkout(t)
			text := strings.Replace(workflow, test.from, test.to, 1)
			if err := os.WriteFile(filepath.Join(dir, ".github", "workflows", "example.yml"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(filepath.Join(dir, "tools", "workflows.sh")).CombinedOutput()
			if (err != nil) != (test.want != "") || !strings.Contains(string(out), test.want) {
				t.Errorf("error %v, want %q in\n%s", err, test.want, out)
			}
		})
	}
}

// checkout is a repository with the configuration, the scripts and the tools of this one, and no workflow.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	tools, err := filepath.Abs("../.tools")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "init", "--quiet", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, folder := range []string{"tools", ".github/workflows"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"tools/workflows.sh", "tools/env.sh", ".github/zizmor.yml", ".github/actionlint.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(tools, filepath.Join(dir, ".tools")); err != nil {
		t.Fatal(err)
	}
	return dir
}
