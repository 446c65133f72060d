// Package scan is the gate between the synthesized stacks and the world: it runs Checkov over the JSON of all stacks and
// tfsec over the same stacks in HCL, and judges what they found against the exceptions that constructs carry.
//
// A construct whose finding is right to ignore says so itself:
//
//	finding.Except(bucket, finding.Exception{
//		ID:      "CKV_AWS_145",
//		Reason:  "the load balancer can deliver its logs to a bucket with SSE-S3 only",
//		Expires: "2027-11-30",
//	})
//
// In the JSON that is a list of maps with the keys id, reason and expires, under "//".exceptions of the resource.
//
// An exception holds for one check on one construct. The gate refuses a finding without an exception and, so that the
// list stays short and true, an exception that has expired, that expires too late to be looked at again, that gives no
// reason, that is given twice or that is no longer needed. It trusts no silence: a stack that a scanner did not parse, a
// stack of which nothing passed and a check that crashed are problems as well, though the scanner exits with 0.
package scan
