package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func stack() Stack {
	named := func(name string) map[string]any { return map[string]any{"name": name} }
	return Stack{
		Providers: map[string]Provider{"": {"111122223333", "eu-west-1"}, "edge": {"111122223333", "us-east-1"}, "dev": {"444455556666", "eu-west-1"}},
		Resources: map[string]map[string]map[string]any{
			"aws_sqs_queue":                   {"orders": named("shop-orders"), "copy": named("${aws_sqs_queue.orders.name}-copy")},
			"aws_secretsmanager_secret":       {"token": named("shop-token")},
			"aws_kms_key":                     {"key": {}, "edge": {"provider": "aws.edge"}, "lost": {"provider": "aws.nowhere"}},
			"aws_db_instance":                 {"shop": {"identifier": "shop-dev"}},
			"aws_db_proxy":                    {"shop": named("shop-dev")},
			"aws_s3_bucket":                   {"media": {"bucket": "media"}},
			"aws_ecs_task_definition":         {"orders": {"family": "orders", "execution_role_arn": "${aws_iam_role.start.arn}"}},
			"aws_iam_role":                    {"start": named("start"), "theirs": {"name": "theirs", "provider": "aws.dev"}},
			"aws_iam_openid_connect_provider": {"github": {"url": "https://token.actions.githubusercontent.com"}},
			"aws_vpc":                         {"vpc": {}},
		},
	}
}

func TestReferencesBecomeARNs(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                                                             "plain",
		"${aws_sqs_queue.orders.arn}":                                       "arn:aws:sqs:eu-west-1:111122223333:shop-orders",
		"${aws_sqs_queue.copy.arn}":                                         "arn:aws:sqs:eu-west-1:111122223333:shop-orders-copy",
		"${aws_s3_bucket.media.arn}/reports/*":                              "arn:aws:s3:::media/reports/*",
		"${aws_s3_bucket.media.id}":                                         "media",
		"${aws_iam_role.theirs.arn}":                                        "arn:aws:iam::444455556666:role/theirs",
		"${aws_iam_openid_connect_provider.github.arn}":                     "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
		"${aws_ecs_task_definition.orders.arn_without_revision}:*":          "arn:aws:ecs:eu-west-1:111122223333:task-definition/orders:*",
		"${aws_ecs_task_definition.orders.execution_role_arn}":              "arn:aws:iam::111122223333:role/start",
		"${aws_sqs_queue.orders.name}/${aws_s3_bucket.media.bucket}":        "shop-orders/media",
		`${element(split(":", aws_sqs_queue.orders.arn), 4)}`:               "111122223333",
		"arn:aws:rds-db:r:1:dbuser:${aws_db_instance.shop.resource_id}/o":   "arn:aws:rds-db:r:1:dbuser:db-" + id(t, "aws_db_instance.shop") + "/o",
		`${element(split(":", aws_db_proxy.shop.arn), 6)}`:                  "prx-" + id(t, "aws_db_proxy.shop"),
		`${replace(aws_sqs_queue.orders.arn, ":sqs:", ":sns:")}/*`:          "arn:aws:sns:eu-west-1:111122223333:shop-orders/*",
		"${aws_kms_key.key.arn}":                                            "arn:aws:kms:eu-west-1:111122223333:key/" + id(t, "aws_kms_key.key"),
		"${aws_kms_key.edge.arn}":                                           "arn:aws:kms:us-east-1:111122223333:key/" + id(t, "aws_kms_key.edge"),
		"${aws_db_instance.shop.master_user_secret[0].secret_arn}":          secretOf(t),
		"${element(aws_db_instance.shop.master_user_secret, 0).secret_arn}": secretOf(t),
	} {
		got, err := stack().Resolve(text)
		if err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", text, got, want, err)
		}
	}
}

func id(t *testing.T, address string) string {
	t.Helper()
	kind, name, _ := strings.Cut(address, ".")
	made, err := stack().fill(kind, name, "id", nil)
	if err != nil || len(made) != 20 {
		t.Fatalf("id %q (%v)", made, err)
	}
	return made
}

func secretOf(t *testing.T) string {
	t.Helper()
	suffix, err := stack().fill("aws_db_instance", "shop", "suffix", nil)
	if err != nil || len(suffix) != 6 {
		t.Fatalf("suffix %q (%v)", suffix, err)
	}
	return "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-" + id(t, "aws_db_instance.shop") + "-" + suffix
}

