package planreview

import (
	"fmt"
	"strconv"
	"strings"
)

// stores are the types of resources that hold what nobody can make again, and what of it is lost with them.
var stores = map[string]string{
	"aws_backup_vault":          "its recovery points",
	"aws_cloudwatch_log_group":  "its logs",
	"aws_cognito_user_pool":     "its users",
	"aws_db_instance":           "its databases",
	"aws_docdb_cluster":         "its databases",
	"aws_dynamodb_table":        "its items",
	"aws_ebs_volume":            "its files",
	"aws_ecr_repository":        "its images",
	"aws_efs_file_system":       "its files",
	"aws_elasticache_cluster":   "what it caches",
	"aws_kinesis_stream":        "its records",
	"aws_kms_key":               "whatever it encrypts, for good",
	"aws_kms_replica_key":       "whatever it encrypts in its region",
	"aws_opensearch_domain":     "its documents",
	"aws_rds_cluster":           "its databases",
	"aws_route53_zone":          "its records and its name servers",
	"aws_s3_bucket":             "its objects",
	"aws_secretsmanager_secret": "its value",
	"aws_sqs_queue":             "the messages in it",
	"aws_db_snapshot":           "the snapshot",
	"aws_rds_cluster_snapshot":  "the snapshot",
}

// guards are the resources whose only purpose is that data is kept.
var guards = map[string]string{
	"aws_s3_bucket_versioning":                      "the bucket's versioning",
	"aws_s3_bucket_object_lock_configuration":       "the bucket's object lock",
	"aws_backup_plan":                               "the backups",
	"aws_backup_selection":                          "the backups of what it selects",
	"aws_backup_vault_lock_configuration":           "the lock of the recovery points",
	"aws_db_instance_automated_backups_replication": "the replicated backups",
}

// switches are the attributes that protect data by being on or off.
var switches = map[string]struct {
	unsafe bool
	text   string
}{
	"deletion_protection":         {false, "may be deleted from now on"},
	"deletion_protection_enabled": {false, "may be deleted from now on"},
	"enable_deletion_protection":  {false, "may be deleted from now on"},
	"force_destroy":               {true, "may be destroyed with all that is in it"},
	"force_delete":                {true, "may be destroyed with all that is in it"},
	"skip_final_snapshot":         {true, "leaves no snapshot when it is destroyed"},
	"delete_automated_backups":    {true, "takes its backups along when it is destroyed"},
	"is_enabled":                  {false, "can decrypt nothing any more"},
	"point_in_time_recovery":      {false, "cannot be restored to a point in time"},
}

// periods are the attributes that say how long something is kept: less is a loss.
var periods = map[string]string{
	"backup_retention_period":               "days of backups",
	"retention_in_days":                     "days of logs",
	"message_retention_seconds":             "seconds for messages to be consumed",
	"retention_period":                      "hours of records",
	"snapshot_retention_limit":              "days of snapshots",
	"deletion_window_in_days":               "days to take a deletion back",
	"recovery_window_in_days":               "days to take a deletion back",
	"allocated_storage":                     "GiB of storage",
	"delete_after":                          "days of recovery points",
	"cold_storage_after":                    "days of warm recovery points",
	"recovery_period_in_days":               "days of recovery",
	"noncurrent_days":                       "days of earlier versions",
	"newer_noncurrent_versions":             "earlier versions",
	"performance_insights_retention_period": "days of Performance Insights",
}

func dataLoss(c Change) []note {
	var found []note
	if c.Action == Destroy || c.Action == Replace {
		verb := "is destroyed"
		if c.Action == Replace {
			verb = "is replaced by a new one"
		}
		if what, ok := stores[c.Type]; ok {
			found = append(found, note{text: fmt.Sprintf("%s %s, and with it goes %s%s", noun(c), verb, what, circumstance(c))})
		} else if c.Type == "aws_ssm_parameter" && text(c.before["type"]) == "SecureString" && c.Action == Destroy {
			found = append(found, note{text: noun(c) + " is destroyed, and with it goes its value"})
		} else if what, ok := guards[c.Type]; ok && c.Action == Destroy {
			found = append(found, note{text: fmt.Sprintf("%s is destroyed: %s", noun(c), what)})
		}
	}
	for _, a := range c.Attributes {
		if a.computed() && c.Action == Replace {
			continue // of something new, AWS's defaults are not known before
		}
		if n, ok := weakened(c, a); ok {
			found = append(found, note{text: n})
		}
	}
	return found
}

