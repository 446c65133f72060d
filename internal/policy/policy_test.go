package policy

import (
	"strings"
	"testing"
)

const (
	queueARN = "arn:aws:sqs:eu-west-1:111122223333:orders"
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/1234"
)

var (
	role       = Principal{Type: "AWS", ID: "arn:aws:iam::111122223333:role/orders"}
	otherRole  = Principal{Type: "AWS", ID: "arn:aws:iam::111122223333:role/mailer"}
	root       = Principal{Type: "AWS", ID: "arn:aws:iam::111122223333:root"}
	foreigner  = Principal{Type: "AWS", ID: "arn:aws:iam::444455556666:role/admin"}
	foreignTop = Principal{Type: "AWS", ID: "arn:aws:iam::444455556666:root"}
	topics     = Principal{Type: "Service", ID: "sns.amazonaws.com"}
	anybody    = Principal{Type: "*", ID: "*"}
)

// The rules and examples of
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-req.html
func TestADenyWinsThenAnAllowAndOtherwiseNothingIsAllowed(t *testing.T) {
	allow := Statement{Actions: []string{"sqs:SendMessage"}, Resources: []string{queueARN}}
	everything := Statement{Actions: []string{"*"}, Resources: []string{"*"}}
	to := func(s Statement, deny bool, who ...Principal) Statement {
		s.Principals, s.Deny = who, deny
		return s
	}
	deny := allow
	deny.Deny = true
	for _, test := range []struct {
		name     string
		who      Principal
		identity []Statement
		resource []Statement
		ruled    bool
		want     bool
	}{
		{name: "nothing said", who: role},
		{name: "identity allows", who: role, identity: []Statement{allow}, want: true},
		{name: "identity denies what it allows", who: role, identity: []Statement{allow, deny}},
		{name: "the deny may come first", who: role, identity: []Statement{deny, everything}},
		{name: "resource allows the role", who: role, resource: []Statement{to(allow, false, role)}, want: true},
		{name: "resource allows another role", who: role, resource: []Statement{to(allow, false, otherRole)}},
		{name: "resource allows the account, which says nothing", who: role, resource: []Statement{to(allow, false, root)}},
		{name: "resource allows the account by its number", who: role, identity: []Statement{allow},
			resource: []Statement{to(allow, false, Principal{"AWS", "111122223333"})}, ruled: true, want: true},
		{name: "resource allows everybody", who: role, resource: []Statement{to(allow, false, anybody)}, want: true},
		{name: "resource allows everybody, written as AWS: *", who: anybody,
			resource: []Statement{to(allow, false, Principal{"AWS", "*"})}, want: true},
		{name: "resource denies everybody", who: role, identity: []Statement{everything}, resource: []Statement{to(allow, true, anybody)}},
		{name: "resource denies the account", who: role, identity: []Statement{everything}, resource: []Statement{to(allow, true, root)}},
		{name: "resource denies another role", who: role, identity: []Statement{allow}, resource: []Statement{to(allow, true, otherRole)}, want: true},
		{name: "a service is allowed by the resource alone", who: topics, resource: []Statement{to(allow, false, topics)}, want: true},
		{name: "a service is nobody's account", who: topics, resource: []Statement{to(allow, false, root)}},
		{name: "a service has no identity policies", who: topics, identity: []Statement{everything}},
		{name: "across accounts identity is not enough", who: foreigner, identity: []Statement{everything}},
		{name: "across accounts resource is not enough", who: foreigner, resource: []Statement{to(allow, false, foreigner)}},
		{name: "across accounts both", who: foreigner, identity: []Statement{everything},
			resource: []Statement{to(allow, false, foreignTop)}, want: true},
		{name: "across accounts the other account", who: foreigner, identity: []Statement{everything},
			resource: []Statement{to(allow, false, root)}},
		{name: "a ruled resource must allow", who: role, identity: []Statement{everything}, ruled: true},
		{name: "a ruled resource delegates to the account", who: role, identity: []Statement{allow},
			resource: []Statement{to(everything, false, root)}, ruled: true, want: true},
		{name: "a ruled resource delegates, and identity says nothing", who: role,
			resource: []Statement{to(everything, false, root)}, ruled: true},
	} {
		r := Request{Principal: test.who, Action: "sqs:SendMessage", Resource: queueARN, Account: "111122223333"}
		got, err := Evaluate(r, Policies{Identity: test.identity, Resource: test.resource, Ruled: test.ruled})
		if err != nil || got.Allowed != test.want {
			t.Errorf("%s: allowed %v, want %v (%v)", test.name, got.Allowed, test.want, err)
		}
		if got.Allowed && len(got.By) == 0 {
			t.Errorf("%s: it is not told what allowed it", test.name)
		}
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html
func TestActionsAndResourcesAreMatchedAsAWSMatchesThem(t *testing.T) {
	for _, test := range []struct {
		name             string
		statement        Statement
		action, resource string
		want             bool
	}{
		{"the same", Statement{Actions: []string{"sqs:SendMessage"}, Resources: []string{queueARN}}, "sqs:SendMessage", queueARN, true},
		{"actions in any case", Statement{Actions: []string{"SQS:sendmessage"}, Resources: []string{queueARN}}, "sqs:SendMessage", queueARN, true},
		{"resources in their case", Statement{Actions: []string{"sqs:*"}, Resources: []string{strings.ToUpper(queueARN)}}, "sqs:SendMessage", queueARN, false},
		{"every action", Statement{Actions: []string{"*"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, true},
		{"a service's actions", Statement{Actions: []string{"sqs:*"}, Resources: []string{"*"}}, "sns:Publish", queueARN, false},
		{"a * within", Statement{Actions: []string{"iam:*AccessKey*"}, Resources: []string{"*"}}, "iam:CreateAccessKey", "*", true},
		{"a ?", Statement{Actions: []string{"sqs:SendMessag?"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, true},
		{"a ? is one character", Statement{Actions: []string{"sqs:Send?"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, false},
		{"a . is itself", Statement{Actions: []string{"sqs:Send.essage"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, false},
		{"all but an action", Statement{NotActions: []string{"iam:*"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, true},
		{"all but this action", Statement{NotActions: []string{"sqs:Send*"}, Resources: []string{"*"}}, "sqs:SendMessage", queueARN, false},
		{"objects of a bucket", Statement{Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::media/*"}}, "s3:GetObject", "arn:aws:s3:::media/a/b", true},
		{"not the bucket itself", Statement{Actions: []string{"s3:*"}, Resources: []string{"arn:aws:s3:::media/*"}}, "s3:ListBucket", "arn:aws:s3:::media", false},
		{"a name that begins the same", Statement{Actions: []string{"s3:*"}, Resources: []string{"arn:aws:s3:::media*"}}, "s3:ListBucket", "arn:aws:s3:::media-of-others", true},
		{"streams of a log group", Statement{Actions: []string{"logs:PutLogEvents"}, Resources: []string{"arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/orders:*"}},
			"logs:PutLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/orders:log-stream:ecs/1", true},
		{"all but these resources", Statement{Actions: []string{"s3:*"}, NotResources: []string{"arn:aws:s3:::media/*"}}, "s3:GetObject", "arn:aws:s3:::media/a", false},
		{"all but others", Statement{Actions: []string{"s3:*"}, NotResources: []string{"arn:aws:s3:::media/*"}}, "s3:GetObject", "arn:aws:s3:::site/a", true},
		{"what allows reaches as far as it may", Statement{Actions: []string{"sqs:*"}, Resources: []string{"arn:aws:sqs:eu-*orders"}}, "sqs:SendMessage", queueARN, true},
	} {
		r := Request{Principal: role, Action: test.action, Resource: test.resource, Account: "111122223333"}
		got, err := Evaluate(r, Policies{Identity: []Statement{test.statement}})
		if err != nil || got.Allowed != test.want {
			t.Errorf("%s: allowed %v, want %v (%v)", test.name, got.Allowed, test.want, err)
		}
	}
}

// A * within a part of an ARN ends with the part, at a part's end it may reach further.
func TestWhatDeniesReachesNoFurtherThanItMust(t *testing.T) {
	for pattern, denied := range map[string]bool{
		"arn:aws:sqs:eu-*orders": false, "arn:aws:sqs:*:orders": true, "arn:aws:sqs:*": true, "*": true, "arn:aws:s?s:*": true,
		"arn:aws:sqs:eu-west-1:111122223333:ord*s": true,
	} {
		r := Request{Principal: role, Action: "sqs:SendMessage", Resource: queueARN, Account: "111122223333"}
		got, err := Evaluate(r, Policies{Identity: []Statement{
			{Actions: []string{"sqs:*"}, Resources: []string{"*"}},
			{Deny: true, Actions: []string{"sqs:*"}, Resources: []string{pattern}},
		}})
		if err != nil || got.Allowed == denied {
			t.Errorf("%s: allowed %v (%v)", pattern, got.Allowed, err)
		}
	}
}

func TestWhatAWSRefusesIsAnError(t *testing.T) {
	good := Statement{Actions: []string{"sqs:SendMessage"}, Resources: []string{queueARN}}
	change := func(f func(*Statement)) Statement {
		s := good
		f(&s)
		return s
	}
	for name, s := range map[string]Statement{
		"no action":            change(func(s *Statement) { s.Actions = nil }),
		"both kinds of action": change(func(s *Statement) { s.NotActions = []string{"sqs:*"} }),
		"no resource":          change(func(s *Statement) { s.Resources = nil }),
		"both of resource":     change(func(s *Statement) { s.NotResources = []string{"*"} }),
		"a principal":          change(func(s *Statement) { s.Principals = []Principal{role} }),
		"an unknown operator": change(func(s *Statement) {
			s.Conditions = []Condition{{"DateLessThan", "aws:CurrentTime", []string{"2026-01-01"}}}
		}),
		"an unknown set": change(func(s *Statement) { s.Conditions = []Condition{{"ForSome:StringEquals", "aws:TagKeys", []string{"a"}}} }),
		"no values":      change(func(s *Statement) { s.Conditions = []Condition{{"StringEquals", "aws:SourceAccount", nil}} }),
	} {
		if d, err := Evaluate(Request{Principal: role, Action: "sqs:SendMessage", Resource: queueARN, Account: "111122223333"},
			Policies{Identity: []Statement{s}}); err == nil {
			t.Errorf("%s: allowed %v", name, d.Allowed)
		}
	}
	for name, s := range map[string]Statement{
		"no principal":    good,
		"part of a name":  change(func(s *Statement) { s.Principals = []Principal{{"AWS", "arn:aws:iam::111122223333:role/*"}} }),
		"an unknown type": change(func(s *Statement) { s.Principals = []Principal{{"CanonicalUser", "abc"}} }),
	} {
		if d, err := Evaluate(Request{Principal: role, Action: "sqs:SendMessage", Resource: queueARN, Account: "111122223333"},
			Policies{Resource: []Statement{s}}); err == nil {
			t.Errorf("%s: allowed %v", name, d.Allowed)
		}
	}
	if _, err := Evaluate(Request{Principal: role, Action: "sqs:*", Resource: queueARN}, Policies{}); err == nil {
		t.Error("a request of several actions is evaluated")
	}
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func TestConditions(t *testing.T) {
	const missing = "\x00"
	for _, test := range []struct {
		operator, values, request string // several are separated by spaces
		want                      bool
	}{
		{"StringEquals", "a", "a", true},
		{"StringEquals", "a", "A", false},
		{"StringEquals", "a", missing, false},
		{"StringEquals", "a b", "b", true},
		{"StringEquals", "a*", "ab", false},
		{"StringNotEquals", "a", "b", true},
		{"StringNotEquals", "a", "a", false},
		{"StringNotEquals", "a b", "b", false},
		{"StringNotEquals", "a", missing, true},
		{"StringEqualsIgnoreCase", "a", "A", true},
		{"StringNotEqualsIgnoreCase", "a", "A", false},
		{"StringLike", "re*/?", "reports/1", true},
		{"StringLike", "re*/?", "reports/12", false},
		{"StringLike", "re*", missing, false},
		{"StringNotLike", "re*", "reports", false},
		{"StringNotLike", "re*", "pictures", true},
		{"StringEqualsIfExists", "a", missing, true},
		{"StringEqualsIfExists", "a", "b", false},
		{"StringNotEqualsIfExists", "a", missing, true},

		{"ArnEquals", queueARN, queueARN, true},
		{"ArnEquals", "arn:aws:sqs:*:111122223333:*", queueARN, true}, // as ArnLike
		{"ArnLike", "arn:aws:sqs:*:111122223333:ord*", queueARN, true},
		{"ArnLike", "arn:aws:sqs:*:444455556666:*", queueARN, false},
		{"ArnLike", "arn:aws:sqs:*:*:orders", "arn:aws:sqs:eu-west-1:111122223333:more:orders", false}, // each part by itself
		{"ArnLike", "arn:aws:logs:eu-west-1:111122223333:*", "arn:aws:logs:eu-west-1:111122223333:log-group:/ecs/orders", true},
		{"ArnLike", "arn:aws:sqs:*:*:*", "orders", false},
		{"ArnLike", "arn:aws:sqs:*:*:*", missing, false},
		{"ArnNotLike", "arn:aws:sqs:*:*:*", queueARN, false},
		{"ArnNotEquals", queueARN, missing, true},

		{"Bool", "false", "false", true},
		{"Bool", "false", "true", false},
		{"Bool", "true", "TRUE", true},
		{"Bool", "false", missing, false},
		{"BoolIfExists", "false", missing, true},

		{"Null", "true", missing, true},
		{"Null", "true", "a", false},
		{"Null", "false", missing, false},
		{"Null", "false", "a", true},

		{"NumericEquals", "10", "10.0", true},
		{"NumericNotEquals", "10", "11", true},
		{"NumericNotEquals", "10", missing, true},
		{"NumericLessThan", "10", "9", true},
		{"NumericLessThan", "10", "10", false},
		{"NumericLessThanEquals", "10", "10", true},
		{"NumericGreaterThan", "10", "9", false},
		{"NumericGreaterThanEquals", "10", "10", true},
		{"NumericEquals", "10", "ten", false},

		{"IpAddress", "203.0.113.0/24", "203.0.113.7", true},
		{"IpAddress", "203.0.113.0/24 2001:db8::/32", "2001:db8::1", true},
		{"IpAddress", "203.0.113.0/24", "198.51.100.1", false},
		{"IpAddress", "203.0.113.7", "203.0.113.7", true},
		{"IpAddress", "203.0.113.0/24", missing, false},
		{"NotIpAddress", "203.0.113.0/24", "203.0.113.7", false},
		{"NotIpAddress", "203.0.113.0/24", missing, true},

		{"ForAllValues:StringEquals", "a b", "a", true},
		{"ForAllValues:StringEquals", "a b", "a b", true},
		{"ForAllValues:StringEquals", "a b", "a c", false},
		{"ForAllValues:StringEquals", "a b", missing, true},
		{"ForAllValues:StringNotEquals", "a b", "c d", true},
		{"ForAllValues:StringNotEquals", "a b", "b d", false},
		{"ForAnyValue:StringEquals", "a b", "b c", true},
		{"ForAnyValue:StringEquals", "a b", "c d", false},
		{"ForAnyValue:StringEquals", "a b", missing, false},
		{"ForAnyValue:StringNotEquals", "a b", "a c", true},
		{"ForAnyValue:StringNotEquals", "a b", "a b", false},
		{"ForAnyValue:StringNotEquals", "a b", missing, false},
		{"ForAnyValue:StringLike", "re*", "pictures reports", true},
	} {
		context := map[string][]string{"AWS:someKey": strings.Fields(test.request)}
		if test.request == missing {
			context = nil
		}
		got, err := Condition{test.operator, "aws:SomeKey", strings.Fields(test.values)}.holds(context)
		if err != nil || got != test.want {
			t.Errorf("%s %q of %q: %v, want %v (%v)", test.operator, test.values, test.request, got, test.want, err)
		}
	}
}

func TestEveryConditionMustHold(t *testing.T) {
	s := Statement{Actions: []string{"kms:Decrypt"}, Resources: []string{keyARN}, Conditions: []Condition{
		{"StringEquals", "kms:ViaService", []string{"sqs.eu-west-1.amazonaws.com"}},
		{"StringEquals", "kms:EncryptionContext:aws:sqs:arn", []string{queueARN}},
	}}
	for _, test := range []struct {
		via, context string
		want         bool
	}{
		{"sqs.eu-west-1.amazonaws.com", queueARN, true},
		{"s3.eu-west-1.amazonaws.com", queueARN, false},
		{"sqs.eu-west-1.amazonaws.com", "another", false},
	} {
		r := Request{Principal: role, Action: "kms:Decrypt", Resource: keyARN, Account: "111122223333", Context: map[string][]string{
			"kms:ViaService": {test.via}, "kms:EncryptionContext:aws:sqs:arn": {test.context},
		}}
		if got, err := Evaluate(r, Policies{Identity: []Statement{s}}); err != nil || got.Allowed != test.want {
			t.Errorf("%v: %v (%v)", test, got.Allowed, err)
		}
	}
}

func TestValuesThatCannotBeComparedAreAnError(t *testing.T) {
	for _, test := range []struct {
		operator, value string
		request         []string
	}{
		{"Bool", "yes", []string{"true"}},
		{"Null", "yes", nil},
		{"NumericEquals", "ten", []string{"10"}},
		{"IpAddress", "203.0.113", []string{"203.0.113.7"}},
		{"ArnLike", "orders", []string{queueARN}},
		{"StringEquals", "a", []string{"a", "b"}}, // only the set operators compare several
		{"NullIfExists", "true", nil},
		{"ForAnyValue:StringEqualsIfExists", "a", nil}, // AWS does not document it
	} {
		if got, err := (Condition{test.operator, "aws:SomeKey", []string{test.value}}).holds(map[string][]string{"aws:SomeKey": test.request}); err == nil {
			t.Errorf("%s %q of %q: %v", test.operator, test.value, test.request, got)
		}
	}
}
