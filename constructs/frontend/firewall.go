package frontend

import (
	"encoding/json"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webacl"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/wafv2webaclloggingconfiguration"

	"aws-microservices/constructs/logging"
)

// A rule's statement. The bindings leave it untyped because it nests without end.
// https://docs.aws.amazon.com/waf/latest/APIReference/API_Statement.html
type (
	statement struct {
		ManagedRuleGroup *managedRuleGroup `json:"managed_rule_group_statement,omitempty"`
		RateBased        *rateBased        `json:"rate_based_statement,omitempty"`
	}
	managedRuleGroup struct {
		VendorName          string               `json:"vendor_name"`
		Name                string               `json:"name"`
		RuleActionOverrides []ruleActionOverride `json:"rule_action_override,omitempty"`
	}
	ruleActionOverride struct {
		Name        string      `json:"name"`
		ActionToUse actionToUse `json:"action_to_use"`
	}
	actionToUse struct {
		Count struct{} `json:"count"`
	}
	rateBased struct {
		Limit               int    `json:"limit"`
		EvaluationWindowSec int    `json:"evaluation_window_sec"`
		AggregateKeyType    string `json:"aggregate_key_type"`
	}
)

// untyped returns the statement as jsii takes it: it passes on only structs of the bindings, and plain values.
func (s statement) untyped() any {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		panic(err) // it was JSON a moment ago
	}
	return plain
}

// managedRules are groups that AWS maintains, cheapest to decide first.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
var managedRules = []string{
	"AWSManagedRulesAmazonIpReputationList",
	"AWSManagedRulesAnonymousIpList",
	"AWSManagedRulesKnownBadInputsRuleSet",
	"AWSManagedRulesCommonRuleSet",
	"AWSManagedRulesSQLiRuleSet",
}

// counted are rules of the groups that only count: data centres are also where pipelines, monitors and companies' proxies
// come from.
var counted = map[string][]ruleActionOverride{
	"AWSManagedRulesAnonymousIpList": {{Name: "HostingProviderIPList"}},
}

// requestsPer5Minutes is what one address may send: far more than a person does.
const requestsPer5Minutes = 2000

// firewall makes the web ACL of the distribution and its log.
func firewall(scope constructs.Construct, props Props, edgeKey kmskey.KmsKey) wafv2webacl.Wafv2WebAcl {
	var rules []*wafv2webacl.Wafv2WebAclRule
	for i, name := range managedRules {
		rules = append(rules, &wafv2webacl.Wafv2WebAclRule{
			Name:             jsii.String(name),
			Priority:         jsii.Number(i + 1),
			OverrideAction:   &wafv2webacl.Wafv2WebAclRuleOverrideAction{None: &wafv2webacl.Wafv2WebAclRuleOverrideActionNone{}},
			Statement:        statement{ManagedRuleGroup: &managedRuleGroup{VendorName: "AWS", Name: name, RuleActionOverrides: counted[name]}}.untyped(),
			VisibilityConfig: visible(name),
		})
	}
	rules = append(rules, &wafv2webacl.Wafv2WebAclRule{
		Name:     jsii.String("rate"),
		Priority: jsii.Number(len(rules) + 1),
		Action:   &wafv2webacl.Wafv2WebAclRuleAction{Block: &wafv2webacl.Wafv2WebAclRuleActionBlock{}},
		Statement: statement{RateBased: &rateBased{
			Limit: requestsPer5Minutes, EvaluationWindowSec: 300, AggregateKeyType: "IP",
		}}.untyped(),
		VisibilityConfig: visible("rate"),
	})
	acl := wafv2webacl.NewWafv2WebAcl(scope, jsii.String("firewall"), &wafv2webacl.Wafv2WebAclConfig{
		Name:          &props.Name,
		Description:   jsii.String("In front of the site and its API"),
		Scope:         jsii.String("CLOUDFRONT"),
		DefaultAction: &wafv2webacl.Wafv2WebAclDefaultAction{Allow: &wafv2webacl.Wafv2WebAclDefaultActionAllow{}},
		Rule:          rules,
		VisibilityConfig: &wafv2webacl.Wafv2WebAclVisibilityConfig{
			MetricName: &props.Name, CloudwatchMetricsEnabled: jsii.Bool(true), SampledRequestsEnabled: jsii.Bool(true),
		},
		Provider: props.Global,
	})
	group := logging.NewGroup(scope, "firewall-log-group", logging.GroupProps{
		// WAF writes to groups whose names begin so, and to no others.
		// https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
		Name: "aws-waf-logs-" + props.Name, RetentionDays: props.LogRetentionDays, Key: edgeKey, Provider: props.Global,
	})
	var redacted []*wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFields
	for _, header := range []string{"authorization", "cookie"} {
		redacted = append(redacted, &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFields{
			SingleHeader: &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationRedactedFieldsSingleHeader{Name: jsii.String(header)},
		})
	}
	wafv2webaclloggingconfiguration.NewWafv2WebAclLoggingConfiguration(scope, jsii.String("firewall-log"), &wafv2webaclloggingconfiguration.Wafv2WebAclLoggingConfigurationConfig{
		ResourceArn:           acl.Arn(),
		LogDestinationConfigs: &[]*string{group.Arn()},
		RedactedFields:        redacted,
		Provider:              props.Global,
	})
	return acl
}

func visible(name string) *wafv2webacl.Wafv2WebAclRuleVisibilityConfig {
	return &wafv2webacl.Wafv2WebAclRuleVisibilityConfig{
		MetricName: jsii.String(name), CloudwatchMetricsEnabled: jsii.Bool(true), SampledRequestsEnabled: jsii.Bool(true),
	}
}
