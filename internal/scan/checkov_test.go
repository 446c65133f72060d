package scan

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool is the path of a program below .tools, where make tools installs it.
func tool(t *testing.T, path string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("running a scanner takes seconds; left out with -short")
	}
	path = filepath.Join("..", "..", ".tools", filepath.FromSlash(path))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make tools", err)
	}
	return path
}

// A good stack: nothing in it is wrong but what is excepted. It holds what Checkov's parser would stumble over.
const goodStack = `{
	"//": {"metadata": {"stackName": "good"}},
	"terraform": {"required_version": ">= 1.11", "backend": {"s3": {"bucket": "state"}}},
	"moved": [{"from": "aws_sqs_queue.old", "to": "aws_sqs_queue.orders"}],
	"provider": {"aws": [{"region": "eu-west-1"}, {"alias": "us", "region": "us-east-1"}]},
	"data": {"aws_iam_policy_document": {"read": {
		"//": {"metadata": {"path": "good/read"}, "exceptions": [
			{"id": "CKV_AWS_356", "reason": "which keys there are is not known here", "expires": "2027-03-31"}]},
		"statement": [{"actions": ["kms:DescribeKey"], "resources": ["*"]}]}}},
	"resource": {
		"aws_sqs_queue": {"orders": {
			"//": {"metadata": {"path": "good/orders"}}, "name": "orders", "kms_master_key_id": "alias/orders"}},
		"aws_sns_topic": {"alarms": {
			"//": {"metadata": {"path": "good/alarms"}, "exceptions": [
				{"id": "CKV_AWS_26", "reason": "the messages hold nothing confidential", "expires": "2027-03-31"}]},
			"count": 2, "name": "alarms"}}}
}`

const badStack = `{
	"resource": {"aws_sqs_queue": {"orders": {
		"//": {"metadata": {"path": "bad/orders"}, "exceptions": [
			{"id": "CKV_AWS_168", "reason": "this was needed some time ago", "expires": "2027-03-31"}]},
		"name": "orders"}}}
}`

func TestGateWithCheckov(t *testing.T) {
	checkov := Checkov{Path: tool(t, "checkov/bin/checkov")}
	t.Setenv("CKV_FRAMEWORK", "dockerfile") // must not reach it
	dir := t.TempDir()
	write(t, dir, "good/cdk.tf.json", goodStack)
	write(t, dir, "bad/cdk.tf.json", badStack)
	write(t, dir, "nothing/cdk.tf.json", `{"terraform": {"backend": {"s3": {"bucket": "state"}}}}`)
	write(t, dir, "unparsable/cdk.tf.json", `{"output": {"x": "no block"}, "resource": {"aws_sqs_queue": {"q": {}}}}`)
	write(t, dir, ".checkov.yaml", "skip-check: [CKV_AWS_27]\n") // must not be read
	stacks, err := LoadStacks(dir)
	if err != nil {
		t.Fatal(err)
	}
	report, err := checkov.Scan(t.Context(), stacks)
	if err != nil {
		t.Fatal(err)
	}
	verdict := Judge(stacks, now, report)
	got := map[string][]string{}
	for _, problem := range verdict.Problems {
		id, _, _ := strings.Cut(problem.Check, " ")
		got[problem.Stack] = append(got[problem.Stack], strings.TrimSpace(string(problem.Rule)+" "+id))
	}
	for stack, want := range map[string][]string{
		"good":       nil,
		"bad":        {string(Unexcepted) + " CKV_AWS_27", string(Stale) + " CKV_AWS_168"},
		"nothing":    {string(Unscanned)},
		"unparsable": {string(Unparsed)},
	} {
		if !slices.Equal(got[stack], want) {
			t.Errorf("stack %s: problems %q, want %q", stack, got[stack], want)
		}
	}
	if len(got) != 3 || len(verdict.Excepted) != 2 {
		t.Errorf("printed\n%s", printed(verdict, true))
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "good")); len(entries) != 1 {
		t.Errorf("the scan left files beside the stack: %v", entries)
	}
}

func TestMissingCheckovIsAnErrorWithARemedy(t *testing.T) {
	_, err := Checkov{Path: filepath.Join(t.TempDir(), "checkov")}.Scan(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("error %v, want one that says make tools", err)
	}
}

func TestSettingsOfCheckovInTheEnvironmentAreDropped(t *testing.T) {
	got := cleanEnviron([]string{"PATH=/bin", "CKV_FRAMEWORK=x", "BC_API_KEY=x", "LOG_LEVEL=DEBUG", "HOME=/root", "LANG=C"})
	if want := []string{"PATH=/bin", "LANG=C"}; !slices.Equal(got, want) {
		t.Errorf("environment %q, want %q", got, want)
	}
}
