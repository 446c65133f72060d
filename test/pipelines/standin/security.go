package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"aws-microservices/test/pipelines/github"
)

// sarif takes findings for code scanning. It wants what GitHub wants.
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning
func sarif([]string) error {
	if err := required("sarif_file"); err != nil {
		return err
	}
	files := []string{input("sarif_file")}
	if info, err := os.Stat(files[0]); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(files[0], "*.sarif")); err != nil {
			return err
		}
	}
	total := 0
	for _, file := range files {
		results, err := readSARIF(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		total += results
	}
	if len(files) == 0 {
		return fmt.Errorf("no SARIF files found to upload in %q", input("sarif_file"))
	}
	return store().Update(func(s *github.State) error {
		s.Findings = append(s.Findings, github.Findings{Category: input("category"), Results: total})
		return nil
	})
}

func readSARIF(file string) (results int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var log struct {
		Version string `json:"version"`
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name string `json:"name"`
				} `json:"driver"`
			} `json:"tool"`
			Results []struct {
				RuleID  string `json:"ruleId"`
				Message struct {
					Text string `json:"text"`
				} `json:"message"`
				Locations []struct {
					Physical struct {
						Artifact struct {
							URI string `json:"uri"`
						} `json:"artifactLocation"`
					} `json:"physicalLocation"`
				} `json:"locations"`
			} `json:"results"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(text, &log); err != nil {
		return 0, err
	}
	if log.Version != "2.1.0" || len(log.Runs) == 0 {
		return 0, fmt.Errorf("version %q with %d runs: GitHub takes 2.1.0 with one at least", log.Version, len(log.Runs))
	}
	for _, run := range log.Runs {
		if run.Tool.Driver.Name == "" || run.Results == nil {
			return 0, errors.New("a run has no tool.driver.name or no results")
		}
		for _, r := range run.Results {
			if r.RuleID == "" || r.Message.Text == "" || len(r.Locations) == 0 || r.Locations[0].Physical.Artifact.URI == "" {
				return 0, fmt.Errorf("result %q lacks a rule, a message or a place", r.Message.Text)
			}
		}
		results += len(run.Results)
	}
	return results, nil
}

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// attest says of an image how it was made, or with an SBOM what is in it.
func attest([]string) error {
	if err := required("subject-name", "subject-digest"); err != nil {
		return err
	}
	if !digest.MatchString(input("subject-digest")) {
		return fmt.Errorf("subject-digest %q is no digest", input("subject-digest"))
	}
	_, j, err := workflowOf(variable("GITHUB_WORKFLOW"), variable("GITHUB_JOB"))
	if err != nil {
		return err
	}
	for _, right := range []string{"id-token", "attestations"} {
		if j.Permissions[right] != "write" {
			return fmt.Errorf("the job has no permission %s: write", right)
		}
	}
	predicate := "https://slsa.dev/provenance/v1"
	if path := input("sbom-path"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !json.Valid(text) {
			return fmt.Errorf("%s is no JSON", path)
		}
		predicate = "https://spdx.dev/Document"
	}
	return store().Update(func(s *github.State) error {
		s.Attestations = append(s.Attestations, github.Attestation{Image: input("subject-name"), Digest: input("subject-digest"), Predicate: predicate})
		return nil
	})
}

// sbom is Syft itself.
func sbom([]string) error {
	if err := required("image", "output-file"); err != nil {
		return err
	}
	return execute("syft", "scan", "docker:"+input("image"), "--output", cmp.Or(input("format"), "spdx-json")+"="+input("output-file"), "--quiet")
}

func execute(name string, arguments ...string) error {
	cmd := exec.Command(name, arguments...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// scan is Grype itself, with a database made for the tests; for the action of Trivy too, which has no offline database, with that
// action's inputs and its list of exceptions.
func scan(arguments []string) error {
	image := cmp.Or(input("image"), input("image-ref"))
	source := "docker:" + image
	switch {
	case input("sbom") != "":
		source = "sbom:" + input("sbom")
	case input("scan-type") == "fs":
		source = "dir:" + cmp.Or(input("scan-ref"), ".")
	case image == "":
		return errors.New("neither image nor image-ref nor sbom is given")
	}
	if slices.Contains(arguments, "trivy") {
		return trivy(source)
	}
	report := cmp.Or(input("output-file"), filepath.Join(os.Getenv("RUNNER_TEMP"), "grype.sarif"))
	if err := output("sarif", report); err != nil {
		return err
	}
	flags := []string{source, "--output", cmp.Or(input("output-format"), "sarif") + "=" + report, "--output", "table", "--quiet"} // act's terminal would end its display, and it
	if input("config") != "" {
		flags = append(flags, "--config", input("config"))
	}
	for _, name := range []string{"only-fixed", "by-cve"} {
		if input(name) == "true" {
			flags = append(flags, "--"+name)
		}
	}
	if cmp.Or(input("fail-build"), "true") == "true" {
		flags = append(flags, "--fail-on", cmp.Or(input("severity-cutoff"), "medium"))
	}
	return execute("grype", flags...)
}

// trivy judges what Grype finds as Trivy would.
func trivy(source string) error {
	found, err := exec.Command("grype", source, "--output", "json", "--by-cve", "--quiet").Output()
	if err != nil {
		return fmt.Errorf("grype: %w", err)
	}
	var report struct {
		Matches []struct {
			Vulnerability struct {
				ID, Severity string
				Fix          struct{ State string }
			}
			Artifact struct{ Name, Version string }
		}
	}
	if err := json.Unmarshal(found, &report); err != nil {
		return err
	}
	ignored, err := ignores(time.Now())
	if err != nil {
		return err
	}
	severities := strings.Split(cmp.Or(input("severity"), "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL"), ",")
	bad, results := 0, []map[string]any{}
	for _, m := range report.Matches {
		v := m.Vulnerability
		if !slices.Contains(severities, strings.ToUpper(v.Severity)) || slices.Contains(ignored, v.ID) || input("ignore-unfixed") == "true" && v.Fix.State != "fixed" {
			continue
		}
		bad++
		text := fmt.Sprintf("%s %s %s %s", v.ID, v.Severity, m.Artifact.Name, m.Artifact.Version)
		fmt.Println(text)
		results = append(results, map[string]any{
			"ruleId": v.ID, "message": map[string]any{"text": text},
			"locations": []any{map[string]any{"physicalLocation": map[string]any{"artifactLocation": map[string]any{"uri": m.Artifact.Name}}}},
		})
	}
	if input("format") == "sarif" {
		log := map[string]any{"version": "2.1.0", "runs": []any{map[string]any{
			"tool": map[string]any{"driver": map[string]any{"name": "Trivy"}}, "results": results,
		}}}
		text, err := json.Marshal(log)
		if err != nil {
			return err
		}
		if err := os.WriteFile(input("output"), text, 0o644); err != nil {
			return err
		}
	}
	if bad > 0 && cmp.Or(input("exit-code"), "0") != "0" {
		return fmt.Errorf("%d vulnerabilities", bad)
	}
	return nil
}

// ignores are the exceptions of the file that hold today.
// https://trivy.dev/latest/docs/configuration/filtering/#trivyignoreyaml
func ignores(today time.Time) ([]string, error) {
	file := input("trivyignores")
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list struct {
		Vulnerabilities []struct {
			ID      string `yaml:"id"`
			Expires string `yaml:"expired_at"`
		} `yaml:"vulnerabilities"`
	}
	if err := yaml.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	var ids []string
	for _, v := range list.Vulnerabilities {
		if v.Expires == "" || v.Expires >= today.Format(time.DateOnly) {
			ids = append(ids, v.ID)
		}
	}
	return ids, nil
}
