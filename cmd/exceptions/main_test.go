package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestExitCodeAndOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.yaml")
	list := "vulnerabilities: [{id: CVE-2099-0001, statement: the function is never called, expired_at: 2026-12-31}]"
	if err := os.WriteFile(file, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, today string
		args        []string
		code        int
		stdout      string
		stderr      string
	}{
		{"it holds", "2026-12-30", []string{file}, 0, "vulnerability: CVE-2099-0001", ""},
		{"it has expired", "2026-12-31", []string{file}, refused, "", "CVE-2099-0001: exception expired"},
		{"no list", "2026-12-30", []string{file + "s"}, failed, "", "list.yamls"},
		{"two lists", "2026-12-30", []string{file, file}, failed, "", "usage:"},
	} {
		now, err := time.Parse(time.DateOnly, test.today)
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		if code := run(test.args, now, &stdout, &stderr); code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.name, code, test.code)
		}
		if !strings.Contains(stdout.String(), test.stdout) || (test.stdout == "") != (stdout.Len() == 0) {
			t.Errorf("%s: stdout %q", test.name, &stdout)
		}
		if !strings.Contains(stderr.String(), test.stderr) || (test.stderr == "") != (stderr.Len() == 0) {
			t.Errorf("%s: stderr %q", test.name, &stderr)
		}
	}
}
