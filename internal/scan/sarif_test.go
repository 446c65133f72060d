package scan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// sarifOf writes a verdict, and checks it against the schema and against what GitHub asks for beyond that.
func sarifOf(t *testing.T, verdict Verdict) sarif.Run {
	t.Helper()
	var text bytes.Buffer
	if err := verdict.SARIF(&text, "cdktf.out/stacks"); err != nil {
		t.Fatal(err)
	}
	var report sarif.Report
	if err := json.Unmarshal(text.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if err := report.Validate(); err != nil {
		t.Fatalf("%v\n%s", err, text.String())
	}
	if report.Version != "2.1.0" || len(report.Runs) != 1 {
		t.Fatalf("version %s with %d runs", report.Version, len(report.Runs))
	}
	for _, rule := range report.Runs[0].Tool.Driver.Rules {
		if *rule.ShortDescription.Text == "" || *rule.FullDescription.Text == "" || *rule.Help.Text == "" {
			t.Errorf("rule %s says too little", *rule.ID)
		}
	}
	return *report.Runs[0]
}

func TestProblemsAreAtTheirConstructInSARIF(t *testing.T) {
	expired := exception("CKV_AWS_18", "this bucket is itself the log bucket", "2026-01-31")
	text := "{\n \"resource\": {\n  \"aws_s3_bucket\": {\n   \"logs\": {\"//\": {\"exceptions\": [" + expired + "]}}}}}"
	report := bucketReport(Check{
		Stack: "dev", Resource: "aws_s3_bucket.logs", ID: "CKV_AWS_21", Name: "Versioning", Link: policies, Outcome: Failed,
	})
	report.Errors = []string{"it broke"}
	run := sarifOf(t, judgeText(t, text, report))
	type place struct {
		rule, file string
		line       int
	}
	var got []place
	for _, result := range run.Results {
		at := result.Locations[0].PhysicalLocation
		got = append(got, place{*result.RuleID, *at.ArtifactLocation.URI, *at.Region.StartLine})
		if *run.Tool.Driver.Rules[result.RuleIndex].ID != *result.RuleID {
			t.Errorf("the rule of %s is another one", *result.RuleID)
		}
	}
	want := []place{
		{"error-inside-a-scanner", "cdktf.json", 1},
		{"CKV_AWS_21", "cdktf.out/stacks/dev/cdk.tf.json", 4},
		{"exception-expired", "cdktf.out/stacks/dev/cdk.tf.json", 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	if link := run.Tool.Driver.Rules[1].HelpURI; link == nil || *link != policies {
		t.Error("the check has no link")
	}
}

func TestSARIFWithoutProblemsHoldsNoResults(t *testing.T) {
	if run := sarifOf(t, judgeText(t, bucket(holds), bucketReport())); run.Results == nil || len(run.Results) > 0 {
		t.Errorf("results %v, want an empty list", run.Results)
	}
}
