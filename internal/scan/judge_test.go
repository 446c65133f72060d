package scan

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// now is late in the evening west of Greenwich: the day is that of UTC.
var now = time.Date(2026, time.November, 22, 20, 0, 0, 0, time.FixedZone("", -8*60*60))

// bucket is a stack with one bucket that carries the exceptions.
func bucket(exceptions ...string) string {
	return fmt.Sprintf(`{"provider": {"aws": [{}]}, "resource": {"aws_s3_bucket": {"logs": {
		"//": {"metadata": {"path": "dev/logs/bucket"}, "exceptions": [%s]}}}}}`, strings.Join(exceptions, ", "))
}

func exception(id, reason, expires string) string {
	return fmt.Sprintf(`{"id": %q, "reason": %q, "expires": %q}`, id, reason, expires)
}

func check(outcome Outcome, id, resource string) Check {
	return Check{Stack: "dev", Resource: resource, ID: id, Name: "Name of " + id, Outcome: outcome}
}

// bucketReport is what Checkov says of it: one check passes, CKV_AWS_18 fails.
func bucketReport(more ...Check) Report {
	return Report{Scanner: "checkov 3.3.30", Checks: append([]Check{
		check(Passed, "CKV_AWS_41", "provider.aws"),
		check(Passed, "CKV_AWS_93", "resource.logs"),
		check(Failed, "CKV_AWS_18", "aws_s3_bucket.logs"),
	}, more...)}
}

func judgeText(t *testing.T, text string, report Report) Verdict {
	t.Helper()
	return Judge([]Stack{parse(t, "dev", text)}, now, report)
}

// expect compares the problems' rules and the counts.
func expect(t *testing.T, got Verdict, passed, excepted, failed int, rules ...Rule) {
	t.Helper()
	want := Tally{Scanner: got.Tallies[0].Scanner, Stack: "dev", Passed: passed, Excepted: excepted, Failed: failed}
	if got.Tallies[0] != want {
		t.Errorf("tally %+v, want %+v", got.Tallies[0], want)
	}
	var holding int
	for _, e := range got.Excepted {
		if e.Stack == want.Stack {
			holding++
		}
	}
	if holding != excepted {
		t.Errorf("exceptions %+v, want %d", got.Excepted, excepted)
	}
	var gotRules []Rule
	for _, problem := range got.Problems {
		gotRules = append(gotRules, problem.Rule)
	}
	if !slices.Equal(gotRules, rules) {
		t.Errorf("problems %q, want %q", got.Problems, rules)
	}
}

func TestFindingWithAnExceptionPasses(t *testing.T) {
	got := judgeText(t, bucket(holds), bucketReport())
	expect(t, got, 2, 1, 0)
	if e := got.Excepted[0]; e.Construct != "dev/logs/bucket (aws_s3_bucket.logs)" || e.Name != "Name of CKV_AWS_18" {
		t.Errorf("exception %+v", e)
	}
}

func TestFindingWithoutAnExceptionFails(t *testing.T) {
	got := judgeText(t, bucket(), bucketReport())
	expect(t, got, 2, 0, 1, Unexcepted)
	text := got.Problems[0].String()
	for _, part := range []string{
		"dev: ", "dev/logs/bucket (aws_s3_bucket.logs)", "CKV_AWS_18 Name of CKV_AWS_18", "//.exceptions",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("message %q, want it to say %q", text, part)
		}
	}
}

func TestExceptionCoversItsCheckAndConstructOnly(t *testing.T) {
	text := `{"resource": {"aws_s3_bucket": {
		"logs": {"//": {"exceptions": [` + holds + `]}}, "other": {}}}}`
	got := judgeText(t, text, bucketReport(
		check(Failed, "CKV_AWS_18", "aws_s3_bucket.other"), check(Failed, "CKV_AWS_21", "aws_s3_bucket.logs")))
	expect(t, got, 2, 1, 2, Unexcepted, Unexcepted)
}

func TestExceptionOfAnotherStackDoesNotCover(t *testing.T) {
	stacks := []Stack{parse(t, "prod", bucket(holds)), parse(t, "dev", bucket())}
	report := bucketReport()
	for _, c := range slices.Clone(report.Checks) {
		c.Stack = "prod"
		report.Checks = append(report.Checks, c)
	}
	got := Judge(stacks, now, report)
	expect(t, got, 2, 0, 1, Unexcepted)
	if got.Tallies[1] != (Tally{Scanner: "checkov 3.3.30", Stack: "prod", Passed: 2, Excepted: 1}) {
		t.Errorf("tallies %+v", got.Tallies)
	}
}

