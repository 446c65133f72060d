package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// pretend writes a program that stands in for Checkov.
func pretend(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for checkov is a shell script")
	}
	path := filepath.Join(t.TempDir(), "checkov")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// report is a script that prints a report in which a check of the queue has this result.
func report(result string) string {
	record := `{"check_id": "CKV_AWS_27", "file_path": "/dev/cdk.tf.json", "resource": "resource.q"}`
	other := `{"check_id": "CKV_AWS_168", "file_path": "/dev/cdk.tf.json", "resource": "resource.q"}`
	if result == "passed" {
		return `echo '{"results": {"passed_checks": [` + record + `]}}'`
	}
	return `echo '{"results": {"passed_checks": [` + other + `], "failed_checks": [` + record + `]}}'`
}

func stacks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	stack := `{"resource": {"aws_sqs_queue": {"q": {"name": "q"}}}}`
	if err := os.WriteFile(filepath.Join(dir, "dev", "cdk.tf.json"), []byte(stack), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestExitCodeAndOutput(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   func(t *testing.T) []string
		code   int
		stdout string
		stderr string
	}{
		{"all stacks pass", func(t *testing.T) []string {
			return []string{"-exceptions", "-checkov", pretend(t, report("passed")), stacks(t)}
		}, passed, "passed", ""},
		{"a finding", func(t *testing.T) []string {
			return []string{"-checkov", pretend(t, report("failed")), stacks(t)}
		}, problems, "CKV_AWS_27", ""},
		{"checkov fails", func(t *testing.T) []string {
			return []string{"-checkov", pretend(t, "echo it broke >&2; exit 2"), stacks(t)}
		}, failed, "", "it broke"},
		{"checkov prints no report", func(t *testing.T) []string {
			return []string{"-checkov", pretend(t, "echo hello"), stacks(t)}
		}, failed, "", "no JSON report"},
		{"no checkov", func(t *testing.T) []string {
			return []string{"-checkov", filepath.Join(t.TempDir(), "checkov"), stacks(t)}
		}, failed, "", "make tools"},
		{"no stacks", func(t *testing.T) []string { return []string{t.TempDir()} }, failed, "", "make synth"},
		{"unknown flag", func(*testing.T) []string { return []string{"-fast"} }, failed, "", "usage:"},
		{"two folders", func(*testing.T) []string { return []string{"a", "b"} }, failed, "", "usage:"},
		{"help", func(*testing.T) []string { return []string{"-h"} }, passed, "", "usage:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), test.args(t), &stdout, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for name, pair := range map[string][2]string{
				"stdout": {stdout.String(), test.stdout}, "stderr": {stderr.String(), test.stderr},
			} {
				if got, want := pair[0], pair[1]; !strings.Contains(got, want) || (want == "") != (got == "") {
					t.Errorf("%s %q, want %q in it", name, got, want)
				}
			}
		})
	}
}
