// Package finding records, beside the resource it concerns, why a security scanner's finding is right to ignore.
//
// The record travels in the synthesized JSON; `make scan` fails on a finding without one, on an expired one and on one
// that is no longer needed.
package finding

import (
	"fmt"

	"github.com/aws/jsii-runtime-go"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// Exception is one finding that is ignored.
type Exception struct {
	// ID is the scanner's id of the check, e.g. "CKV_AWS_18".
	ID string
	// Reason tells a reviewer why the finding does not apply.
	Reason string
	// Expires is the day, as 2006-01-02, from which the exception counts no longer: somebody has to look again.
	Expires string
}

// Except attaches exceptions to a resource or data source. Each call replaces what an earlier one attached.
func Except(element cdktf.TerraformElement, exceptions ...Exception) {
	if len(exceptions) == 0 {
		return
	}
	rows := make([]map[string]string, len(exceptions))
	for i, e := range exceptions {
		rows[i] = map[string]string{"id": e.ID, "reason": e.Reason, "expires": e.Expires}
	}
	switch e := element.(type) {
	case cdktf.TerraformResource:
		e.AddOverride(jsii.String("//.exceptions"), rows)
	case cdktf.TerraformDataSource:
		// A data source writes its own "//" over what it was told: the stack has the last word.
		path := fmt.Sprintf("data.%s.%s.//.exceptions", *e.TerraformResourceType(), *e.FriendlyUniqueId())
		e.CdktfStack().AddOverride(&path, rows)
	default:
		panic(fmt.Sprintf("exceptions belong to a resource or a data source, not to %T", element))
	}
}
