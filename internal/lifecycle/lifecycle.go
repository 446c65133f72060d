// Package lifecycle writes Terraform's lifecycle block.
package lifecycle

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// Protect makes Terraform refuse to destroy a resource, if it is to be protected.
// https://developer.hashicorp.com/terraform/language/meta-arguments/lifecycle#prevent_destroy
func Protect(protected bool) *cdktf.TerraformResourceLifecycle {
	if !protected {
		return nil
	}
	return &cdktf.TerraformResourceLifecycle{PreventDestroy: jsii.Bool(true)}
}
