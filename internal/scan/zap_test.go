package scan

import (
	"bytes"
	"strings"
	"testing"
)

// alerts is a report as ZAP 2.16 writes it, shortened: one site with an alert of each of two risks.
const alerts = `{"@programName": "ZAP", "@version": "2.16.1", "site": [{"@name": "https://dev.example.org", "alerts": [
	{"pluginid": "10038", "alertRef": "10038-1", "alert": "Content Security Policy (CSP) Header Not Set", "riskcode": "RISK",
	 "confidence": "3", "riskdesc": "Medium (High)", "desc": "<p>CSP is an added layer of security &amp; more.</p>",
	 "instances": [{"uri": "https://dev.example.org/cart", "method": "GET"}, {"uri": "https://dev.example.org/", "method": "GET"}],
	 "count": "2", "solution": "<p>Ensure that the header is set.</p>", "reference": "<p>https://example.org</p>"},
	{"pluginid": "10109", "alert": "Modern Web Application", "riskcode": "0", "desc": "<p>It is one.</p>",
	 "instances": [{"uri": "https://dev.example.org/"}], "solution": "<p>None is needed.</p>"}
]}]}`

func TestAlertsOfZAPBecomeResultsAndTheSevereOnesStop(t *testing.T) {
	for risk, test := range map[string]struct {
		level  string
		severe int
	}{"1": {"warning", 0}, "2": {"error", 1}, "3": {"error", 1}} {
		var text bytes.Buffer
		severe, err := ZAP([]byte(strings.Replace(alerts, "RISK", risk, 1)), &text)
		if err != nil {
			t.Fatal(err)
		}
		if len(severe) != test.severe {
			t.Errorf("risk %s: severe %q, want %d", risk, severe, test.severe)
		}
		run := validSARIF(t, text.Bytes())
		first := run.Results[0]
		if len(run.Results) != 2 || *first.RuleID != "zap-10038" || first.Level != test.level || run.Results[1].Level != "note" {
			t.Errorf("risk %s: %s", risk, &text)
		}
		if uri := *first.Locations[0].PhysicalLocation.ArtifactLocation.URI; uri != "dev.example.org/cart" {
			t.Errorf("address %s: code scanning refuses one with a scheme", uri)
		}
		for _, want := range []string{"at 2 addresses such as https://dev.example.org/cart", "added layer of security & more."} {
			if !strings.Contains(*first.Message.Text, want) {
				t.Errorf("message %q, want %q in it", *first.Message.Text, want)
			}
		}
	}
}

func TestReportsOfZAPThatSayNothingAreErrors(t *testing.T) {
	for report, want := range map[string]string{
		"":             "no JSON report",
		`{"site": []}`: "scanned no site",
		strings.Replace(alerts, "RISK", "high", 1): "10038",
	} {
		if _, err := ZAP([]byte(report), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}
