package scan

import (
	"errors"
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
)

// VulnerabilitiesFile lists the vulnerabilities that images may have for a while. Trivy reads it as it is.
// https://trivy.dev/docs/latest/guide/configuration/filtering/#trivyignoreyaml
const VulnerabilitiesFile = ".trivyignore.yaml"

// Vulnerabilities reads the list and refuses what is no exception: without a reason, expired, or for too long. Only fields are
// allowed that both Trivy and Grype can follow. The error names everything that is wrong.
func Vulnerabilities(data []byte, now time.Time) ([]Exception, error) {
	var list struct {
		Vulnerabilities []struct {
			ID        string `yaml:"id"`
			Statement string `yaml:"statement"`
			ExpiredAt string `yaml:"expired_at"`
		} `yaml:"vulnerabilities"`
	}
	if err := yaml.UnmarshalWithOptions(data, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w; each of its vulnerabilities has an id, a statement and expired_at, nothing else",
			VulnerabilitiesFile, err)
	}
	var exceptions []Exception
	var faults []error
	known := map[string]bool{}
	for i, row := range list.Vulnerabilities {
		exception := Exception{ID: row.ID, Reason: row.Statement, Expires: row.ExpiredAt}
		if row.ID == "" {
			faults = append(faults, fmt.Errorf("%s: vulnerabilities[%d] has no id: name the CVE", VulnerabilitiesFile, i))
			continue
		}
		flaws := exception.flaws(day(now), MaxVulnerableDays)
		if known[row.ID] {
			flaws = append(flaws, flaw{rule: Duplicate})
		}
		known[row.ID] = true
		for _, flaw := range flaws {
			problem := Problem{Stack: VulnerabilitiesFile, Check: row.ID, Rule: flaw.rule, Detail: flaw.detail}
			faults = append(faults, errors.New(problem.String()))
		}
		exceptions = append(exceptions, exception)
	}
	return exceptions, errors.Join(faults...)
}

// GrypeRules writes a configuration that makes Grype ignore these vulnerabilities, by whichever of their names it knows them.
// https://oss.anchore.com/docs/guides/vulnerability/filter-results/
func GrypeRules(exceptions []Exception) ([]byte, error) {
	type rule struct {
		Vulnerability  string `yaml:"vulnerability"`
		IncludeAliases bool   `yaml:"include-aliases"`
		Reason         string `yaml:"reason"`
	}
	rules := make([]rule, len(exceptions))
	for i, e := range exceptions {
		rules[i] = rule{Vulnerability: e.ID, IncludeAliases: true, Reason: e.Reason}
	}
	return yaml.Marshal(map[string][]rule{"ignore": rules})
}