func TestExceptionsAreJudged(t *testing.T) {
	const reason, date = "this bucket is itself the log bucket", "2027-03-31"
	for _, test := range []struct {
		name       string
		exceptions []string
		rules      []Rule // none: the exception holds
	}{
		{"the day before it expires", []string{exception("CKV_AWS_18", reason, "2026-11-24")}, nil},
		{"the day it expires", []string{exception("CKV_AWS_18", reason, "2026-11-23")}, []Rule{Expired}},
		{"400 days away", []string{exception("CKV_AWS_18", reason, "2027-12-28")}, nil},
		{"401 days away", []string{exception("CKV_AWS_18", reason, "2027-12-29")}, []Rule{TooLong}},
		{"no date", []string{exception("CKV_AWS_18", reason, "")}, []Rule{BadExpiry}},
		{"a date in other words", []string{exception("CKV_AWS_18", reason, "31.03.2027")}, []Rule{BadExpiry}},
		{"a day that does not exist", []string{exception("CKV_AWS_18", reason, "2027-02-29")}, []Rule{BadExpiry}},
		{"no reason", []string{exception("CKV_AWS_18", "", date)}, []Rule{Unreasoned}},
		{"nineteen characters", []string{exception("CKV_AWS_18", "this is a log büket", date)}, []Rule{Unreasoned}},
		{"twenty characters", []string{exception("CKV_AWS_18", "this is a log bücket", date)}, nil},
		{"blanks for a reason", []string{exception("CKV_AWS_18", "because"+strings.Repeat(" ", 20), date)}, []Rule{Unreasoned}},
		{"two faults", []string{exception("CKV_AWS_18", "", "")}, []Rule{Unreasoned, BadExpiry}},
		{"given twice", []string{holds, holds}, []Rule{Duplicate}},
		{"given three times", []string{holds, holds, holds}, []Rule{Duplicate}},
		{"its check passes", []string{holds, exception("CKV_AWS_93", reason, date)}, []Rule{Stale}},
		{"its check did not run", []string{holds, exception("CKV_AWS_999", reason, date)}, []Rule{Stale}},
		{"stale and expired", []string{holds, exception("CKV_AWS_93", "", "2020-01-01")}, []Rule{Stale}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := judgeText(t, bucket(test.exceptions...), bucketReport())
			excepted := 1
			if slices.ContainsFunc(test.rules, func(r Rule) bool { return r != Stale && r != Duplicate }) {
				excepted = 0
			}
			expect(t, got, 2, excepted, 1-excepted, test.rules...)
		})
	}
}

func TestMalformedExceptionsFail(t *testing.T) {
	got := judgeText(t, bucket(`"CKV_AWS_18"`), bucketReport())
	expect(t, got, 2, 0, 1, Unexcepted, Malformed)
}

func TestChecksAreAttributedToConstructs(t *testing.T) {
	for name, test := range map[string]struct{ blocks, resource string }{
		"graph check of a resource":      {`"resource": {"aws_s3_bucket": {"x": %s}}`, `aws_s3_bucket.x`},
		"other check of a resource":      {`"resource": {"aws_s3_bucket": {"x": %s}}`, `resource.x`},
		"counted instance":               {`"resource": {"aws_s3_bucket": {"x": %s}}`, `aws_s3_bucket.x[1]`},
		"instance of each":               {`"resource": {"aws_s3_bucket": {"x": %s}}`, `aws_s3_bucket.x["a.b[c]"]`},
		"graph check of a data source":   {`"data": {"aws_iam_policy_document": {"x": %s}}`, `aws_iam_policy_document.x`},
		"other check of a data source":   {`"data": {"aws_iam_policy_document": {"x": %s}}`, `data.x`},
		"resource and data of one name":  {`"data": {"a": {"x": %s}}, "resource": {"b": {"x": {}}}`, `data.x`},
		"module":                         {`"module": {"x": %s}`, `module.x`},
		"provider":                       {`"provider": {"x": [{}, %s]}, "resource": {"b": {"y": {}}}`, `provider.x`},
		"provider that is not in a list": {`"provider": {"x": %s}, "resource": {"b": {"y": {}}}`, `provider.x`},
	} {
		t.Run(name, func(t *testing.T) {
			text := "{" + fmt.Sprintf(test.blocks, `{"//": {"exceptions": [`+holds+`]}}`) + "}"
			got := judgeText(t, text, Report{Checks: []Check{
				check(Passed, "CKV_AWS_1", "anything"), check(Failed, "CKV_AWS_18", test.resource),
			}})
			expect(t, got, 1, 1, 0)
		})
	}
}

