package live

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/live/stack"
)

func TestLiftTouchesOnlyWhatIsProtected(t *testing.T) {
	override, protected := lifted([]stack.Resource{
		{Type: "aws_db_instance", Name: "prod", Config: map[string]any{"deletion_protection": true, "skip_final_snapshot": false}},
		{Type: "aws_db_instance", Name: "dev", Config: map[string]any{"deletion_protection": false, "skip_final_snapshot": true}},
		{Type: "aws_db_instance", Name: "default", Config: map[string]any{"skip_final_snapshot": true}},
		{Type: "aws_lb", Name: "token", Config: map[string]any{"enable_deletion_protection": "${var.protect}"}},
		{Type: "aws_s3_bucket", Name: "logs", Config: map[string]any{"lifecycle": map[string]any{"prevent_destroy": true}}},
		{Type: "aws_kms_key", Name: "key", Config: map[string]any{"lifecycle": []any{map[string]any{"prevent_destroy": true}}}},
		{Type: "aws_vpc", Name: "main", Config: map[string]any{"lifecycle": map[string]any{"ignore_changes": []any{"tags"}}}},
	})
	noLonger := map[string]any{"prevent_destroy": false}
	want := map[string]any{"resource": map[string]map[string]any{
		"aws_db_instance": {"prod": map[string]any{"deletion_protection": false, "skip_final_snapshot": true}},
		"aws_lb":          {"token": map[string]any{"enable_deletion_protection": false}},
		"aws_s3_bucket":   {"logs": map[string]any{"force_destroy": true, "lifecycle": noLonger}},
		"aws_kms_key":     {"key": map[string]any{"lifecycle": noLonger}},
	}}
	if diff := cmp.Diff(want, override); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"aws_db_instance.prod", "aws_lb.token", "aws_s3_bucket.logs", "aws_kms_key.key"}, protected); diff != "" {
		t.Error(diff)
	}
}
