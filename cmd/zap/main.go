// Command zap takes the findings of ZAP's baseline scan to GitHub's code scanning, and fails on those of medium or high risk.
//
//	go run ./cmd/zap report_json.json zap.sarif
//
// The exit code is 1 when there are such alerts, and 2 when the report says nothing.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"aws-microservices/internal/scan"
)

const (
	alerts = 1
	failed = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

// run is the whole command; it returns the exit code.
func run(args []string, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: go run ./cmd/zap report_json.json zap.sarif")
		return failed
	}
	severe, err := convert(args[0], args[1])
	if err != nil {
		fmt.Fprintln(stderr, "zap:", err)
		return failed
	}
	for _, alert := range severe {
		fmt.Fprintln(stderr, alert)
	}
	if len(severe) > 0 {
		return alerts
	}
	return 0
}

// convert writes the report as SARIF, whole or not at all, and returns the alerts that must not stay.
func convert(from, to string) ([]string, error) {
	report, err := os.ReadFile(from)
	if err != nil {
		return nil, err
	}
	var sarif bytes.Buffer
	severe, err := scan.ZAP(report, &sarif)
	if err != nil {
		return nil, err
	}
	return severe, os.WriteFile(to, sarif.Bytes(), 0o644)
}
