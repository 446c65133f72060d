package scan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// queues is a stack with a queue, whose policy is literal JSON with an expression in it, and a data source.
const queues = `{
	"provider": {"aws": [{"region": "eu-west-1"}]},
	"data": {"aws_iam_policy_document": {"read": {"statement": [{"actions": ["sqs:*"], "resources": ["*"]}]}}},
	"resource": {"aws_sqs_queue": {"orders": {
		"//": {"metadata": {"path": "dev/orders"}}, "kms_master_key_id": "alias/orders"}}}
}`

// queuesHCL is what cdktf writes for it: quotes in a string with an expression are not escaped.
const queuesHCL = `provider "aws" {
region = "eu-west-1"
}
data "aws_iam_policy_document" "read" {
statement {
actions = [
"sqs:*"
]
resources = [
"*"
]
}
}
resource "aws_sqs_queue" "orders" {
kms_master_key_id = "alias/orders"
redrive_policy = "{"deadLetterTargetArn":"${aws_sqs_queue.dead["a}"].arn}","maxReceiveCount":5}"
}
`

func TestQuotesBesideAnExpressionAreEscaped(t *testing.T) {
	for line, want := range map[string]string{
		`name = "orders"`:                          `name = "orders"`,
		`policy = "{"a":"${b.c}"}"`:                `policy = "{\"a\":\"${b.c}\"}"`,
		`  "key/x" = "{"a":"${b.c}"}"`:             `  "key/x" = "{\"a\":\"${b.c}\"}"`,
		`"{"a":"${b.c}"}",`:                        `"{\"a\":\"${b.c}\"}",`,
		`count = "${(a.b == "x") ? 0 : 1}"`:        `count = "${(a.b == "x") ? 0 : 1}"`,
		`a = "say "${join(",", ["}", "${b}"])}" "`: `a = "say \"${join(",", ["}", "${b}"])}\" "`,
		`a = "C:\${b}"`:                            `a = "C:\\${b}"`,
		"code = <<EOF\n\"say \"${a}\"\"\nEOF":      "code = <<EOF\n\"say \"${a}\"\"\nEOF",
	} {
		if got := string(escape([]byte(line))); got != want {
			t.Errorf("%s becomes %s, want %s", line, got, want)
		}
	}
}

func TestHCLOfOtherCodeIsRefused(t *testing.T) {
	stack := parse(t, "dev", queues)
	for name, text := range map[string]string{
		"one is missing":  strings.Replace(queuesHCL, `"aws_sqs_queue" "orders"`, `"aws_sqs_queue" "mails"`, 1),
		"one is too many": queuesHCL + "module \"vpc\" {\n}\n",
	} {
		if stack.differs([]byte(text)) == "" {
			t.Errorf("%s: not noticed", name)
		}
	}
	if differs := stack.differs([]byte(queuesHCL)); differs != "" {
		t.Errorf("%s differs, want nothing", differs)
	}
}

func TestGateWithTfsec(t *testing.T) {
	tfsec := Tfsec{Path: tool(t, "bin/tfsec"), HCL: t.TempDir()}
	var stacks []Stack
	for name, text := range map[string]string{
		"good":       queuesHCL,
		"bad":        strings.Replace(queuesHCL, `kms_master_key_id = "alias/orders"`, "#tfsec:ignore:*", 1),
		"stale":      strings.Replace(queuesHCL, `"orders"`, `"mails"`, 1),
		"unparsable": strings.Replace(queuesHCL, `"eu-west-1"`, `"eu-west-1`, 1),
	} {
		stacks = append(stacks, parse(t, name, queues))
		write(t, tfsec.HCL, name+"/"+HCLFile, text)
	}
	stacks = append(stacks, parse(t, "absent", queues))
	report, err := tfsec.Scan(t.Context(), stacks)
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
		"bad":        {string(Unexcepted) + " aws-sqs-enable-queue-encryption"},
		"stale":      {string(Unparsed)},
		"unparsable": {string(Unparsed)},
		"absent":     {string(Unparsed)},
	} {
		if !slices.Equal(got[stack], want) {
			t.Errorf("stack %s: problems %q, want %q", stack, got[stack], want)
		}
	}
	if t.Failed() {
		t.Logf("printed\n%s", printed(verdict, true))
	}
}

func TestMissingTfsecIsAnErrorWithARemedy(t *testing.T) {
	_, err := Tfsec{Path: filepath.Join(t.TempDir(), "tfsec")}.Scan(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "make tools") {
		t.Errorf("error %v, want one that says make tools", err)
	}
}

func TestTfsecThatFailsIsAnError(t *testing.T) {
	hcl := write(t, t.TempDir(), "dev/"+HCLFile, queuesHCL)
	for script, want := range map[string]string{"echo it broke >&2; exit 3": "it broke", "echo hello": "hello"} {
		path := filepath.Join(t.TempDir(), "tfsec")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Tfsec{Path: path, HCL: hcl}.Scan(t.Context(), []Stack{parse(t, "dev", queues)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", script, err, want)
		}
	}
}

func TestAddressesOfTfsecAreThoseOfBlocks(t *testing.T) {
	for address, want := range map[string]string{
		"aws_db_instance.shop":                        "aws_db_instance.shop",
		"aws_db_instance.shop.deletion_protection":    "aws_db_instance.shop",
		"data.aws_iam_policy_document.read":           "data.aws_iam_policy_document.read",
		"data.aws_iam_policy_document.read.statement": "data.aws_iam_policy_document.read",
	} {
		if got := block(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
