package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPolicyIsReadAsIAMReturnsIt(t *testing.T) {
	got, err := Parse([]byte(`{
		"Version": "2012-10-17",
		"Statement": [
			{
				"Sid": "Assume", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
				"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.example.com", "AWS": ["111122223333", "444455556666"]},
				"Condition": {"StringEquals": {"token.example.com:sub": ["a", "b"], "token.example.com:aud": "c"}, "Bool": {"aws:SecureTransport": true}}
			},
			{"Effect": "Deny", "Principal": "*", "NotAction": ["s3:GetObject"], "Resource": "*"}
		]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Statement{
		{
			Sid: "Assume", Actions: []string{"sts:AssumeRoleWithWebIdentity"},
			Principals: []Principal{
				{"AWS", "111122223333"}, {"AWS", "444455556666"}, {"Federated", "arn:aws:iam::111122223333:oidc-provider/token.example.com"},
			},
			Conditions: []Condition{
				{"Bool", "aws:SecureTransport", []string{"true"}},
				{"StringEquals", "token.example.com:aud", []string{"c"}}, {"StringEquals", "token.example.com:sub", []string{"a", "b"}},
			},
		},
		{Deny: true, Principals: []Principal{{"*", "*"}}, NotActions: []string{"s3:GetObject"}, Resources: []string{"*"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAPolicyThatIsNotUnderstoodIsRefused(t *testing.T) {
	for document, want := range map[string]string{
		``:                   "cannot be read",
		`{"Statement": []}`:  "no statements",
		`{"Statements": []}`: "unknown field",
		`{"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "a:b"}}`:  "unknown field",
		`{"Statement": {"Effect": "allow", "Action": "a:b"}}`:                                "effect",
		`{"Statement": {"Effect": "Allow", "Action": "a:b", "Resource": "${aws:username}"}}`: "policy variables",
		`{"Statement": {"Effect": "Allow", "Action": 1}}`:                                    "cannot be read",
	} {
		if _, err := Parse([]byte(document)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", document, err, want)
		}
	}
}

// Whoever logs in by a token of an identity provider is let in by the role's trust alone.
func TestATokenIsJudgedByTheTrustOfTheRole(t *testing.T) {
	trust, err := Parse([]byte(`{"Statement": {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.example.com"},
		"Condition": {"StringEquals": {"token.example.com:aud": "sts.amazonaws.com"}, "StringLike": {"token.example.com:sub": "repo:o/r:ref:refs/tags/v*"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	const ours = "arn:aws:iam::111122223333:oidc-provider/token.example.com"
	for _, test := range []struct {
		provider, sub string
		want          bool
	}{
		{ours, "repo:o/r:ref:refs/tags/v1.0.0", true},
		{ours, "repo:o/r:ref:refs/heads/main", false},
		{ours, "", false},
		{"arn:aws:iam::111122223333:oidc-provider/other.example.com", "repo:o/r:ref:refs/tags/v1.0.0", false},
	} {
		r := Request{
			Principal: Principal{"Federated", test.provider}, Action: "sts:AssumeRoleWithWebIdentity",
			Resource: "arn:aws:iam::111122223333:role/r", Account: "111122223333",
			Context: map[string][]string{"token.example.com:aud": {"sts.amazonaws.com"}},
		}
		if test.sub != "" {
			r.Context["token.example.com:sub"] = []string{test.sub}
		}
		got, err := Evaluate(r, Policies{Resource: trust, Ruled: true})
		if err != nil || got.Allowed != test.want {
			t.Errorf("%+v: %v %v", test, got, err)
		}
	}
}