// circumstance is what makes a loss final, or less so.
func circumstance(c Change) string {
	switch c.Type {
	case "aws_db_instance", "aws_rds_cluster":
		if c.before["skip_final_snapshot"] == true {
			return ", without a final snapshot"
		}
		if name := text(c.before["final_snapshot_identifier"]); name != "" {
			return ", but for the final snapshot " + name
		}
	case "aws_kms_key", "aws_kms_replica_key":
		days := show(c.before["deletion_window_in_days"])
		if days == "" {
			days = "30"
		}
		return fmt.Sprintf(" (the deletion is scheduled, and can be taken back for %s days)", days)
	case "aws_s3_bucket":
		if c.before["force_destroy"] != true {
			return " (refused by AWS while there are any: force_destroy is off)"
		}
	case "aws_ecr_repository":
		if c.before["force_delete"] != true {
			return " (refused by AWS while there are any: force_delete is off)"
		}
	case "aws_secretsmanager_secret":
		if days := show(c.before["recovery_window_in_days"]); days == "0" {
			return ", at once"
		}
	}
	return ""
}

// weakened says how a change protects data less than before.
func weakened(c Change, a Attribute) (string, bool) {
	leaf := a.leaf()
	if c.Type == "aws_s3_bucket_versioning" && leaf == "status" && a.before == "Enabled" {
		return fmt.Sprintf("versioning goes from Enabled to %s: what is overwritten or deleted is gone", a.After), true
	}
	if s, ok := switches[leafOrParent(a)]; ok {
		switch {
		case a.after == s.unsafe, !s.unsafe && a.after == nil && a.before == true:
			return fmt.Sprintf("%s goes to %t: %s %s", a.Path, s.unsafe, noun(c), s.text), true
		case a.computed() && a.before == !s.unsafe:
			return fmt.Sprintf("%s is known only after the apply: %s may lose a protection", a.Path, noun(c)), true
		}
		return "", false
	}
	what, ok := periods[leaf]
	if c.Type == "aws_s3_bucket_lifecycle_configuration" && strings.Contains(a.Path, "expiration") && leaf == "days" {
		what, ok = "days of objects", true
	}
	if !ok {
		return "", false
	}
	from, known := number(a.before)
	if !known {
		if expiry := what == "days of objects" || leaf == "noncurrent_days"; expiry && a.before == nil && a.after != nil {
			return fmt.Sprintf("%s: after %s days they are deleted from now on", a.Path, a.After), true
		}
		return "", false
	}
	if a.computed() {
		return fmt.Sprintf("%s is known only after the apply: it was %s %s", a.Path, a.Before, what), true
	}
	to, known := number(a.after)
	// A log group keeps for ever what it is to keep for 0 days.
	if leaf == "retention_in_days" && from == 0 && to > 0 {
		return fmt.Sprintf("%s goes from for ever to %s %s", a.Path, a.After, what), true
	}
	if leaf == "retention_in_days" && (to == 0 || !known) {
		return "", false
	}
	if !known && leaf == "allocated_storage" || to >= from {
		return "", false
	}
	after := a.After
	if !known {
		after = "none"
	}
	return fmt.Sprintf("%s shrinks from %s to %s %s", a.Path, a.Before, after, what), true
}

// leafOrParent is the word of a path that names its meaning: a switch may be a block with enabled in it.
func leafOrParent(a Attribute) string {
	if leaf := a.leaf(); leaf != "enabled" {
		return leaf
	}
	return Attribute{Path: strings.TrimSuffix(a.Path, ".enabled")}.leaf()
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	}
	return 0, false
}

// nouns are what people call the types that stand in findings.
var nouns = map[string]string{
	"aws_db_instance":           "the RDS instance",
	"aws_rds_cluster":           "the Aurora cluster",
	"aws_s3_bucket":             "the S3 bucket",
	"aws_sqs_queue":             "the SQS queue",
	"aws_dynamodb_table":        "the DynamoDB table",
	"aws_kms_key":               "the KMS key",
	"aws_ecr_repository":        "the ECR repository",
	"aws_secretsmanager_secret": "the secret",
	"aws_efs_file_system":       "the EFS file system",
	"aws_cloudwatch_log_group":  "the log group",
	"aws_lb":                    "the load balancer",
	"aws_ssm_parameter":         "the SSM parameter",
}

// noun is the resource in words, with its name where it has one.
func noun(c Change) string {
	word, ok := nouns[c.Type]
	if !ok {
		word = "the " + kind(c.Type)
	}
	values := c.before
	if values == nil {
		values = c.after
	}
	for _, key := range []string{"identifier", "cluster_identifier", "bucket", "name", "alias"} {
		if name := text(values[key]); name != "" {
			return word + " " + name
		}
	}
	return word
}

// kind is the type without the provider.
func kind(typ string) string {
	return strings.ReplaceAll(strings.TrimPrefix(typ, "aws_"), "_", " ")
}
