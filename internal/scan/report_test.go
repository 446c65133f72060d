package scan

import (
	"reflect"
	"strings"
	"testing"
)

const oneFramework = `{
	"check_type": "terraform_json",
	"results": {
		"passed_checks": [{"check_id": "CKV_AWS_41", "check_name": "No keys", "file_path": "/dev/cdk.tf.json", "resource": "provider.aws"}],
		"failed_checks": [{"check_id": "CKV_AWS_18", "check_name": "Logging", "file_path": "/dev/cdk.tf.json", "resource": "aws_s3_bucket.logs[0]"}],
		"skipped_checks": [],
		"parsing_errors": ["/somewhere/stacks/prod/cdk.tf.json"]
	},
	"summary": {"passed": 1, "failed": 1, "checkov_version": "3.3.30"}
}`

func TestReportOfOneFrameworkAndListOfReportsAreRead(t *testing.T) {
	want := Report{
		Scanner: "checkov 3.3.30",
		Checks: []Check{
			{Stack: "dev", Resource: "provider.aws", ID: "CKV_AWS_41", Name: "No keys", Link: policies, Outcome: Passed},
			{Stack: "dev", Resource: "aws_s3_bucket.logs[0]", ID: "CKV_AWS_18", Name: "Logging", Link: policies, Outcome: Failed},
		},
		Unparsed: map[string]string{"prod": ""},
	}
	for _, text := range []string{oneFramework, "[" + oneFramework + "]"} {
		got, err := ParseReport([]byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("report %+v\nwant   %+v", got, want)
		}
	}
}

func TestReportOfAnEmptyFolderHoldsNoChecks(t *testing.T) {
	got, err := ParseReport([]byte(`{"passed": 0, "failed": 0, "checkov_version": "3.3.30"}`), nil)
	if want := (Report{Scanner: "checkov 3.3.30", Unparsed: map[string]string{}}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("report %+v, error %v; want %+v", got, err, want)
	}
}

func TestOutputThatIsNoReportIsAnErrorThatShowsIt(t *testing.T) {
	for stdout, shown := range map[string]string{"": "went wrong", "Traceback": "Traceback"} {
		_, err := ParseReport([]byte(stdout), []byte("it went wrong"))
		if err == nil || !strings.Contains(err.Error(), shown) {
			t.Errorf("%q: error %v, want one with %q", stdout, err, shown)
		}
	}
}

func TestErrorsInTheLogAreCrashesOrErrors(t *testing.T) {
	log := `2026-11-23 22:30:03,758 [MainThread  ] [ERROR]  Failed to parse template: stacks/prod/cdk.tf.json
Exception: this method receives only dicts
2026-11-23 22:30:03,766 [MainThread  ] [WARNI]  Failed to add block
2026-11-23 22:30:04,659 [MainThread  ] [ERROR]  Failed to run check CKV_AWS_79 on /dev/cdk.tf.json:aws_instance.i
TypeError: argument of type 'int' is not iterable
2026-11-23 22:30:04,660 [MainThread  ] [ERROR]  Failed to invoke function
`
	got, err := ParseReport([]byte(`{}`), []byte(log))
	want := Report{
		Scanner: "checkov", Unparsed: map[string]string{},
		Checks: []Check{{Stack: "dev", Resource: "aws_instance.i", ID: "CKV_AWS_79", Outcome: Crashed}},
		Errors: []string{"Failed to invoke function"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("report %+v, error %v; want %+v", got, err, want)
	}
}