func TestInstancesOfOneResourceCountOnce(t *testing.T) {
	got := judgeText(t, bucket(holds), Report{Checks: []Check{
		check(Passed, "CKV_AWS_93", "resource.logs"),
		check(Failed, "CKV_AWS_18", "aws_s3_bucket.logs[0]"), check(Passed, "CKV_AWS_18", "aws_s3_bucket.logs[1]"),
	}})
	expect(t, got, 1, 1, 0)
}

func TestFindingOnASharedNameFails(t *testing.T) {
	text := `{"resource": {
		"aws_sns_topic": {"x": {"//": {"exceptions": [` + holds + `]}}}, "aws_sqs_queue": {"x": {}}}}`
	got := judgeText(t, text, Report{Checks: []Check{
		check(Passed, "CKV_AWS_1", "resource.x"), check(Failed, "CKV_AWS_18", "resource.x"),
	}})
	expect(t, got, 1, 0, 1, Unknown, Stale)
	if detail := got.Problems[0].Detail; detail != "resource.x fits aws_sns_topic.x and aws_sqs_queue.x" {
		t.Errorf("detail %q", detail)
	}
}

func TestFindingOnAnUnknownNameFails(t *testing.T) {
	got := judgeText(t, bucket(holds), bucketReport(check(Failed, "CKV_AWS_7", "module.a.aws_kms_key.b")))
	expect(t, got, 2, 1, 1, Unknown)
}

func TestCrashedCheckFailsUnlessExcepted(t *testing.T) {
	crash := check(Crashed, "CKV_AWS_79", "aws_s3_bucket.logs")
	expect(t, judgeText(t, bucket(holds), bucketReport(crash)), 2, 1, 1, Unexcepted)
	excepted := exception("CKV_AWS_79", "the check cannot read a dynamic block", "2027-03-31")
	expect(t, judgeText(t, bucket(holds, excepted), bucketReport(crash)), 2, 2, 0)
}

func TestCheckSkippedElsewhereFails(t *testing.T) {
	got := judgeText(t, bucket(holds), bucketReport(check(Skipped, "CKV_AWS_21", "aws_s3_bucket.logs")))
	expect(t, got, 2, 1, 1, Unexcepted)
}

func tfsecReport(checks ...Check) Report {
	return Report{Scanner: "tfsec", Checks: checks}
}

func TestScannersShareTheExceptionsAndAreCountedByThemselves(t *testing.T) {
	other := exception("aws-s3-enable-bucket-logging", "this bucket is itself the log bucket", "2027-03-31")
	stacks := []Stack{parse(t, "dev", bucket(holds, other))}
	got := Judge(stacks, now, tfsecReport(
		check(Passed, "aws-s3-block-public-acls", "aws_s3_bucket.logs"),
		check(Failed, "aws-s3-enable-bucket-logging", "aws_s3_bucket.logs"),
		check(Failed, "aws-s3-enable-versioning", "aws_s3_bucket.logs"),
	), bucketReport())
	want := []Tally{
		{Scanner: "checkov 3.3.30", Stack: "dev", Passed: 2, Excepted: 1},
		{Scanner: "tfsec", Stack: "dev", Passed: 1, Excepted: 1, Failed: 1},
	}
	if !slices.Equal(got.Tallies, want) {
		t.Errorf("tallies %+v, want %+v", got.Tallies, want)
	}
	if len(got.Problems) != 1 || !strings.HasPrefix(got.Problems[0].Check, "aws-s3-enable-versioning ") {
		t.Errorf("problems %q, want the one of tfsec without an exception", got.Problems)
	}
}

func TestStackThatOneOfTheScannersDidNotJudgeFails(t *testing.T) {
	for name, test := range map[string]struct {
		report Report
		want   Rule
	}{
		"nothing passed": {tfsecReport(check(Failed, "aws-s3-enable-versioning", "aws_s3_bucket.logs")), Unscanned},
		"unparsed":       {Report{Scanner: "tfsec", Unparsed: map[string]string{"dev": "line 3"}}, Unparsed},
	} {
		t.Run(name, func(t *testing.T) {
			got := Judge([]Stack{parse(t, "dev", bucket(holds))}, now, bucketReport(), test.report)
			if len(got.Problems) != 1 || got.Problems[0].Rule != test.want || !strings.HasPrefix(got.Problems[0].Detail, "tfsec") {
				t.Errorf("problems %q, want that tfsec did not judge it", got.Problems)
			}
		})
	}
}

