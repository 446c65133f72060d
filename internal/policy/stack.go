package policy

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// Stack gives the resources of a synthesized stack concrete ARNs, so that a pattern of one policy is really compared with the
// ARNs of the others' resources. What only AWS knows (an id, a suffix) is made up of the resource's address: always the same,
// different for each.
type Stack struct {
	// Providers are by their alias; "" is the default one.
	Providers map[string]Provider
	// Resources are the JSON's "resource".
	Resources map[string]map[string]map[string]any
}

// Provider says where the resources of a provider are.
type Provider struct {
	AccountID, Region string
}

// arns are the formats of ARNs by the resource's type. {x} is the argument x; {region}, {account} and {id}, made up, are known
// of every resource.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var arns = map[string]string{
	"aws_backup_plan":                 "arn:aws:backup:{region}:{account}:backup-plan:{id}",
	"aws_backup_vault":                "arn:aws:backup:{region}:{account}:backup-vault:{name}",
	"aws_autoscaling_group":           "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{id}:autoScalingGroupName/{name}",
	"aws_cloudfront_distribution":     "arn:aws:cloudfront::{account}:distribution/{id}",
	"aws_cloudwatch_event_rule":       "arn:aws:events:{region}:{account}:rule/{name}",
	"aws_cloudwatch_log_group":        "arn:aws:logs:{region}:{account}:log-group:{name}",
	"aws_cloudwatch_metric_alarm":     "arn:aws:cloudwatch:{region}:{account}:alarm:{alarm_name}",
	"aws_db_instance":                 "arn:aws:rds:{region}:{account}:db:{identifier}",
	"aws_db_proxy":                    "arn:aws:rds:{region}:{account}:db-proxy:prx-{id}",
	"aws_dynamodb_table":              "arn:aws:dynamodb:{region}:{account}:table/{name}",
	"aws_ecr_repository":              "arn:aws:ecr:{region}:{account}:repository/{name}",
	"aws_ecs_capacity_provider":       "arn:aws:ecs:{region}:{account}:capacity-provider/{name}",
	"aws_ecs_cluster":                 "arn:aws:ecs:{region}:{account}:cluster/{name}",
	"aws_ecs_task_definition":         "arn:aws:ecs:{region}:{account}:task-definition/{family}:1",
	"aws_iam_openid_connect_provider": "arn:aws:iam::{account}:oidc-provider/{host}",
	"aws_iam_policy":                  "arn:aws:iam::{account}:policy/{name}",
	"aws_iam_role":                    "arn:aws:iam::{account}:role/{name}",
	"aws_kms_key":                     "arn:aws:kms:{region}:{account}:key/{id}",
	"aws_lambda_function":             "arn:aws:lambda:{region}:{account}:function:{function_name}",
	"aws_rds_cluster":                 "arn:aws:rds:{region}:{account}:cluster:{cluster_identifier}",
	"aws_s3_bucket":                   "arn:aws:s3:::{bucket}",
	"aws_scheduler_schedule":          "arn:aws:scheduler:{region}:{account}:schedule/default/{name}",
	"aws_secretsmanager_secret":       "arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}",
	"aws_sns_topic":                   "arn:aws:sns:{region}:{account}:{name}",
	"aws_sqs_queue":                   "arn:aws:sqs:{region}:{account}:{name}",
	"aws_ssm_parameter":               "arn:aws:ssm:{region}:{account}:parameter{name}",
	"aws_service_discovery_service":   "arn:aws:servicediscovery:{region}:{account}:service/{id}",
}

// attributes are other attributes that only AWS knows, by type and name.
var attributes = map[string]string{
	"aws_db_instance.resource_id":                      "db-{id}",
	"aws_db_instance.master_user_secret[0].secret_arn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!db-{id}-{suffix}",
	"aws_ecs_task_definition.arn_without_revision":     "arn:aws:ecs:{region}:{account}:task-definition/{family}",
	"aws_kms_key.key_id":                               "{id}",
	"aws_rds_cluster.cluster_resource_id":              "cluster-{id}",
	"aws_rds_cluster.master_user_secret[0].secret_arn": "arn:aws:secretsmanager:{region}:{account}:secret:rds!cluster-{id}-{suffix}",
	"aws_s3_bucket.id":                                 "{bucket}",
	"aws_ecs_cluster.id":                               "arn:aws:ecs:{region}:{account}:cluster/{name}",
	"aws_sqs_queue.url":                                "https://sqs.{region}.amazonaws.com/{account}/{name}",
	"aws_iam_role.id":                                  "{name}",
	"aws_cloudfront_distribution.domain_name":          "{id}.cloudfront.net",
	"aws_s3_bucket.bucket_regional_domain_name":        "{bucket}.s3.{region}.amazonaws.com",
	"aws_secretsmanager_secret.id":                     "arn:aws:secretsmanager:{region}:{account}:secret:{name}-{suffix}",
}

