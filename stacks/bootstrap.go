package stacks

import (
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/state"
)

// BootstrapStack makes what every stack's state needs, its own included: `make bootstrap` applies it with a local state
// and then moves that state into the bucket.
func BootstrapStack(app cdktf.App, c Config) {
	stack := newStack(app, c, "bootstrap", c.Shared.AccountID, c.Shared.Region)
	backend := state.New(stack, "state", state.Props{
		Name:          c.Platform.Name + "-tfstate",
		AccountID:     c.Shared.AccountID,
		BucketName:    c.stateBucket(),
		LogBucketName: c.stateLogBucket(),
		TableName:     c.lockTable(),
	})
	outputs := group(stack, "outputs")
	output(outputs, "state_bucket", "Where every stack's state is", backend.Bucket.Resource.Bucket())
	output(outputs, "lock_table", "Where every stack's lock is", backend.Table.Name())
}
