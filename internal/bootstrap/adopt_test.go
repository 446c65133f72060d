package bootstrap

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-microservices/internal/live/stack"
)

func TestOnlyWhatIsOursAndExistsIsAdopted(t *testing.T) {
	resources := []stack.Resource{
		{Type: "aws_s3_bucket", Name: "state", Config: map[string]any{"bucket": "shop-tfstate"}},
		{Type: "aws_s3_bucket", Name: "state-logs", Config: map[string]any{"bucket": "shop-logs"}},
		{Type: "aws_dynamodb_table", Name: "locks", Config: map[string]any{"name": "${aws_s3_bucket.state.id}-locks"}},
		{Type: "aws_kms_key", Name: "key", Config: map[string]any{}},
	}
	for name, test := range map[string]struct {
		err  string
		want []string
	}{
		"ours":            {"Error: creating: BucketAlreadyOwnedByYou\n\n  with aws_s3_bucket.state,\n  on cdk.tf.json", []string{"aws_s3_bucket.state"}},
		"somebody else's": {"Error: creating: BucketAlreadyExists\n\n  with aws_s3_bucket.state,\n", nil},
		"another error":   {"Error: AccessDenied\n\n  with aws_s3_bucket.state,\nError: BucketAlreadyOwnedByYou\n\n  with aws_s3_bucket.state-logs,", []string{"aws_s3_bucket.state-logs"}},
		"name unknown":    {"Error: ResourceInUseException\n\n  with aws_dynamodb_table.locks,", nil},
		"no name":         {"Error: AlreadyExistsException\n\n  with aws_kms_key.key,", nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range existing(resources, errors.New(test.err)) {
				got = append(got, r.Address())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
