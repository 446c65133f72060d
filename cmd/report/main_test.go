package main

import (
	"strings"
	"testing"

	"aws-microservices/internal/pipeline"
)

// job is the environment of a job, with changes.
func job(changes map[string]string) func(string) string {
	return func(name string) string {
		if changed, is := changes[name]; is {
			return changed
		}
		return map[string]string{
			"GITHUB_REPOSITORY": "example-org/shop", "GITHUB_WORKFLOW": "backend", "GITHUB_RUN_ID": "16412345678",
			"GITHUB_RUN_ATTEMPT": "2", "AWS_REGION": "eu-west-1",
		}[name]
	}
}

func TestTheRunIsTheJobs(t *testing.T) {
	want := pipeline.Run{Repository: "example-org/shop", Workflow: "backend", ID: 16412345678, Attempt: 2}
	if got, err := current(job(nil)); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestOutsideOfAJobItSaysWhatIsMissing(t *testing.T) {
	_, err := current(func(string) string { return "" })
	for _, name := range []string{"GITHUB_REPOSITORY", "GITHUB_WORKFLOW", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT", "AWS_REGION"} {
		if err == nil || strings.Count(err.Error(), name) != 1 {
			t.Errorf("%s is to be named once: %v", name, err)
		}
	}
	_, err = current(job(map[string]string{"GITHUB_RUN_ID": "seven"}))
	if err == nil || err.Error() != `GITHUB_RUN_ID is "seven": a number is needed` {
		t.Error(err)
	}
}
