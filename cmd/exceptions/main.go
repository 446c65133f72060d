// Command exceptions prints Grype's configuration from .trivyignore.yaml, the one list of vulnerabilities that images may have.
//
//	go run ./cmd/exceptions [FILE] >grype.yaml
//
// The exit code is 1 when an exception has no reason, has expired or lasts too long, and 2 when the list cannot be read.
package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"aws-microservices/internal/scan"
)

const (
	refused = 1
	failed  = 2
)

func main() {
	os.Exit(run(os.Args[1:], time.Now(), os.Stdout, os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(args []string, now time.Time, stdout, stderr io.Writer) int {
	file := scan.VulnerabilitiesFile
	switch {
	case len(args) == 1:
		file = args[0]
	case len(args) > 1:
		fmt.Fprintln(stderr, "usage: go run ./cmd/exceptions [FILE] >grype.yaml")
		return failed
	}
	data, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintln(stderr, "exceptions:", err)
		return failed
	}
	exceptions, err := scan.Vulnerabilities(data, now)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return refused
	}
	rules, err := scan.GrypeRules(exceptions)
	if err != nil {
		fmt.Fprintln(stderr, "exceptions:", err)
		return failed
	}
	if _, err := stdout.Write(rules); err != nil {
		fmt.Fprintln(stderr, "exceptions:", err)
		return failed
	}
	return 0
}
