package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	harmless = `{"format_version": "1.2"}`
	loss     = `{"format_version": "1.2", "resource_changes": [{
		"address": "aws_sqs_queue.queues_mail_queue_293781CB", "mode": "managed", "type": "aws_sqs_queue",
		"name": "queues_mail_queue_293781CB", "change": {"actions": ["delete"], "before": {"name": "mail"}}}]}`
)

func TestExitCodeAndOutput(t *testing.T) {
	for _, test := range []struct {
		name, stdin    string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"nothing changes", harmless, nil, fine, "no changes", ""},
		{"data loss without labels to look at", loss, nil, fine, "queues/mail", ""},
		{"data loss without the label", loss, []string{"-labels", "bug, docs"}, refused, "Data may be lost", "approve-data-loss"},
		{"data loss without any label", loss, []string{"-labels", ""}, refused, "Data may be lost", "approve-data-loss"},
		{"data loss with the label", loss, []string{"-labels", "bug, approve-data-loss"}, fine, "Data may be lost", ""},
		{"no plan", "", nil, failed, "", "terraform show -json"},
		{"no such file", "", []string{"nowhere.json"}, failed, "", "nowhere.json"},
		{"no such stack", harmless, []string{"-stack", "nowhere.json"}, failed, "", "nowhere.json"},
		{"a verdict of two plans", "", []string{"-verdict", "v.json", "a", "b"}, failed, "", "of one plan"},
		{"unknown flag", "", []string{"-fast"}, failed, "", "usage:"},
		{"help", "", []string{"-h"}, fine, "", "usage:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(test.args, strings.NewReader(test.stdin), &stdout, &stderr); code != test.code {
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

// A pipeline reviews all stacks at once, and compares before it applies.
func TestSeveralPlansAndAnApprovedOne(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []struct{ stack, plan string }{{"dev", harmless}, {"prod", loss}} {
		if err := os.Mkdir(filepath.Join(dir, file.stack), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"plan.json": file.plan, "cdk.tf.json": "{}"} {
			if err := os.WriteFile(filepath.Join(dir, file.stack, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	dev, prod := filepath.Join(dir, "dev", "plan.json"), filepath.Join(dir, "prod", "plan.json")
	for _, test := range []struct {
		name   string
		args   []string
		code   int
		stdout []string
		stderr string
	}{
		{"both", []string{dev, prod}, fine, []string{"<code>dev</code>: no changes", "<code>prod</code>: data may be lost"}, ""},
		{"one of both without its label", []string{"-labels", "", dev, prod}, refused, []string{"no changes"}, "planreview: prod: "},
		{"as approved", []string{"-approved", prod, prod}, fine, []string{"data may be lost"}, ""},
		{"as approved, without its label", []string{"-approved", prod, "-labels", "", prod}, refused, []string{"data may be lost"}, "label"},
		{"more than was approved", []string{"-approved", dev, prod}, stale, []string{"data may be lost"}, "stale: "},
		{"less than was approved", []string{"-approved", prod, "-labels", "approve-data-loss", dev}, stale, []string{"no changes"},
			"queues/mail/queue"},
		{"nothing was approved", []string{"-approved", filepath.Join(dir, "none"), dev}, failed, nil, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(test.args, nil, &stdout, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.stdout {
				if !strings.Contains(stdout.String(), want) {
					t.Errorf("%q is not in %s", want, stdout.String())
				}
			}
			if got := stderr.String(); !strings.Contains(got, test.stderr) || (test.stderr == "") != (got == "") {
				t.Errorf("stderr %q, want %q in it", got, test.stderr)
			}
		})
	}
}

// The stack beside the plan gives the constructs' paths and the environment's name.
func TestStackBesideThePlan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "staging")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stack := `{"resource": {"aws_sqs_queue": {"queues_mail_queue_293781CB": {
		"//": {"metadata": {"path": "staging/queues/mail/renamed"}}}}}}`
	for file, text := range map[string]string{"plan.json": loss, "cdk.tf.json": stack} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	verdict := filepath.Join(dir, "verdict.json")
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-verdict", verdict, filepath.Join(dir, "plan.json")}, nil, &stdout, &stderr); code != fine {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	got := stdout.String()
	if !strings.HasPrefix(got, "<!-- planreview:staging -->\n") || !strings.Contains(got, "<code>renamed</code>") {
		t.Error(got)
	}
	text, err := os.ReadFile(verdict)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		DataLoss []struct{ Path string } `json:"data_loss"`
		Needs    []string                `json:"needs"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if len(read.DataLoss) != 1 || read.DataLoss[0].Path != "queues/mail/renamed" || len(read.Needs) != 1 {
		t.Errorf("verdict %s", text)
	}
}
