package scan

import (
	"strings"
	"testing"
)

func vulnerability(id, statement, expiredAt string) string {
	return "vulnerabilities:\n  - id: " + id + "\n    statement: " + statement + "\n    expired_at: " + expiredAt + "\n"
}

func TestVulnerabilitiesThatMayStayBecomeGrypesRules(t *testing.T) {
	for list, want := range map[string]string{
		"":                    "ignore: []\n",
		"vulnerabilities: []": "ignore: []\n",
		vulnerability("CVE-2099-0001", "the function is never called", "2026-12-31"): "ignore:\n- vulnerability: CVE-2099-0001\n" +
			"  include-aliases: true\n  reason: the function is never called\n",
	} {
		exceptions, err := Vulnerabilities([]byte(list), now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := GrypeRules(exceptions)
		if err != nil || string(got) != want {
			t.Errorf("rules %s, error %v, want %s", got, err, want)
		}
	}
}

func TestVulnerabilitiesAreRefused(t *testing.T) {
	const reason = "the function is never called"
	for name, test := range map[string]struct {
		list  string
		wants []string
	}{
		"expired":      {vulnerability("CVE-2099-0001", reason, "2026-11-23"), []string{"CVE-2099-0001", string(Expired), "2026-11-23"}},
		"too late":     {vulnerability("CVE-2099-0001", reason, "2027-03-31"), []string{string(TooLong), "2027-02-21"}},
		"no date":      {"vulnerabilities: [{id: CVE-2099-0001, statement: " + reason + "}]", []string{string(BadExpiry)}},
		"no reason":    {vulnerability("CVE-2099-0001", "why not", "2026-12-31"), []string{string(Unreasoned), "why not"}},
		"no id":        {vulnerability("", reason, "2026-12-31"), []string{"vulnerabilities[0] has no id"}},
		"both at once": {vulnerability("CVE-2099-0001", "why not", "soon"), []string{string(Unreasoned), string(BadExpiry)}},
		"twice": {
			vulnerability("CVE-1", reason, "2026-12-31") + strings.TrimPrefix(vulnerability("CVE-1", reason, "2026-12-31"), "vulnerabilities:\n"),
			[]string{string(Duplicate)},
		},
		"a field Grype cannot follow": {"vulnerabilities: [{id: CVE-2099-0001, paths: [app]}]", []string{"paths", "statement"}},
		"another list":                {"secrets: [{id: aws-access-key-id}]", []string{"secrets"}},
		"no list":                     {"vulnerabilities: none", []string{VulnerabilitiesFile}},
	} {
		_, err := Vulnerabilities([]byte(test.list), now)
		for _, want := range test.wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", name, err, want)
			}
		}
	}
}
