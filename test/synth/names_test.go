package synth

import (
	"regexp"
	"strings"
	"testing"
)

// What AWS says of names, by type and argument.
var naming = []struct {
	kind, argument string
	pattern        *regexp.Regexp
}{
	{"aws_cloudwatch_log_group", "name", regexp.MustCompile(`^[\w./#-]{1,512}$`)},
	{"aws_cloudwatch_metric_alarm", "alarm_name", regexp.MustCompile(`^[ -~]{1,255}$`)},
	{"aws_db_instance", "identifier", regexp.MustCompile(`^[a-z](-?[a-z0-9]){0,62}$`)},
	{"aws_db_instance", "db_name", regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)},
	{"aws_dynamodb_table", "name", regexp.MustCompile(`^[\w.-]{3,255}$`)},
	{"aws_ecr_repository", "name", regexp.MustCompile(`^[a-z0-9/_-]{2,256}$`)},
	{"aws_ecs_service", "name", regexp.MustCompile(`^[\w-]{1,255}$`)},
	{"aws_iam_role", "name", regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)},
	{"aws_kms_alias", "name", regexp.MustCompile(`^alias/[\w/-]{1,250}$`)},
	{"aws_lb", "name", regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)},
	{"aws_lb_target_group", "name", regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)},
	{"aws_s3_bucket", "bucket", regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)},
	{"aws_scheduler_schedule", "name", regexp.MustCompile(`^[\w.-]{1,64}$`)},
	{"aws_security_group", "name", regexp.MustCompile(`^[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}$`)},
	{"aws_sns_topic", "name", regexp.MustCompile(`^[\w-]{1,256}$`)},
	{"aws_sqs_queue", "name", regexp.MustCompile(`^[\w-]{1,80}$`)},
	{"aws_wafv2_web_acl", "name", regexp.MustCompile(`^[\w-]{1,128}$`)},
	// A description with other characters is refused only when applying.
	{"aws_security_group", "description", regexp.MustCompile(`^[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}$`)},
	{"aws_vpc_security_group_ingress_rule", "description", regexp.MustCompile(`^[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}$`)},
	{"aws_vpc_security_group_egress_rule", "description", regexp.MustCompile(`^[\w .:/()#,@\[\]+=&;{}!$*-]{1,255}$`)},
	{"aws_iam_role", "description", regexp.MustCompile(`^[\t\n\r -~¡-ÿ]{0,1000}$`)},
	{"aws_wafv2_web_acl", "description", regexp.MustCompile(`^[\w+=:#@/,. -]+$`)},
}

func TestNamesAreAsAWSWantsThem(t *testing.T) {
	for _, rule := range naming {
		checked := 0
		for _, s := range platform {
			for _, r := range s.Resource[rule.kind] {
				value, given := r[rule.argument].(string)
				if !given && r["replicate_source_db"] != nil {
					continue // a replica has the databases of what it is a copy of
				}
				checked++
				if !rule.pattern.MatchString(value) {
					t.Errorf("%s: %s %q does not match %s", pathOf(r), rule.argument, value, rule.pattern)
				}
			}
		}
		if checked == 0 {
			t.Errorf("no %s was checked", rule.kind)
		}
	}
}

// Two resources of one kind with one name from one provider would fight.
func TestNamesAreUniqueInTheirStack(t *testing.T) {
	for stackName, s := range platform {
		for _, rule := range naming {
			if rule.argument == "description" || rule.argument == "db_name" {
				continue
			}
			seen := map[string]string{}
			for _, r := range s.Resource[rule.kind] {
				provider, _ := r["provider"].(string)
				value := r[rule.argument].(string)
				if other, taken := seen[provider+" "+value]; taken {
					t.Errorf("%s: %s and %s are both named %q", stackName, other, pathOf(r), value)
				}
				seen[provider+" "+value] = pathOf(r)
			}
		}
	}
}

func TestNamesTellPlatformAndEnvironment(t *testing.T) {
	// Only the services are named by themselves: the cluster they are in has the prefix.
	bare := map[string]bool{"aws_ecs_service": true, "aws_cloudwatch_log_group": true, "aws_kms_alias": true}
	for env, s := range environments() {
		for _, rule := range naming {
			if bare[rule.kind] || rule.argument == "description" || rule.argument == "db_name" {
				continue
			}
			for _, r := range s.Resource[rule.kind] {
				if value := r[rule.argument].(string); !strings.HasPrefix(value, "shop-"+env) {
					t.Errorf("%s is named %q", pathOf(r), value)
				}
			}
		}
	}
}