var (
	// reference names an attribute of a resource.
	reference = regexp.MustCompile(`^(aws_[a-z0-9_]+)\.([A-Za-z0-9_-]+)\.([a-z0-9_.\[\]]+)$`)
	// replaced is Terraform's function that replaces a text in another.
	replaced = regexp.MustCompile(`^replace\((aws_[^ ,()]+), "([^"]+)", "([^"]*)"\)$`)
	// element is Terraform's function that picks one item of a list, or of a text that it splits.
	element = regexp.MustCompile(`^element\((?:split\("(.)", )?(aws_[^ ,()]+)\)?, (\d+)\)(\.[a-z_]+)?$`)
	hole    = regexp.MustCompile(`\{([a-z_]+)\}`)
)

// ARN returns a resource's ARN, or an error for a type that has none here.
func (s Stack) ARN(kind, id string) (string, error) { return s.attribute(kind, id, "arn") }

// Provider returns the provider of a resource.
func (s Stack) Provider(r map[string]any) (Provider, error) {
	provider, _ := r["provider"].(string)
	_, alias, _ := strings.Cut(provider, ".")
	p, ok := s.Providers[alias]
	if !ok {
		return Provider{}, fmt.Errorf("there is no provider %q", provider)
	}
	return p, nil
}

// Known tells whether resources of the type have ARNs here.
func Known(kind string) bool { return arns[kind] != "" }

// Resolve replaces the references in a text by what they stand for. One that leads nowhere is an error.
func (s Stack) Resolve(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		expression, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("%q does not end", rest)
		}
		value, err := s.expression(expression)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = after
	}
}

func (s Stack) expression(text string) (string, error) {
	if m := element.FindStringSubmatch(text); m != nil {
		if m[1] == "" {
			return s.expression(fmt.Sprintf("%s[%s]%s", m[2], m[3], m[4]))
		}
		whole, err := s.expression(m[2])
		if err != nil {
			return "", err
		}
		var i int
		if _, err := fmt.Sscan(m[3], &i); err != nil {
			return "", err
		}
		parts := strings.Split(whole, m[1])
		return parts[i%len(parts)], nil
	}
	if m := replaced.FindStringSubmatch(text); m != nil {
		whole, err := s.expression(m[1])
		return strings.ReplaceAll(whole, m[2], m[3]), err
	}
	m := reference.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("${%s} is no reference to a resource's attribute", text)
	}
	return s.attribute(m[1], m[2], m[3])
}

// attribute is what Terraform would read: an argument, or what AWS makes of it.
func (s Stack) attribute(kind, id, name string) (string, error) {
	r, ok := s.Resources[kind][id]
	if !ok {
		return "", fmt.Errorf("there is no %s.%s", kind, id)
	}
	format, known := attributes[kind+"."+name]
	if name == "arn" {
		format, known = arns[kind]
	}
	if !known {
		if argument, ok := r[name].(string); ok {
			return s.Resolve(argument)
		}
		return "", fmt.Errorf("what %s.%s's %s is, is not known here", kind, id, name)
	}
	var problem error
	filled := hole.ReplaceAllStringFunc(format, func(h string) string {
		value, err := s.fill(kind, id, strings.Trim(h, "{}"), r)
		if err != nil {
			problem = err
		}
		return value
	})
	return filled, problem
}

func (s Stack) fill(kind, id, name string, r map[string]any) (string, error) {
	made := fmt.Sprintf("%X", sha256.Sum256([]byte(kind+"."+id)))
	switch name {
	case "id":
		return made[:20], nil
	case "suffix": // Secrets Manager adds six characters
		return made[20:26], nil
	case "account", "region":
		p, err := s.Provider(r)
		if err != nil {
			return "", fmt.Errorf("%s.%s: %w", kind, id, err)
		}
		if name == "account" {
			return p.AccountID, nil
		}
		return p.Region, nil
	case "host":
		url, _ := r["url"].(string)
		return strings.TrimPrefix(url, "https://"), nil
	}
	argument, ok := r[name].(string)
	if !ok {
		return "", fmt.Errorf("%s.%s has no %s", kind, id, name)
	}
	return s.Resolve(argument)
}
