package stack

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	tfjson "github.com/hashicorp/terraform-json"
)

const good = `{
  "terraform": {"backend": {"s3": {"bucket": "b", "key": "dev/terraform.tfstate", "region": "eu-west-1", "dynamodb_table": "l"}}},
  "provider": {"aws": [
    {"alias": "global", "allowed_account_ids": ["222222222222"], "region": "us-east-1"},
    {"allowed_account_ids": ["111111111111"], "region": "eu-west-1"}
  ]},
  "resource": {
    "aws_vpc": {"main": {"cidr_block": "10.0.0.0/16"}},
    "aws_sqs_queue": {"b": {}, "a": {"name": "orders"}}
  }
}`

func TestReadTakesBackendAccountAndResources(t *testing.T) {
	var s Stack
	if err := s.read([]byte(good)); err != nil {
		t.Fatal(err)
	}
	want := Backend{Bucket: "b", Key: "dev/terraform.tfstate", Region: "eu-west-1", Table: "l"}
	if diff := cmp.Diff(want, s.Backend); diff != "" {
		t.Error(diff)
	}
	if s.Account != "111111111111" {
		t.Errorf("account %q, want that of the provider without alias", s.Account)
	}
	var addresses []string
	for _, r := range s.Resources {
		addresses = append(addresses, r.Address())
	}
	if diff := cmp.Diff([]string{"aws_sqs_queue.a", "aws_sqs_queue.b", "aws_vpc.main"}, addresses); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefusesAStackWithoutAPlaceForItsState(t *testing.T) {
	for text, want := range map[string]string{
		`{"terraform": {"backend": {"local": {}}}}`:                       "no S3 backend",
		`{"terraform": {"backend": {"s3": {"bucket": "b"}}}}`:             `key ""`,
		`{"terraform": {"backend": {"s3": {"bucket": ["b"]}}}}`:           "terraform.backend.s3",
		`{"terraform": {"backend": {"s3": {"bucket": "b", "ke`:            "unexpected end",
		`{"terraform": {"backend": {"s3": {"region": "x", "key": "k"}}}}`: `bucket ""`,
	} {
		var s Stack
		if err := s.read([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want it to say %q", text, err, want)
		}
	}
}

func TestNamesSaysHowToSynthesize(t *testing.T) {
	if _, err := Names(t.TempDir()); err == nil || !strings.Contains(err.Error(), "make synth") {
		t.Errorf("error %v, want it to say make synth", err)
	}
}

func TestChangesShowWhatDiffers(t *testing.T) {
	const plan = `{"format_version": "1.2", "resource_changes": [
		{"address": "aws_sqs_queue.same", "change": {"actions": ["no-op"], "before": {"a": 1}, "after": {"a": 1}}},
		{"address": "aws_sqs_queue.new", "change": {"actions": ["create"], "after": {"name": "x"}}},
		{"address": "aws_lb.main", "change": {"actions": ["update"],
			"before": {"idle": 60, "tags": {"a": "1"}, "list": [{"p": 80}], "arn": "x", "secret": "s1", "gone": {"k": true}},
			"after":  {"idle": 30, "tags": {"a": "1", "b": "2"}, "list": [{"p": 81}], "secret": "s2", "gone": null},
			"after_unknown": {"arn": true}, "before_sensitive": {"secret": true}, "after_sensitive": {"secret": true}}},
		{"address": "aws_vpc.main", "change": {"actions": ["delete", "create"], "before": {"cidr": "a"}, "after": {"cidr": "b"},
			"after_unknown": {}, "before_sensitive": {}, "after_sensitive": {}}}
	], "output_changes": {"url": {"actions": ["update"], "before": "a", "after": "b"}}}`
	var parsed tfjson.Plan
	if err := json.Unmarshal([]byte(plan), &parsed); err != nil {
		t.Fatal(err)
	}
	want := []Change{
		{Address: "aws_sqs_queue.new", Action: "create"},
		{Address: "aws_lb.main", Action: "update", Attributes: []string{
			`arn: "x" -> (known after apply)`, `gone.k: true -> null`, `idle: 60 -> 30`, `list.0.p: 80 -> 81`,
			`secret: (sensitive)`, `tags.b: null -> "2"`,
		}},
		{Address: "aws_vpc.main", Action: "replace", Attributes: []string{`cidr: "a" -> "b"`}},
		{Address: "url", Action: "output"},
	}
	got := changes(&parsed)
	if diff := cmp.Diff(want, got.Changes); diff != "" {
		t.Error(diff)
	}
	if n := got.Count("update", "replace"); n != 2 {
		t.Errorf("%d updates and replacements, want 2", n)
	}
}

func TestParseStateNamesEveryInstance(t *testing.T) {
	state, err := parseState([]byte(`{"serial": 4, "resources": [
		{"mode": "data", "type": "aws_region", "name": "r", "instances": [{"attributes": {"id": "x"}}]},
		{"mode": "managed", "type": "aws_vpc", "name": "v", "instances": [{"attributes": {"id": "vpc-1"}}]},
		{"mode": "managed", "type": "aws_subnet", "name": "s", "instances": [
			{"index_key": 0, "attributes": {"id": "s-0"}}, {"index_key": "b", "attributes": {"id": "s-b"}}]},
		{"module": "module.m", "mode": "managed", "type": "aws_vpc", "name": "v", "instances": [{"attributes": {"id": "vpc-2"}}]}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"aws_vpc.v": "vpc-1", "aws_subnet.s[0]": "s-0", `aws_subnet.s["b"]`: "s-b", "module.m.aws_vpc.v": "vpc-2",
	}
	if diff := cmp.Diff(want, state.IDs); diff != "" {
		t.Error(diff)
	}
	other := State{IDs: map[string]string{"aws_vpc.v": "vpc-9", "aws_subnet.s[0]": "s-0"}}
	if diff := cmp.Diff([]string{`aws_subnet.s["b"]`, "aws_vpc.v", "module.m.aws_vpc.v"}, state.Missing(other)); diff != "" {
		t.Error(diff)
	}
}

func TestReadStateRefusesAHalfWrittenFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.tfstate")
	if err := os.WriteFile(file, []byte(`{"version": 4, "resou`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadState(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want it to name %s", err, file)
	}
}

const lockText = `exit status 1

Warning: Deprecated Parameter

Error: Error acquiring the state lock

Error message: operation error DynamoDB: PutItem, ConditionalCheckFailedException
Lock Info:
  ID:        0c1a3b1c-7a7a-b0a9-2f04-0e2a3a3c9d10
  Path:      bucket/dev/terraform.tfstate
  Operation: OperationTypeApply
  Who:       alice@laptop
  Version:   1.11.4
  Created:   2026-11-23 22:30:00.0 +0000 UTC
  Info:      


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time.`

func TestALockedStateNamesItsHolder(t *testing.T) {
	s := &Stack{Dir: "/checkout/dev"}
	err := s.wrap(t.Context(), "apply", errors.New(lockText))
	var locked *LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("error %T, want a *LockedError", err)
	}
	for _, want := range []string{"alice@laptop", "force-unlock 0c1a3b1c-7a7a-b0a9-2f04-0e2a3a3c9d10", "/checkout/dev", "OperationTypeApply"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestErrorsLeadWithTheErrorAndItsRemedy(t *testing.T) {
	s := &Stack{Dir: "d"}
	err := s.wrap(t.Context(), "init", errors.New("exit status 1\n\nWarning: Deprecated Parameter\n\nuse x\n\nError: Failed to get existing workspaces: NoSuchBucket"))
	want := "terraform init in d: exit status 1\nError: Failed to get existing workspaces: NoSuchBucket\n=> the state bucket does not exist yet: run make bootstrap"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !IsNoBucket(err) {
		t.Error("IsNoBucket is false for NoSuchBucket")
	}
}

func TestEnvironmentKeepsTerraformFromBeingSteered(t *testing.T) {
	got := environment([]string{"PATH=/bin", "TF_CLI_CONFIG_FILE=/rc", "TF_VAR_x=1", "TF_CLI_ARGS_plan=-x", "TF_DATA_DIR=/d", "TF_WORKSPACE=w", "A=b=c"})
	want := map[string]string{"PATH": "/bin", "TF_CLI_CONFIG_FILE": "/rc", "A": "b=c"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
