package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// zap asks for one page and reports, in the form of ZAP, whether it lacks a content security policy.
func zap([]string) error {
	if input("fail_action") != "false" || input("allow_issue_writing") != "false" {
		return errors.New("this stand-in neither judges the alerts nor writes issues: turn both off")
	}
	// Every name below localhost is this machine, as for browsers.
	here := func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("127.0.0.1", port)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: here}}
	response, err := client.Get(input("target"))
	if err != nil {
		return fmt.Errorf("failed to scan the target: %w", err)
	}
	response.Body.Close()
	alert := map[string]any{"pluginid": "10109", "alert": "Modern Web Application", "riskcode": "0"}
	if response.Header.Get("Content-Security-Policy") == "" {
		alert = map[string]any{"pluginid": "10038", "alert": "Content Security Policy (CSP) Header Not Set", "riskcode": "2"}
	}
	alert["instances"] = []any{map[string]any{"uri": input("target")}}
	report, err := json.Marshal(map[string]any{"site": []any{map[string]any{"alerts": []any{alert}}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(variable("GITHUB_WORKSPACE"), "report_json.json"), report, 0o644)
}

// sonarqube wants what the scanner wants; it does not look at the code.
func sonarqube([]string) error {
	for _, name := range []string{"SONAR_TOKEN", "SONAR_HOST_URL"} {
		if os.Getenv(name) == "" {
			return fmt.Errorf("%s is not set", name)
		}
	}
	properties, err := os.ReadFile(filepath.Join(variable("GITHUB_WORKSPACE"), "sonar-project.properties"))
	if err == nil && !strings.Contains(string(properties), "sonar.projectKey=") {
		err = errors.New("sonar-project.properties names no project")
	}
	return err
}

// dependencyReview is for pull requests only, and finds nothing.
func dependencyReview([]string) error {
	if event := variable("GITHUB_EVENT_NAME"); event != "pull_request" {
		return fmt.Errorf("there is nothing to compare on %s", event)
	}
	if severity := input("fail-on-severity"); !slices.Contains([]string{"", "low", "moderate", "high", "critical"}, severity) {
		return fmt.Errorf("fail-on-severity is %q", severity)
	}
	return nil
}
