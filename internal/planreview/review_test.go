package planreview_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/planreview"
)

var update = flag.Bool("update", false, "renew the golden files in testdata")

// plans are the names of the plans that Terraform made: testdata/README.md says how.
func plans(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.plan.json"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d plans in testdata, %v: run make plans", len(files), err)
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".plan.json")
	}
	return names
}

func load(t testing.TB, name string) (plan, stack []byte) {
	t.Helper()
	return content(t, name+".plan.json"), content(t, name+".stack.json")
}

func content(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func review(t testing.TB, name string) *planreview.Review {
	t.Helper()
	plan, stack := load(t, name)
	r, err := planreview.Read(plan, planreview.Options{Name: "dev", Stack: stack})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReviewsOfRealPlans(t *testing.T) {
	for _, name := range plans(t) {
		t.Run(name, func(t *testing.T) {
			r := review(t, name)
			verdict, err := json.MarshalIndent(r.Verdict(), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			for file, got := range map[string]string{name + ".md": planreview.Markdown(r), name + ".verdict.json": string(verdict) + "\n"} {
				if *update {
					if err := os.WriteFile(filepath.Join("testdata", file), []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(string(content(t, file)), got); diff != "" {
					t.Errorf("%s differs (go test ./internal/planreview -update, then review): -want +got\n%s", file, diff)
				}
			}
		})
	}
}

// What each of the plans is about has to be in its verdict, whatever the golden files say.
func TestVerdictsOfRealPlans(t *testing.T) {
	for _, test := range []struct {
		name                    string
		dataLoss, network, iam  []string
		create, change, destroy int
		replace                 int
	}{
		{name: "unchanged"},
		{name: "create", create: 289},
		{name: "cpu", replace: 1, change: 1},
		{name: "queue", dataLoss: []string{"the SQS queue shop-dev-mail is destroyed"}, destroy: 5, change: 2, replace: 1},
		{
			name: "database", replace: 1,
			dataLoss: []string{"is replaced by a new one", "deletion_protection goes to false", "shrinks from 7 to 1 days of backups"},
		},
		{
			name: "bucket", change: 4, network: []string{"restrict_public_buckets off"},
			dataLoss: []string{"force_destroy goes to true", "versioning goes from Enabled to Suspended"},
		},
		{name: "open", change: 1, network: []string{"tcp 443 is open to the whole internet (0.0.0.0/0), before tcp 443 of "}},
		{name: "iam", change: 2, iam: []string{"may s3:* on *", "AWS * may sts:AssumeRole"}},
		{name: "key", destroy: 2, dataLoss: []string{"the KMS key is destroyed"}},
		{name: "tags", change: -1},
		{name: "sensitive", change: 1},
		{name: "service", create: 17},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := review(t, test.name)
			for what, pair := range map[string]struct {
				got  []planreview.Finding
				want []string
			}{"data_loss": {r.DataLoss, test.dataLoss}, "network": {r.Network, test.network}, "iam": {r.IAM, test.iam}} {
				for _, want := range pair.want {
					if !found(pair.got, want) {
						t.Errorf("%s has nothing of %q: %v", what, want, pair.got)
					}
				}
				if pair.want == nil && len(pair.got) > 0 && what == "data_loss" {
					t.Errorf("nothing should be lost: %v", pair.got)
				}
			}
			for action, want := range map[planreview.Action]int{
				planreview.Create: test.create, planreview.Update: test.change, planreview.Destroy: test.destroy,
				planreview.Replace: test.replace,
			} {
				if got := r.Count(action); want >= 0 && got != want {
					t.Errorf("%d resources to %s, want %d", got, action, want)
				}
			}
			if need := len(r.Verdict().Needs) > 0; need != (test.dataLoss != nil) {
				t.Errorf("the label is needed: %t", need)
			}
		})
	}
}

func found(findings []planreview.Finding, want string) bool {
	return slices.ContainsFunc(findings, func(f planreview.Finding) bool { return strings.Contains(f.Text, want) })
}

func TestTagsAreFolded(t *testing.T) {
	r := review(t, "tags")
	if n := r.TagsOnly(); n == 0 || n != len(r.Changes) {
		t.Errorf("%d of %d changes are of tags only", n, len(r.Changes))
	}
	if strings.Contains(planreview.Markdown(r), "CostCenter") {
		t.Error("the tags' values are shown")
	}
}

func TestSensitiveValuesAreNeverShown(t *testing.T) {
	const secret, other = "hunter2-before", "hunter2-after"
	for _, typ := range []string{"aws_ssm_parameter", "aws_iam_policy", "aws_db_instance"} {
		plan := planOf(t, typ, map[string]any{"value": secret, "policy": secret, "list": []any{secret}, "deletion_protection": true},
			map[string]any{"value": other, "policy": other, "list": []any{other, other}, "deletion_protection": false},
			map[string]any{"value": true, "policy": true, "list": []any{true, true}})
		r := mustRead(t, plan)
		text, err := json.Marshal(r.Verdict())
		if err != nil {
			t.Fatal(err)
		}
		if all := planreview.Markdown(r) + string(text); strings.Contains(all, "hunter2") || !strings.Contains(all, "changes (sensitive)") {
			t.Errorf("%s: %s", typ, all)
		}
	}
}

// planOf is a plan that changes one resource.
func planOf(t testing.TB, typ string, before, after, sensitive any) []byte {
	t.Helper()
	action := []string{"update"}
	if before == nil {
		action = []string{"create"}
	}
	text, err := json.Marshal(map[string]any{
		"format_version": "1.2",
		"resource_changes": []any{map[string]any{
			"address": typ + ".a", "mode": "managed", "type": typ, "name": "a",
			"change": map[string]any{
				"actions": action, "before": before, "after": after, "before_sensitive": sensitive, "after_sensitive": sensitive,
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustRead(t testing.TB, plan []byte) *planreview.Review {
	t.Helper()
	r, err := planreview.Read(plan, planreview.Options{Name: "dev"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestUnusableInput(t *testing.T) {
	for _, text := range []string{"", "{}", "[]", "No changes.", `{"format_version": "99.0"}`,
		`{"format_version": "1.2", "errored": true}`} {
		if _, err := planreview.Read([]byte(text), planreview.Options{}); err == nil {
			t.Errorf("%q is read as a plan", text)
		}
	}
}

func statement(s string) map[string]any {
	return map[string]any{"policy": `{"Version":"2012-10-17","Statement":[` + s + `]}`}
}

// Policies are compared by what they grant.
func TestPoliciesThatWiden(t *testing.T) {
	const narrow = `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::a/*"}`
	for _, test := range []struct {
		name, before, after, want string
	}{
		{"the order and the form mean nothing", narrow,
			`{"Sid":"New","Effect":"Allow","Action":["s3:putobject","s3:GetObject"],"Resource":["arn:aws:s3:::a/*"]}`, ""},
		{"one statement becomes two", narrow,
			`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"},` +
				`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/b*"}`, ""},
		{"less is granted", narrow, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/b"}`, ""},
		{"a wildcard becomes a name", `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`, narrow, ""},
		{"a condition comes", narrow, strings.TrimSuffix(narrow, "}") + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`, ""},
		{"another action", narrow, `{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::a/*"}`,
			"s3:DeleteObject"},
		{"a wildcard", narrow, `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a/*"}`, "s3:*"},
		{"another resource", narrow, strings.ReplaceAll(narrow, `"arn:aws:s3:::a/*"`, `["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]`),
			"arn:aws:s3:::b/*"},
		{"a condition goes", strings.TrimSuffix(narrow, "}") + `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}}`, narrow,
			"without a condition"},
		{"a condition takes another value", strings.TrimSuffix(narrow, "}") + `,"Condition":{"StringEquals":{"a:b":"x"}}}`,
			strings.TrimSuffix(narrow, "}") + `,"Condition":{"StringEquals":{"a:b":["x","y"]}}}`, "fewer conditions or other values"},
		{"a denial goes", narrow + `,{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}`, narrow,
			"no longer denies s3:GetObject"},
		{"everything but", narrow, `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "NotAction"},
		{"another principal", `{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}`,
			`{"Effect":"Allow","Principal":{"Service":["ecs-tasks.amazonaws.com","ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}`,
			"Service ec2.amazonaws.com may sts:AssumeRole"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRead(t, planOf(t, "aws_iam_policy", statement(test.before), statement(test.after), nil))
			if test.want == "" && len(r.IAM) > 0 {
				t.Errorf("nothing widens, but: %v", r.IAM)
			}
			if test.want != "" && !found(r.IAM, test.want) {
				t.Errorf("want %q in %v", test.want, r.IAM)
			}
		})
	}
}

// A policy with denials that goes while its queue stays is loud.
func TestDenialsThatGo(t *testing.T) {
	policy := statement(`{"Effect":"Deny","Principal":"*","Action":"sqs:*","Resource":"*"}`)
	gone := func(typ, name string, before any) map[string]any {
		return map[string]any{
			"address": typ + "." + name, "mode": "managed", "type": typ, "name": name,
			"change": map[string]any{"actions": []string{"delete"}, "before": before},
		}
	}
	lone := gone("aws_sqs_queue_policy", "queues_mail_policy_0A0A0A0A", policy)
	for _, changes := range [][]any{{lone}, {lone, gone("aws_sqs_queue", "queues_mail_queue_0A0A0A0A", map[string]any{})}} {
		text, err := json.Marshal(map[string]any{"format_version": "1.2", "resource_changes": changes})
		if err != nil {
			t.Fatal(err)
		}
		r := mustRead(t, text)
		if minor := len(changes) == 2; len(r.IAM) != 1 || r.IAM[0].Minor != minor || !found(r.IAM, "no longer denies sqs:*") {
			t.Errorf("%d destroyed: %+v", len(changes), r.IAM)
		}
	}
}

func TestDataThatIsLessProtected(t *testing.T) {
	rules := func(days int) map[string]any {
		return map[string]any{"rule": []any{map[string]any{"id": "old", "expiration": []any{map[string]any{"days": days}}}}}
	}
	for _, test := range []struct {
		name, typ     string
		before, after map[string]any
		want          string
	}{
		{"logs for a shorter time", "aws_cloudwatch_log_group", map[string]any{"retention_in_days": 0},
			map[string]any{"retention_in_days": 30}, "from for ever to 30 days of logs"},
		{"logs for a longer time", "aws_cloudwatch_log_group", map[string]any{"retention_in_days": 30},
			map[string]any{"retention_in_days": 0}, ""},
		{"messages for a shorter time", "aws_sqs_queue", map[string]any{"message_retention_seconds": 345600},
			map[string]any{"message_retention_seconds": 60}, "from 345600 to 60 seconds"},
		{"a key is disabled", "aws_kms_key", map[string]any{"is_enabled": true}, map[string]any{"is_enabled": false},
			"can decrypt nothing"},
		{"objects expire earlier", "aws_s3_bucket_lifecycle_configuration", rules(90), rules(30), "from 90 to 30 days of objects"},
		{"objects expire", "aws_s3_bucket_lifecycle_configuration", map[string]any{"rule": []any{}}, rules(30), "after 30 days"},
		{"no point in time", "aws_dynamodb_table", map[string]any{"point_in_time_recovery": []any{map[string]any{"enabled": true}}},
			map[string]any{"point_in_time_recovery": []any{map[string]any{"enabled": false}}}, "to a point in time"},
		{"no snapshot", "aws_rds_cluster", map[string]any{"skip_final_snapshot": false}, map[string]any{"skip_final_snapshot": true},
			"leaves no snapshot"},
		{"protection comes", "aws_rds_cluster", map[string]any{"deletion_protection": false},
			map[string]any{"deletion_protection": true}, ""},
		{"protection is not given any more", "aws_rds_cluster", map[string]any{"deletion_protection": true}, map[string]any{},
			"may be deleted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRead(t, planOf(t, test.typ, test.before, test.after, nil))
			if test.want == "" && len(r.DataLoss) > 0 || test.want != "" && !found(r.DataLoss, test.want) {
				t.Errorf("want %q, got %v", test.want, r.DataLoss)
			}
		})
	}
}

func TestNetworkThatOpens(t *testing.T) {
	rule := func(cidr string, from, to int) map[string]any {
		return map[string]any{"cidr_ipv4": cidr, "from_port": from, "to_port": to, "ip_protocol": "tcp"}
	}
	for _, test := range []struct {
		name          string
		typ           string
		before, after any
		want          string
	}{
		{"to the world", "aws_vpc_security_group_ingress_rule", nil, rule("0.0.0.0/0", 443, 443), "the whole internet"},
		{"a wider range", "aws_vpc_security_group_ingress_rule", rule("10.0.1.0/24", 443, 443), rule("10.0.0.0/16", 443, 443),
			"10.0.0.0/16"},
		{"more ports", "aws_vpc_security_group_ingress_rule", rule("10.0.0.0/16", 443, 443), rule("10.0.0.0/16", 0, 65535), "0-65535"},
		{"narrower", "aws_vpc_security_group_ingress_rule", rule("10.0.0.0/16", 0, 65535), rule("10.0.1.0/24", 443, 443), ""},
		{"a bucket for everybody", "aws_s3_bucket_policy", statement(``),
			statement(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}`), "anybody"},
		{"a bucket that denies everybody", "aws_s3_bucket_policy", statement(``),
			statement(`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`), ""},
		{"a public database", "aws_db_instance", map[string]any{"publicly_accessible": false},
			map[string]any{"publicly_accessible": true}, "publicly_accessible"},
		{"public tasks", "aws_ecs_service", map[string]any{"network_configuration": []any{map[string]any{"assign_public_ip": false}}},
			map[string]any{"network_configuration": []any{map[string]any{"assign_public_ip": true}}}, "assign_public_ip"},
		{"inline", "aws_security_group", map[string]any{"ingress": []any{}},
			map[string]any{"ingress": []any{map[string]any{"cidr_blocks": []any{"::/0"}, "from_port": 22, "to_port": 22,
				"protocol": "tcp"}}}, "tcp 22"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := mustRead(t, planOf(t, test.typ, test.before, test.after, nil))
			if test.want == "" && len(r.Network) > 0 || test.want != "" && !found(r.Network, test.want) {
				t.Errorf("want %q, got %v", test.want, r.Network)
			}
		})
	}
}

// A type without a price is said to have none.
func TestUnknownClassIsNotPriced(t *testing.T) {
	db := map[string]any{"engine": "postgres", "instance_class": "db.x99.huge", "allocated_storage": 20, "storage_type": "gp3"}
	r := mustRead(t, planOf(t, "aws_db_instance", nil, db, nil))
	if len(r.Cost.Unpriced) != 1 || !strings.Contains(planreview.Markdown(r), "db.x99.huge") {
		t.Errorf("want the class among what is not priced: %+v\n%s", r.Cost, planreview.Markdown(r))
	}
	db["instance_class"] = "db.m7g.2xlarge"
	r = mustRead(t, planOf(t, "aws_db_instance", nil, db, nil))
	if want := 0.186*4*730 + 20*0.127; r.Cost.After < want-0.01 || r.Cost.After > want+0.01 {
		t.Errorf("a month costs %.2f, want %.2f", r.Cost.After, want)
	}
}

// FuzzMarkdown looks for text that gets out of where it is put, and for plans that do not fit.
func FuzzMarkdown(f *testing.F) {
	for _, seed := range []string{
		"</code><script>alert(1)</script>", "`x` **b** [a](javascript:x) ![i](http://x)", "@everyone #1 GH-1", "a|b\n| --- |",
		"--> <!--",
		"</details></summary>", "\u202eabc\u0000\xff", "www.example.com http://example.com $x$ :tada:", "\\`\\<", "&lt;b&gt; &#60;",
	} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = max(1, min(n, 300))
		var changes []any
		for i := range n {
			name := text + strings.Repeat("x", i%50)
			changes = append(changes, map[string]any{
				"address": "aws_sqs_queue." + name, "mode": "managed", "type": "aws_sqs_queue", "name": name, "module_address": "",
				"change": map[string]any{
					"actions": []string{"delete", "create"}, "replace_paths": []any{[]any{text}},
					"before": map[string]any{"name": text, "policy": text, "a" + text: text},
					"after":  map[string]any{"name": name, "policy": text + "{", "b" + text: strings.Repeat(text, 30)},
				},
			})
		}
		plan, err := json.Marshal(map[string]any{
			"format_version": "1.2", "resource_changes": changes,
			"output_changes": map[string]any{text: map[string]any{"actions": []string{"create"}}},
		})
		if err != nil {
			t.Skip(err)
		}
		r, err := planreview.Read(plan, planreview.Options{Name: text})
		if err != nil {
			t.Fatal(err)
		}
		got := planreview.Markdown(r)
		check(t, got)
		if again := planreview.Markdown(mustReadNamed(t, plan, text)); again != got {
			t.Error("the same plan gives another summary")
		}
	})
}

func mustReadNamed(t testing.TB, plan []byte, name string) *planreview.Review {
	t.Helper()
	r, err := planreview.Read(plan, planreview.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ours are the tags that the summary is made of.
var ours = strings.NewReplacer("<code>", "", "</code>", "", "<details>", "", "</details>", "", "<summary>", "", "</summary>", "")

func check(t *testing.T, markdown string) {
	t.Helper()
	if len(markdown) > planreview.Limit || !utf8.ValidString(markdown) {
		t.Errorf("%d bytes, valid UTF-8: %t", len(markdown), utf8.ValidString(markdown))
	}
	marker, rest, _ := strings.Cut(markdown, "\n")
	if !strings.HasPrefix(marker, "<!-- planreview:") || !strings.HasSuffix(marker, " -->") || strings.Count(marker, ">") != 1 {
		t.Errorf("marker %q", marker)
	}
	rest = strings.ReplaceAll(rest, "`"+planreview.ApproveDataLoss+"`", "")
	plain := ours.Replace(rest)
	for _, bad := range []string{"<", ">", "`", "@", "[", "]", "\\", "$", "://", "~"} {
		if i := strings.Index(plain, bad); i >= 0 {
			t.Errorf("%q gets through: %q", bad, plain[max(0, i-40):min(len(plain), i+40)])
		}
	}
	for _, tag := range []string{"code", "details", "summary"} {
		if strings.Count(rest, "<"+tag+">") != strings.Count(rest, "</"+tag+">") {
			t.Errorf("%s is not closed", tag)
		}
	}
	for _, line := range strings.Split(rest, "\n") {
		if strings.Count(line, "<code>") != strings.Count(line, "</code>") {
			t.Errorf("code over more than one line: %q", line)
		}
	}
}

func TestHugePlansFit(t *testing.T) {
	for _, groups := range []int{1, 7, 400, 3000} {
		check(t, planreview.Markdown(mustRead(t, hugePlan(t, groups))))
	}
}

// In a comment of several plans the short ones are whole.
func TestSeveralPlansFitTogether(t *testing.T) {
	short, huge := review(t, "database"), mustRead(t, hugePlan(t, 400))
	for _, reviews := range [][]*planreview.Review{{short, huge}, {huge, huge, short, huge}, {huge, huge, huge, huge}} {
		got := planreview.Markdown(reviews...)
		if len(got) > planreview.Limit || len(got) < planreview.Limit*3/4 {
			t.Errorf("%d bytes of %d", len(got), planreview.Limit)
		}
		for _, r := range reviews {
			if r == short && !strings.Contains(got, planreview.Markdown(short)) {
				t.Error("the short one is cut")
			}
		}
		if want, n := len(reviews), strings.Count(got, "<!-- planreview:"); n != want {
			t.Errorf("%d reviews, want %d", n, want)
		}
	}
}

func hugePlan(t testing.TB, groups int) []byte {
	t.Helper()
	var changes []any
	for i := range 1200 {
		typ := []string{"aws_sqs_queue", "aws_ecs_service", "aws_iam_role_policy"}[i%3]
		name := "services_g" + strings.Repeat("y", i%groups%40) + string(rune('a'+i%groups%26)) + "_x_0A0A0A0A"
		if groups == 3000 {
			name = strings.Repeat("<", i%600) + "_x_0A0A0A0A"
		}
		after := map[string]any{"a": strings.Repeat("<&", 500), "name": strings.Repeat("@", 300)}
		for k := range 40 {
			after[string(rune('A'+k))] = i
		}
		changes = append(changes, map[string]any{
			"address": typ + "." + name, "mode": "managed", "type": typ, "name": name,
			"change": map[string]any{"actions": []string{"delete", "create"}, "before": map[string]any{"name": "b"}, "after": after},
		})
	}
	plan, err := json.Marshal(map[string]any{"format_version": "1.2", "resource_changes": changes})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