func TestErrorInsideCheckovFails(t *testing.T) {
	report := bucketReport()
	report.Errors = []string{"Failed to do something"}
	expect(t, judgeText(t, bucket(holds), report), 2, 1, 0, ToolError)
}

func TestStackThatDidNotParseFails(t *testing.T) {
	got := judgeText(t, bucket(holds), Report{Unparsed: map[string]string{"dev": ""}})
	expect(t, got, 0, 0, 0, Unparsed)
}

func TestStackThatCannotBeReadFails(t *testing.T) {
	got := Judge([]Stack{{Name: "dev", Invalid: "it is broken"}}, now, Report{})
	expect(t, got, 0, 0, 0, Unread)
}

func TestStackOfWhichNothingPassedFails(t *testing.T) {
	for name, checks := range map[string][]Check{
		"nothing scanned":   nil,
		"another stack":     {{Stack: "prod", Resource: "resource.logs", ID: "CKV_AWS_93"}},
		"nothing passed":    {check(Failed, "CKV_AWS_18", "aws_s3_bucket.logs")},
		"only its provider": {check(Passed, "CKV_AWS_41", "provider.aws")},
	} {
		t.Run(name, func(t *testing.T) {
			got := judgeText(t, bucket(), Report{Checks: checks})
			if len(got.Problems) == 0 || got.Problems[0].Rule != Unscanned {
				t.Errorf("problems %q, want first that nothing passed", got.Problems)
			}
		})
	}
}

func TestStackWithNothingButAProviderPasses(t *testing.T) {
	report := Report{Checks: []Check{check(Passed, "CKV_AWS_41", "provider.aws")}}
	expect(t, judgeText(t, `{"provider": {"aws": [{}]}}`, report), 1, 0, 0)
}

func TestOrderDoesNotDependOnTheReports(t *testing.T) {
	stacks := []Stack{
		parse(t, "dev", bucket(exception("CKV_AWS_18", "", ""), exception("CKV_AWS_93", "", ""))),
		{Name: "broken", Invalid: "it is broken"},
	}
	report := bucketReport(
		check(Failed, "CKV_AWS_21", "aws_s3_bucket.logs"), check(Failed, "CKV_AWS_144", "aws_s3_bucket.logs"))
	first := printed(Judge(stacks, now, report), true)
	for range 20 {
		slices.Reverse(stacks)
		slices.Reverse(report.Checks)
		if again := printed(Judge(stacks, now, report), true); again != first {
			t.Fatalf("printed\n%s\nthen\n%s", first, again)
		}
	}
}

func TestEveryRuleHasARemedy(t *testing.T) {
	for _, rule := range rules {
		if rule.Remedy() == "" {
			t.Errorf("no remedy for %q", rule)
		}
	}
}

func printed(v Verdict, list bool) string {
	var out bytes.Buffer
	v.Print(&out, list)
	return out.String()
}

func TestPrintGroupsExceptionsAndFitsTheColumns(t *testing.T) {
	long := strings.Repeat("because the load balancer delivers to such a bucket only ", 4)
	text := func(stack string) string {
		return strings.ReplaceAll(bucket(exception("CKV_AWS_18", long, "2027-03-31")), "dev/", stack+"/")
	}
	report := bucketReport(check(Failed, "CKV_AWS_21", "aws_s3_bucket.logs"))
	report.Checks[2].Name = strings.Repeat("Ensure the bucket has logging ", 5)
	for _, c := range slices.Clone(report.Checks) {
		c.Stack = "production"
		report.Checks = append(report.Checks, c)
	}
	stacks := []Stack{parse(t, "dev", text("dev")), parse(t, "production", text("production"))}
	got := printed(Judge(stacks, now, report), true)
	for _, want := range []string{
		"checkov 3.3.30    passed  excepted    failed\n",
		"dev                    2         1         1\n",
		"production             2         1         1\n",
		"all                    4         2         2\n",
		"\n2 exceptions, the first of them until 2027-03-31\n",
		"    dev: dev/logs/bucket (aws_s3_bucket.logs)\n    production: production/logs/bucket (aws_s3_bucket.logs)\n",
		"\n2 problems\n\nfinding without an exception\n  -> fix the resource;",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("printed\n%s\nwant %q", got, want)
		}
	}
	if count := strings.Count(got, "until 2027-03-31: because"); count != 1 {
		t.Errorf("the reason is printed %d times, want once", count)
	}
	for line := range strings.Lines(got) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("a line is too long: %q", line)
		}
	}
}
