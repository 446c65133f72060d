package bootstrap

import (
	"context"
	"errors"
	"strings"

	"aws-microservices/internal/live/stack"
)

// adoptable are the types a dead run may have made without telling its state, with the argument that is their import id
// and how AWS says that the resource is ours already. A bucket that belongs to somebody else (BucketAlreadyExists) is not
// among them. All other types of the stack are settings that may be put twice.
var adoptable = map[string]struct{ id, exists string }{
	"aws_s3_bucket":            {"bucket", "BucketAlreadyOwnedByYou"},
	"aws_dynamodb_table":       {"name", "ResourceInUseException"},
	"aws_kms_alias":            {"name", "AlreadyExistsException"},
	"aws_cloudwatch_log_group": {"name", "ResourceAlreadyExistsException"},
}

// applyOrAdopt applies. Where that fails because a resource exists already, it imports the resource and applies again.
func (b *run) applyOrAdopt(ctx context.Context) error {
	adopted := map[string]bool{}
	for {
		err := b.stack.Apply(ctx)
		if err == nil {
			return nil
		}
		found := existing(b.stack.Resources, err)
		if len(found) == 0 {
			return err
		}
		for _, r := range found {
			if adopted[r.Address()] {
				return err
			}
			adopted[r.Address()] = true
			id, _ := r.Config[adoptable[r.Type].id].(string)
			b.say("%s exists already: importing it as %s", id, r.Address())
			if failed := b.stack.Import(ctx, r.Address(), id); failed != nil {
				return errors.Join(err, failed)
			}
		}
	}
}

// existing finds the resources which Terraform's error says exist already. Terraform names a resource in a line
// "with <address>," below the message.
func existing(resources []stack.Resource, err error) []stack.Resource {
	var found []stack.Resource
	for message := range strings.SplitSeq(err.Error(), "Error: ") {
		for _, r := range resources {
			kind, ok := adoptable[r.Type]
			id, literal := r.Config[kind.id].(string)
			if ok && literal && !strings.Contains(id, "${") && strings.Contains(message, kind.exists) &&
				strings.Contains(message, "with "+r.Address()+",") {
				found = append(found, r)
			}
		}
	}
	return found
}
