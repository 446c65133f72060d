package scan

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const holds = `{"id": "CKV_AWS_18", "reason": "this bucket is itself the log bucket", "expires": "2027-03-31"}`

// write puts a file below dir and returns dir.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func parse(t *testing.T, name, text string) Stack {
	t.Helper()
	stack, err := ParseStack(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func TestExceptionsAreReadFromEveryKindOfBlock(t *testing.T) {
	body := func(path string) string {
		return `{"//": {"metadata": {"path": "` + path + `"}, "exceptions": [` + holds + `]}}`
	}
	stack := parse(t, "dev", `{
		"resource": {"aws_s3_bucket": {"logs": `+body("dev/logs/bucket")+`}},
		"data": {"aws_iam_policy_document": {"read": `+body("dev/read")+`}},
		"module": {"vpc": `+body("dev/vpc")+`},
		"provider": {"aws": [{"region": "eu-west-1"}, {"alias": "us", "//": {"exceptions": [`+holds+`]}}], "random": {}}
	}`)
	var got []string
	for _, element := range stack.Elements {
		if len(element.Exceptions) == 1 && element.Exceptions[0].Expires == "2027-03-31" {
			got = append(got, element.label())
		}
	}
	want := []string{
		"dev/read (data.aws_iam_policy_document.read)", "dev/logs/bucket (aws_s3_bucket.logs)", "dev/vpc (module.vpc)",
		"provider.aws",
	}
	if !sameSet(got, want) {
		t.Errorf("elements with the exception: %q, want %q", got, want)
	}
	if len(stack.Elements) != 5 {
		t.Errorf("%d elements, want 5", len(stack.Elements))
	}
}

func sameSet(a, b []string) bool {
	set := func(texts []string) map[string]int {
		count := map[string]int{}
		for _, text := range texts {
			count[text]++
		}
		return count
	}
	return reflect.DeepEqual(set(a), set(b))
}

func TestExceptionsInAnotherShapeAreMalformed(t *testing.T) {
	for name, comment := range map[string]string{
		"not a list":        `{"exceptions": "CKV_AWS_18"}`,
		"a key misspelt":    `{"exceptions": [{"id": "CKV_AWS_18", "reasons": "this bucket is itself the log bucket"}]}`,
		"a number for text": `{"exceptions": [{"id": 18}]}`,
		"without an id":     `{"exceptions": [{"reason": "this bucket is itself the log bucket"}]}`,
		"comment is text":   `"text"`,
	} {
		t.Run(name, func(t *testing.T) {
			stack := parse(t, "dev", `{"resource": {"aws_s3_bucket": {"logs": {"//": `+comment+`}}}}`)
			if stack.Elements[0].Malformed == "" {
				t.Errorf("%s is taken for exceptions", comment)
			}
		})
	}
}

func TestWhatIsNoStackIsRefused(t *testing.T) {
	for _, text := range []string{"", "[]", `{"resource": {`, `{"resource": []}`} {
		if _, err := ParseStack("dev", []byte(text)); err == nil {
			t.Errorf("%q is taken for a stack", text)
		}
	}
}

func TestStacksThatCannotBeReadAreLoadedWithTheReason(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good/cdk.tf.json", `{}`)
	write(t, dir, "broken/cdk.tf.json", `{"resource"`)
	write(t, dir, "empty/plan", "")
	write(t, dir, ".hidden/plan", "")
	write(t, dir, "file", "")
	stacks, err := LoadStacks(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, stack := range stacks {
		got[stack.Name] = stack.Invalid != ""
	}
	if want := map[string]bool{"good": false, "broken": true, "empty": true}; !reflect.DeepEqual(got, want) {
		t.Errorf("stacks and whether they are invalid: %v, want %v", got, want)
	}
}

func TestFolderWithoutStacksIsAnErrorWithARemedy(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "absent")} {
		if _, err := LoadStacks(dir); err == nil || !strings.Contains(err.Error(), "make synth") {
			t.Errorf("%s: error %v, want one that says make synth", dir, err)
		}
	}
}

func TestScannableDropsOnlyWhatCheckovCannotParse(t *testing.T) {
	stack := parse(t, "dev", `{
		"//": {"metadata": {"stackName": "dev"}},
		"terraform": {"required_version": ">= 1.11", "experiments": ["x"], "backend": {"s3": {"bucket": "b"}}},
		"moved": [{"from": "a.b", "to": "a.c"}], "import": [{"to": "a.b"}], "removed": [{"from": "a.b"}],
		"resource": {"aws_sqs_queue": {"q": {"name": "a<b"}}}
	}`)
	data, err := stack.scannable()
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
		"//": {"metadata": {"stackName": "dev"}},
		"terraform": {"backend": {"s3": {"bucket": "b"}}},
		"resource": {"aws_sqs_queue": {"q": {"name": "a<b"}}}
	}`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("scannable: %s", data)
	}
}
