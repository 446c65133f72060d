// Command aws-microservices synthesizes the platform of package stacks to Terraform JSON in cdktf.out: one stack for the
// state backend, one for what environments share, and one for each environment. `cdktf synth` runs it.
package main

import (
	"fmt"
	"os"

	"aws-microservices/stacks"
)

func main() {
	if err := stacks.Synthesize(stacks.All, os.Getenv("CDKTF_OUTDIR")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
