// Package backup keeps daily copies of databases apart from them, with AWS Backup.
//
//	RDS instances, Aurora clusters -(daily)-> aws_backup_vault -(copy)-> aws_backup_vault in another region, with its own key
//
// The databases' own backups reach back to any second, but go with their account's region or a mistaken deletion.
package backup

import (
	"fmt"
	"slices"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupplan"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupselection"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvault"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/backupvaultpolicy"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/monitoring"
)

// Props describe backups.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/whatisbackup.html
type Props struct {
	// Name of the vaults, e.g. "shop-prod". At most 50 characters.
	Name string
	// AccountID and Region are where the databases are.
	AccountID, Region string
	// Key encrypts the vault.
	Key kmskey.KmsKey
	// Resources are the ARNs of the databases. AWS Backup backs Aurora up only in accounts that have turned it on there.
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/working-with-supported-services.html
	Resources []string
	// RetentionDays is how long a daily backup is kept.
	RetentionDays int
	// CopyRegion is where a copy of each backup goes. Defaults to none.
	CopyRegion string
	// CopyProvider is the provider of the CopyRegion, and CopyRetentionDays how long a copy is kept.
	CopyProvider      cdktf.TerraformProvider
	CopyRetentionDays int
}

// Backup is a vault with its plan.
type Backup struct {
	Vault backupvault.BackupVault
	// Copies is the vault in the other region; nil without one.
	Copies backupvault.BackupVault

	props Props
}

// schedule is clear of the databases' own backups and maintenance, during which RDS takes no other backup.
const schedule = "cron(0 5 * * ? *)"

const (
	startMinutes      = 60
	completionMinutes = 8 * 60
)

// New makes the vaults and the plan. A vault that holds backups cannot be destroyed: it outlives what it was made for.
func New(scope constructs.Construct, id string, props Props) *Backup {
	scope = constructs.NewConstruct(scope, &id)
	b := &Backup{props: props}
	b.Vault = vault(scope, "vault", props.Name, props.Key, nil)
	rule := &backupplan.BackupPlanRule{
		RuleName:         jsii.String("daily"),
		TargetVaultName:  b.Vault.Name(),
		Schedule:         jsii.String(schedule),
		StartWindow:      jsii.Number(startMinutes),
		CompletionWindow: jsii.Number(completionMinutes),
		Lifecycle:        &backupplan.BackupPlanRuleLifecycle{DeleteAfter: jsii.Number(props.RetentionDays)},
	}
	vaults, keys := []string{*b.Vault.Arn()}, []string{*props.Key.Arn()}
	if props.CopyRegion != "" {
		copies := key.New(scope, "copy-key", key.Props{
			Name:        props.Name + "-backup",
			Description: "Copies of the backups of " + props.Name,
			AccountID:   props.AccountID,
			Provider:    props.CopyProvider,
		})
		b.Copies = vault(scope, "copy-vault", props.Name, copies, props.CopyProvider)
		vaults, keys = append(vaults, *b.Copies.Arn()), append(keys, *copies.Arn())
		rule.CopyAction = []*backupplan.BackupPlanRuleCopyAction{{
			DestinationVaultArn: b.Copies.Arn(),
			Lifecycle:           &backupplan.BackupPlanRuleCopyActionLifecycle{DeleteAfter: jsii.Number(props.CopyRetentionDays)},
		}}
	}
	plan := backupplan.NewBackupPlan(scope, jsii.String("plan"), &backupplan.BackupPlanConfig{
		Name: &props.Name, Rule: []*backupplan.BackupPlanRule{rule},
	})
	backupselection.NewBackupSelection(scope, jsii.String("selection"), &backupselection.BackupSelectionConfig{
		Name:   &props.Name,
		PlanId: plan.Id(),
		IamRoleArn: iam.NewRole(scope, "role", iam.RoleProps{
			Name:        props.Name + "-backup",
			Description: "Backs up the databases of " + props.Name,
			Trust:       iam.ForService("backup.amazonaws.com", props.AccountID),
			Statements:  statements(props, vaults, keys),
		}).Arn(),
		Resources: jsii.Strings(props.Resources...),
	})
	return b
}

// vault makes a vault in which nobody deletes a backup before its time: who wants to must first take the policy away, which
// leaves a trace. A vault lock would go further, and could not be undone for a mistake either.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault-access-policy.html
func vault(scope constructs.Construct, id, name string, k kmskey.KmsKey, provider cdktf.TerraformProvider) backupvault.BackupVault {
	v := backupvault.NewBackupVault(scope, &id, &backupvault.BackupVaultConfig{
		Name: &name, KmsKeyArn: k.Arn(), Provider: provider,
	})
	backupvaultpolicy.NewBackupVaultPolicy(scope, jsii.String(id+"-policy"), &backupvaultpolicy.BackupVaultPolicyConfig{
		BackupVaultName: v.Name(),
		Policy: iam.NewDocument(scope, id+"-document", iam.Statement{
			Sid:        "KeepBackups",
			Deny:       true,
			Principals: iam.Anyone(),
			Actions:    []string{"backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle"},
			Resources:  []string{"*"},
		}).Json(),
		Provider: provider,
	})
	return v
}

