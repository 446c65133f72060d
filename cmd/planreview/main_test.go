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
		{"nothing changes", harmless, nil, readable, "no changes", ""},
		{"data loss without labels to look at", loss, nil, readable, "queues/mail", ""},
		{"data loss without the label", loss, []string{"-labels", "bug, docs"}, refused, "Data may be lost", "approve-data-loss"},
		{"data loss without any label", loss, []string{"-labels", ""}, refused, "Data may be lost", "approve-data-loss"},
		{"data loss with the label", loss, []string{"-labels", "bug, approve-data-loss"}, readable, "Data may be lost", ""},
		{"no plan", "", nil, failed, "", "terraform show -json"},
		{"no such file", "", []string{"nowhere.json"}, failed, "", "nowhere.json"},
		{"no such stack", harmless, []string{"-stack", "nowhere.json"}, failed, "", "nowhere.json"},
		{"two files", "", []string{"a", "b"}, failed, "", "one plan at most"},
		{"unknown flag", "", []string{"-fast"}, failed, "", "usage:"},
		{"help", "", []string{"-h"}, readable, "", "usage:"},
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
	if code := run([]string{"-verdict", verdict, filepath.Join(dir, "plan.json")}, nil, &stdout, &stderr); code != readable {
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
