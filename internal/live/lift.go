package live

import (
	"aws-microservices/internal/live/stack"
)

// Production is protected against being destroyed, by AWS (deletion protection, buckets and registries that are not
// empty, final snapshots) and by Terraform (prevent_destroy). The JSON that is proven keeps all of it. Only to clean up
// afterwards are the protections lifted, the way an operator would: an override file beside the JSON, an apply, a
// destroy. The apply is needed for all but prevent_destroy: AWS checks deletion protection, and the provider reads
// force_destroy and skip_final_snapshot from the state, not from the configuration.
//
// lifts says, by resource type, which arguments have to have which value for a destroy to go through.
var lifts = map[string]map[string]any{
	"aws_db_instance":    {"deletion_protection": false, "skip_final_snapshot": true},
	"aws_dynamodb_table": {"deletion_protection_enabled": false},
	"aws_ecr_repository": {"force_delete": true},
	"aws_lb":             {"enable_deletion_protection": false},
	"aws_rds_cluster":    {"deletion_protection": false, "skip_final_snapshot": true},
	"aws_s3_bucket":      {"force_destroy": true},
}

// lifted is an override that takes the protections off the resources that have them, and their addresses.
func lifted(resources []stack.Resource) (override map[string]any, protected []string) {
	byType := map[string]map[string]any{}
	for _, r := range resources {
		changes := map[string]any{}
		for argument, value := range lifts[r.Type] {
			current, given := r.Config[argument]
			if !given {
				current = false // the default of every argument above
			}
			if current != value {
				changes[argument] = value
			}
		}
		if preventsDestroy(r.Config["lifecycle"]) {
			changes["lifecycle"] = map[string]any{"prevent_destroy": false}
		}
		if len(changes) == 0 {
			continue
		}
		if byType[r.Type] == nil {
			byType[r.Type] = map[string]any{}
		}
		byType[r.Type][r.Name] = changes
		protected = append(protected, r.Address())
	}
	return map[string]any{"resource": byType}, protected
}

// preventsDestroy reads a lifecycle block, which JSON may give as an object or as a list of one.
func preventsDestroy(lifecycle any) bool {
	switch block := lifecycle.(type) {
	case map[string]any:
		return block["prevent_destroy"] == true
	case []any:
		for _, one := range block {
			if preventsDestroy(one) {
				return true
			}
		}
	}
	return false
}
