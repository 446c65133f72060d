package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// pretend writes a program that stands in for a scanner.
func pretend(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the stand-in for a scanner is a shell script")
	}
	path := filepath.Join(t.TempDir(), "scanner")
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

// tfsec is a script that prints a report in which a check of the queue has this status.
func tfsec(status string) string {
	return `echo '{"results": [` +
		`{"long_id": "aws-sqs-enable-queue-encryption", "status": ` + status + `, "resource": "aws_sqs_queue.q"},` +
		`{"long_id": "aws-sqs-no-wildcards-in-policy-documents", "status": 1, "resource": "aws_sqs_queue.q"}]}'`
}

// stacks is a folder with a stack in both forms.
func stacks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"cdk.tf.json": `{"resource": {"aws_sqs_queue": {"q": {"name": "q"}}}}`,
		"cdk.tf":      "resource \"aws_sqs_queue\" \"q\" {\nname = \"q\"\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "dev", file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// arguments name the stand-ins for both scanners, which run these scripts, and a folder with a stack.
func arguments(t *testing.T, checkov, tfsec string, more ...string) []string {
	t.Helper()
	dir := stacks(t)
	return slices.Concat([]string{"-checkov", pretend(t, checkov), "-tfsec", pretend(t, tfsec), "-hcl", dir}, more, []string{dir})
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
			return arguments(t, report("passed"), tfsec("1"), "-exceptions")
		}, passed, "passed", ""},
		{"a finding of checkov", func(t *testing.T) []string {
			return arguments(t, report("failed"), tfsec("1"))
		}, problems, "CKV_AWS_27", ""},
		{"a finding of tfsec", func(t *testing.T) []string {
			return arguments(t, report("passed"), tfsec("0"))
		}, problems, "aws-sqs-enable-queue-encryption", ""},
		{"checkov fails", func(t *testing.T) []string {
			return arguments(t, "echo it broke >&2; exit 2", tfsec("1"))
		}, failed, "", "it broke"},
		{"tfsec fails", func(t *testing.T) []string {
			return arguments(t, report("passed"), "echo it broke >&2; exit 1")
		}, failed, "", "it broke"},
		{"checkov prints no report", func(t *testing.T) []string {
			return arguments(t, "echo hello", tfsec("1"))
		}, failed, "", "no JSON report"},
		{"no checkov", func(t *testing.T) []string {
			return []string{"-checkov", filepath.Join(t.TempDir(), "checkov"), "-hcl", ".", stacks(t)}
		}, failed, "", "make tools"},
		{"no stacks", func(t *testing.T) []string { return []string{"-hcl", ".", t.TempDir()} }, failed, "", "make synth"},
		{"no HCL", func(t *testing.T) []string { return []string{t.TempDir()} }, failed, "", "usage:"},
		{"a file that cannot be written", func(t *testing.T) []string {
			return arguments(t, report("passed"), tfsec("1"), "-sarif", filepath.Join(t.TempDir(), "absent", "scan.sarif"))
		}, failed, "passed", "scan.sarif"},
		{"unknown flag", func(*testing.T) []string { return []string{"-fast"} }, failed, "", "usage:"},
		{"two folders", func(*testing.T) []string { return []string{"-hcl", ".", "a", "b"} }, failed, "", "usage:"},
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

func TestTheSARIFFileIsWrittenWhateverTheVerdict(t *testing.T) {
	for status, code := range map[string]int{"1": passed, "0": problems} {
		file := filepath.Join(t.TempDir(), "scan.sarif")
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), arguments(t, report("passed"), tfsec(status), "-sarif", file), &stdout, &stderr); got != code {
			t.Errorf("exit code %d, want %d: %s%s", got, code, &stdout, &stderr)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := bytes.Contains(text, []byte(`"ruleId": "aws-sqs-enable-queue-encryption"`)); found != (code == problems) {
			t.Errorf("status %s: %s", status, text)
		}
	}
}
