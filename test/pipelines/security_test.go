//go:build pipelines

package pipelines_test

import (
	"strings"
	"testing"
)

func TestTheNightlyLookTakesWhatItFindsToCodeScanning(t *testing.T) {
	r := released(t)
	run := r.Run(t, Event{Name: "schedule"}, "security.yml")
	run.Want(t, map[string]string{
		"sources": "success", "deployed": "success", "images (catalog)": "success", "images (migrate)": "success", "site": "success", "sonarqube": "success",
	})
	found := map[string]bool{}
	for _, findings := range r.State(t).Findings {
		found[findings.Category] = true
	}
	for _, category := range []string{"sources", "trivy-prod-catalog", "grype-prod-catalog", "zap"} {
		if !found[category] {
			t.Errorf("nothing came to code scanning as %s: %v", category, found)
		}
	}
	if strings.Contains(run.Output, "SONAR_TOKEN is not set") {
		t.Error("SonarQube was asked without a token")
	}
}

func TestAPullRequestsDependenciesAreReviewed(t *testing.T) {
	r := open(t).Repository(t)
	r.Open(t, 51, "dependencies")
	r.Run(t, Event{Name: "pull_request", Pull: 51}, "security.yml").Want(t, map[string]string{"dependencies": "success"})
}