func TestAReferenceThatLeadsNowhereIsAnError(t *testing.T) {
	for _, text := range []string{
		"${aws_sqs_queue.mail.arn}",           // no such resource
		"${aws_vpc.vpc.arn}",                  // a type without a format
		"${aws_sqs_queue.orders.policy}",      // an attribute that is no argument
		"${aws_kms_key.lost.arn}",             // no such provider
		"${data.aws_caller_identity.me.id}",   // no resource
		"${upper(aws_sqs_queue.orders.name)}", // a function
		"${aws_sqs_queue.orders.arn",          // no end
		"${aws:username}",                     // a policy variable
	} {
		if got, err := stack().Resolve(text); err == nil {
			t.Errorf("%s is %q", text, got)
		}
	}
}

func document(t *testing.T, text string) map[string]any {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDocumentsAreReadWhole(t *testing.T) {
	got, err := Read(document(t, `{"//": {"metadata": {}}, "statement": [
		{"sid": "A", "effect": "Allow", "actions": ["sqs:SendMessage"], "resources": ["${aws_sqs_queue.orders.arn}"],
		 "condition": [{"test": "StringEquals", "variable": "aws:SourceAccount", "values": ["1", "2"]}]},
		{"sid": "B", "effect": "Deny", "not_actions": ["sqs:*"], "not_resources": ["*"],
		 "principals": [{"type": "AWS", "identifiers": ["*"]}, {"type": "Service", "identifiers": ["a", "b"]}]},
		{"actions": ["sqs:*"], "resources": ["*"]}
	]}`), stack().Resolve)
	want := []Statement{
		{Sid: "A", Actions: []string{"sqs:SendMessage"}, Resources: []string{"arn:aws:sqs:eu-west-1:111122223333:shop-orders"},
			Conditions: []Condition{{"StringEquals", "aws:SourceAccount", []string{"1", "2"}}}},
		{Sid: "B", Deny: true, NotActions: []string{"sqs:*"}, NotResources: []string{"*"},
			Principals: []Principal{{"AWS", "*"}, {"Service", "a"}, {"Service", "b"}}},
		{Actions: []string{"sqs:*"}, Resources: []string{"*"}},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhatIsNotKnownOfADocumentIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"no statements":       `{}`,
		"other documents":     `{"statement": [], "source_policy_documents": ["{}"]}`,
		"not_principals":      `{"statement": [{"actions": ["*"], "not_principals": [{"type": "*", "identifiers": ["*"]}]}]}`,
		"an effect":           `{"statement": [{"actions": ["*"], "effect": "allow"}]}`,
		"an empty list":       `{"statement": [{"actions": []}]}`,
		"no list":             `{"statement": [{"actions": "sqs:*"}]}`,
		"a policy variable":   `{"statement": [{"actions": ["s3:*"], "resources": ["arn:aws:s3:::media/&{aws:username}"]}]}`,
		"one that is escaped": `{"statement": [{"actions": ["s3:*"], "resources": ["arn:aws:s3:::media/$${aws:username}"]}]}`,
		"a lost reference":    `{"statement": [{"actions": ["s3:*"], "resources": ["${aws_sqs_queue.mail.arn}"]}]}`,
		"a condition twice": `{"statement": [{"actions": ["s3:*"], "resources": ["*"], "condition": [
			{"test": "StringEquals", "variable": "s3:prefix", "values": ["a"]}, {"test": "StringEquals", "variable": "S3:prefix", "values": ["b"]}]}]}`,
	} {
		if got, err := Read(document(t, text), stack().Resolve); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestSplitStatementsSayTheSame(t *testing.T) {
	whole := []Statement{
		{Sid: "A", Actions: []string{"sqs:SendMessage", "sqs:ReceiveMessage"}, Resources: []string{"a", "b"}},
		{Sid: "B", NotActions: []string{"sqs:*", "sns:*"}, NotResources: []string{"a", "b"}, Deny: true},
		{Sid: "C", Actions: []string{"ecr:BatchGetImage"}},
	}
	var got []string
	for _, s := range Split(whole) {
		got = append(got, s.String())
	}
	want := []string{
		"A (allow sqs:SendMessage on a)", "A (allow sqs:SendMessage on b)", "A (allow sqs:ReceiveMessage on a)",
		"A (allow sqs:ReceiveMessage on b)", "B (deny sqs:*, sns:* on a, b)", "C (allow ecr:BatchGetImage on )",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