// statements let AWS Backup take, copy and expire backups of the databases: what the managed policy for all kinds of resources
// says of RDS, for these resources only.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/security-iam-awsmanpol.html#customer-managed-policies
func statements(props Props, vaults, keys []string) []iam.Statement {
	regions := []string{props.Region}
	if props.CopyRegion != "" {
		regions = append(regions, props.CopyRegion)
	}
	var found, snapshots []string
	for _, region := range regions {
		for _, kind := range []string{"db", "cluster", "snapshot", "cluster-snapshot"} {
			found = append(found, fmt.Sprintf("arn:aws:rds:%s:%s:%s:*", region, props.AccountID, kind))
		}
		for _, kind := range []string{"snapshot", "cluster-snapshot"} {
			snapshots = append(snapshots, fmt.Sprintf("arn:aws:rds:%s:%s:%s:awsbackup:*", region, props.AccountID, kind))
		}
	}
	return []iam.Statement{
		{
			Sid: "Find",
			Actions: []string{
				"rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeDBSnapshots",
				"rds:ListTagsForResource",
			},
			Resources: found,
		},
		// The action knows no resources.
		{Sid: "FindTags", Actions: []string{"tag:GetResources"}, Resources: []string{"*"}},
		{
			Sid:       "Take",
			Actions:   []string{"rds:AddTagsToResource", "rds:CreateDBClusterSnapshot", "rds:CreateDBSnapshot"},
			Resources: slices.Concat(props.Resources, snapshots),
		},
		{
			Sid: "CopyAndExpire",
			Actions: []string{
				"backup:CopyFromBackupVault", "rds:CopyDBClusterSnapshot", "rds:CopyDBSnapshot", "rds:DeleteDBClusterSnapshot",
				"rds:DeleteDBSnapshot", "rds:ModifyDBClusterSnapshotAttribute", "rds:ModifyDBSnapshotAttribute",
			},
			Resources: snapshots,
		},
		{Sid: "Vaults", Actions: []string{"backup:CopyIntoBackupVault", "backup:DescribeBackupVault"}, Resources: vaults},
		{Sid: "Keys", Actions: []string{"kms:DescribeKey"}, Resources: keys},
		{
			Sid: "KeysForRDS", Actions: []string{"kms:CreateGrant"}, Resources: keys,
			Conditions: []iam.Condition{{Test: "Bool", Variable: "kms:GrantIsForAWSResource", Values: []string{"true"}}},
		},
	}
}

// Alarms are the backups': one failed, or none was made.
func (b *Backup) Alarms() []monitoring.Alarm {
	const hour, day = 60 * 60, 24 * 60 * 60
	alarms := []monitoring.Alarm{
		{
			ID:          "backup-failed",
			Description: "A backup failed: AWS Backup says why in its list of jobs",
			Metric:      b.metric("NumberOfBackupJobsFailed", ""),
			Comparison:  monitoring.Above, Threshold: 0, PeriodSeconds: hour, Periods: 1,
		},
		{
			ID: "backup-missing",
			Description: "No backup was completed for a day. A new environment has its first after 5:00 UTC; " +
				"otherwise, is AWS Backup turned on for this kind of database in this account and region?",
			Metric:     b.metric("NumberOfBackupJobsCompleted", ""),
			Comparison: monitoring.Below, Threshold: 1, PeriodSeconds: day, Periods: 1, MissingIsBad: true,
		},
	}
	if b.props.CopyRegion != "" {
		alarms = append(alarms, monitoring.Alarm{
			ID:          "backup-copy-failed",
			Description: "A backup was not copied to " + b.props.CopyRegion + ": AWS Backup says why in its list of copy jobs",
			Metric:      b.metric("NumberOfCopyJobsFailed", ""),
			Comparison:  monitoring.Above, Threshold: 0, PeriodSeconds: hour, Periods: 1,
		})
	}
	return alarms
}

// Graphs are the backups' part of the dashboard.
func (b *Backup) Graphs() []monitoring.Graph {
	metrics := []monitoring.Metric{
		b.metric("NumberOfBackupJobsCompleted", "completed"),
		b.metric("NumberOfBackupJobsFailed", "failed"),
	}
	if b.props.CopyRegion != "" {
		metrics = append(metrics, b.metric("NumberOfCopyJobsCompleted", "copied"), b.metric("NumberOfCopyJobsFailed", "not copied"))
	}
	return []monitoring.Graph{{Title: "Backups", Metrics: metrics}}
}

// metric is one of the vault's. Both vaults have one name, so that it does not matter which of them a copy is counted for.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/cloudwatch.html
func (b *Backup) metric(name, label string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/Backup", Name: name, Statistic: "Sum", Label: label,
		Dimensions: map[string]string{"BackupVaultName": b.props.Name},
	}
}
