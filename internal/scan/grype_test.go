package scan

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The database of the tests holds a vulnerability of Go's standard library, which every Go program has: this test, too.
func TestGrypeStopsAtWhatNoExceptionCovers(t *testing.T) {
	grype := tool(t, "bin/grype")
	database := t.TempDir()
	if out, err := exec.Command("go", "-C", "../../test/pipelines/grypedb", "run", ".", database).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exceptions := func(id string) []Exception {
		return []Exception{{ID: id, Reason: "the function is never called", Expires: "2026-12-31"}}
	}
	for name, test := range map[string]struct {
		exceptions []Exception
		want       string // what is found; nothing: it passes
	}{
		"no exception":              {nil, "CVE-2099-0001"},
		"its exception":             {exceptions("CVE-2099-0001"), ""},
		"an exception by its alias": {exceptions("GHSA-0000-0000-0001"), ""},
		"another exception":         {exceptions("CVE-2099-0003"), "CVE-2099-0001"},
	} {
		t.Run(name, func(t *testing.T) {
			rules, err := GrypeRules(test.exceptions)
			if err != nil {
				t.Fatal(err)
			}
			config := filepath.Join(write(t, t.TempDir(), "grype.yaml", string(rules)), "grype.yaml")
			cmd := exec.Command(grype, "file:"+program, "--config", config, "--fail-on", "high", "--only-fixed", "--by-cve", "--quiet")
			cmd.Env = append(os.Environ(), "GRYPE_DB_CACHE_DIR="+database, "GRYPE_DB_AUTO_UPDATE=false",
				"GRYPE_DB_VALIDATE_AGE=false", "GRYPE_CHECK_FOR_APP_UPDATE=false")
			cmd.WaitDelay = time.Minute
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if failed := errors.As(err, &exit) && exit.ExitCode() == 2; failed != (test.want != "") {
				t.Errorf("%v: %s", err, out)
			}
			if !strings.Contains(string(out), test.want) || strings.Contains(string(out), "CVE-2099-0002") {
				t.Errorf("found %s, want %q and nothing without a fix", out, test.want)
			}
		})
	}
}
