package github

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// install puts a gh on PATH that is this script.
func install(t *testing.T, script string) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestWhatGHSaysIsTheError(t *testing.T) {
	install(t, `echo '{"message": "Not Found"}'; echo "gh: Not Found (HTTP 404)" >&2; exit 1`)
	err := GH(CLI).Read(t.Context(), "repos/a/b", new(any))
	if !NotFound(err) || err.Error() != "gh api repos/a/b: gh: Not Found (HTTP 404)" {
		t.Errorf("%v", err)
	}
	install(t, `echo "gh: Forbidden (HTTP 403)" >&2; exit 1`)
	if err := GH(CLI).Read(t.Context(), "repos/a/b", new(any)); err == nil || NotFound(err) {
		t.Errorf("%v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := GH(CLI).Read(t.Context(), "repos/a/b", new(any)); err == nil || !strings.Contains(err.Error(), "https://cli.github.com") {
		t.Errorf("without gh: %v", err)
	}
}

func TestADocumentIsSentAsInput(t *testing.T) {
	dir := t.TempDir()
	install(t, `echo "$@" >`+dir+`/args; cat >`+dir+`/input`)
	if err := GH(CLI).Write(t.Context(), "PUT", "repos/a/b/topics", map[string]int{"one": 1}); err != nil {
		t.Fatal(err)
	}
	args, _ := os.ReadFile(filepath.Join(dir, "args"))
	input, _ := os.ReadFile(filepath.Join(dir, "input"))
	if string(args) != "api -X PUT --input - repos/a/b/topics\n" || string(input) != `{"one":1}` {
		t.Errorf("gh %s reads %s", args, input)
	}
}

func TestPagesComeOneAfterTheOther(t *testing.T) {
	gh := GH(func(context.Context, []byte, ...string) ([]byte, error) {
		return []byte(`{"jobs": [1, 2]}{"jobs": [3]}`), nil
	})
	type page struct{ Jobs []int }
	got, err := Pages[page](t.Context(), gh, "jobs")
	if diff := cmp.Diff([]page{{[]int{1, 2}}, {[]int{3}}}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	half := GH(func(context.Context, []byte, ...string) ([]byte, error) {
		return []byte(`{"jobs": [1, 2]}{"jobs"`), nil
	})
	if _, err := Pages[page](t.Context(), half, "jobs"); err == nil {
		t.Error("an answer that was cut off is taken for whole")
	}
}
