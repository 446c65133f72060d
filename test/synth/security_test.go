package synth

import (
	"strings"
	"testing"
)

func texts(list any) []string {
	var all []string
	if values, ok := list.([]any); ok {
		for _, v := range values {
			all = append(all, v.(string))
		}
	}
	return all
}

func TestNoPolicyIsWrittenAsLiteralJSON(t *testing.T) {
	for _, s := range platform {
		for kind, argument := range map[string]string{
			"aws_iam_role": "assume_role_policy", "aws_iam_role_policy": "policy", "aws_kms_key": "policy",
			"aws_s3_bucket_policy": "policy", "aws_sqs_queue_policy": "policy", "aws_sns_topic_policy": "policy", "aws_ecr_repository_policy": "policy",
		} {
			for _, r := range s.Resource[kind] {
				if value, _ := r[argument].(string); !strings.HasPrefix(value, "${data.aws_iam_policy_document.") {
					t.Errorf("%s: %s is %q, which scanners cannot read", pathOf(r), argument, value)
				}
			}
		}
	}
}

func TestNothingHasAPublicAddress(t *testing.T) {
	for _, s := range platform {
		for _, r := range s.Resource["aws_lb"] {
			if r["internal"] != true {
				t.Errorf("%s is public", pathOf(r))
			}
		}
		for _, r := range s.Resource["aws_db_instance"] {
			if r["publicly_accessible"] != false {
				t.Errorf("%s is public", pathOf(r))
			}
		}
		for _, r := range s.Resource["aws_default_security_group"] {
			if r["ingress"] != nil || r["egress"] != nil {
				t.Errorf("%s has rules", pathOf(r))
			}
		}
	}
}

func TestDatabaseSubnetsHaveNoRouteOut(t *testing.T) {
	for env, s := range environments() {
		table := ref("aws_route_table", s.at(t, "aws_route_table", "network/routes-database"), "id")
		for _, r := range s.Resource["aws_route"] {
			if r["route_table_id"] == table {
				t.Errorf("%s: %s leads out of the database subnets", env, pathOf(r))
			}
		}
	}
}

func TestWhatHoldsDataIsEncryptedWithOurKey(t *testing.T) {
	for _, s := range platform {
		for kind, argument := range map[string]string{
			"aws_cloudwatch_log_group": "kms_key_id", "aws_db_instance": "kms_key_id", "aws_sqs_queue": "kms_master_key_id",
			"aws_secretsmanager_secret": "kms_key_id", "aws_backup_vault": "kms_key_arn",
			"aws_sns_topic": "kms_master_key_id", "aws_scheduler_schedule": "kms_key_arn",
		} {
			for _, r := range s.Resource[kind] {
				if r["replicate_source_db"] != nil {
					continue // encrypted as what it is a copy of
				}
				if value, _ := r[argument].(string); !strings.HasPrefix(value, "${aws_kms_key.") {
					t.Errorf("%s: %s is %q", pathOf(r), argument, value)
				}
			}
		}
	}
}

func TestNoPasswordIsInTheJSON(t *testing.T) {
	for env, s := range environments() {
		for _, r := range s.Resource["aws_db_instance"] {
			copied := r["replicate_source_db"] != nil // with the users of what it is a copy of
			if r["password"] != nil || !copied && r["manage_master_user_password"] != true {
				t.Errorf("%s: RDS does not manage the master password", env)
			}
		}
		for _, r := range s.Resource["aws_ecs_task_definition"] {
			if strings.Contains(strings.ToUpper(r["container_definitions"].(string)), "PASSWORD") {
				t.Errorf("%s mentions a password", pathOf(r))
			}
		}
	}
}
