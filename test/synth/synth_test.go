// Package synth tests what the platform synthesizes to. All its tests share one jsii process, which takes seconds to start,
// and read the JSON that Terraform gets.
package synth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/fastsynth"
	"aws-microservices/stacks"
)

// platform is the real configuration, synthesized once.
var platform map[string]stack

func TestMain(m *testing.M) {
	code := func() int {
		fastsynth.Enable()
		defer jsii.Close()
		dir, err := os.MkdirTemp("", "synth")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		platform = synthesize(stacks.All, dir)
		return m.Run()
	}()
	os.Exit(code)
}

// stack is one stack's JSON.
type stack struct {
	Raw       []byte `json:"-"`
	Terraform struct {
		Backend           map[string]map[string]any `json:"backend"`
		RequiredProviders map[string]map[string]any `json:"required_providers"`
	} `json:"terraform"`
	Provider map[string][]map[string]any          `json:"provider"`
	Resource map[string]map[string]map[string]any `json:"resource"`
	Data     map[string]map[string]map[string]any `json:"data"`
	Output   map[string]map[string]any            `json:"output"`
	Locals   map[string]any                       `json:"locals"`
	Variable map[string]map[string]any            `json:"variable"`
}

// synthesize builds a configuration into dir and reads every stack.
func synthesize(c stacks.Config, dir string) map[string]stack {
	stacks.Build(c, dir).Synth()
	read := map[string]stack{}
	files, err := filepath.Glob(filepath.Join(dir, "stacks", "*", "cdk.tf.json"))
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		s := stack{Raw: raw}
		if err := json.Unmarshal(raw, &s); err != nil {
			panic(fmt.Errorf("%s: %w", file, err))
		}
		read[filepath.Base(filepath.Dir(file))] = s
	}
	return read
}

// environments are the stacks that run the platform.
func environments() map[string]stack {
	all := map[string]stack{}
	for _, e := range stacks.All.Environments {
		all[e.Name] = platform[e.Name]
	}
	return all
}

// at returns a resource by its path in the construct tree below the stack, e.g. "services/orders/service".
func (s stack) at(t *testing.T, kind, path string) map[string]any {
	t.Helper()
	for _, r := range s.Resource[kind] {
		if p := pathOf(r); p[strings.Index(p, "/")+1:] == path {
			return r
		}
	}
	t.Fatalf("no %s at %s", kind, path)
	return nil
}

// pathOf returns a resource's path in the construct tree.
func pathOf(r map[string]any) string {
	return r["//"].(map[string]any)["metadata"].(map[string]any)["path"].(string)
}

// ref writes a reference to a resource's attribute as the JSON does.
func ref(kind string, r map[string]any, attribute string) string {
	return fmt.Sprintf("${%s.%s.%s}", kind, r["//"].(map[string]any)["metadata"].(map[string]any)["uniqueId"], attribute)
}

func TestEveryStackIsThere(t *testing.T) {
	var got []string
	for name := range platform {
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"bootstrap", "dev", "prod", "shared", "staging"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTheCommittedJSONIsWhatTheCodeGives(t *testing.T) {
	for name, s := range platform {
		committed, err := os.ReadFile(filepath.Join("..", "..", "cdktf.out", "stacks", name, "cdk.tf.json"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(committed, s.Raw) {
			t.Errorf("%s: run `make synth`, review the difference and commit it", name)
		}
	}
}

func TestSynthesisIsTheSameEveryTime(t *testing.T) {
	for name, again := range synthesize(stacks.All, t.TempDir()) {
		if !bytes.Equal(again.Raw, platform[name].Raw) {
			t.Errorf("%s differs from one synthesis to the next", name)
		}
	}
}

func TestNothingOfTheMachineIsInTheJSON(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	work, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range platform {
		for _, trace := range []string{home + "/", filepath.Dir(filepath.Dir(work)), "127.0.0.1", "localhost", "TfToken["} {
			if bytes.Contains(s.Raw, []byte(trace)) {
				t.Errorf("%s holds %q", name, trace)
			}
		}
	}
}

func TestEveryStateHasItsOwnKeyInTheOneBucket(t *testing.T) {
	bucket := platform["bootstrap"].at(t, "aws_s3_bucket", "state/bucket/bucket")["bucket"]
	table := platform["bootstrap"].at(t, "aws_dynamodb_table", "state/locks")["name"]
	for name, s := range platform {
		want := map[string]any{
			"bucket": bucket, "dynamodb_table": table, "key": name + "/terraform.tfstate", "region": "eu-west-1",
		}
		if diff := cmp.Diff(want, s.Terraform.Backend["s3"]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// A person takes the role that AWS Organizations made, a pipeline one of its own: the plan does not hold which.
func TestTheRoleInAnotherAccountIsAVariable(t *testing.T) {
	want := map[string]any{"type": "string", "default": stacks.MemberRole, "ephemeral": true, "description": "The role to take in an environment's account"}
	for name, s := range platform {
		if name == "bootstrap" {
			continue
		}
		got := s.Variable["role"]
		delete(got, "//")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestEveryProviderIsBoundToItsAccount(t *testing.T) {
	shared := stacks.All.Shared.AccountID
	accounts := map[string]string{"bootstrap": shared, "shared": shared}
	for _, e := range stacks.All.Environments {
		accounts[e.Name] = e.AccountID
		accounts["shared/"+e.Name] = e.AccountID // where its roles for the pipelines are
	}
	for name, s := range platform {
		if diff := cmp.Diff(map[string]any{"source": "hashicorp/aws", "version": "~> 5.100"}, s.Terraform.RequiredProviders["aws"]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		for _, p := range s.Provider["aws"] {
			alias, _ := p["alias"].(string)
			account, others := accounts[name+"/"+alias]
			if !others {
				account = accounts[name]
			}
			if diff := cmp.Diff([]any{account}, p["allowed_account_ids"]); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", name, alias, diff)
			}
			var roles any
			if account != shared {
				roles = []any{map[string]any{"role_arn": "arn:aws:iam::" + account + ":role/${var.role}"}}
			}
			if diff := cmp.Diff(roles, p["assume_role"]); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", name, alias, diff)
			}
		}
	}
}
