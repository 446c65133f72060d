package scan

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// mediumRisk is the least of ZAP's risks that stops a pipeline.
// https://www.zaproxy.org/docs/desktop/start/features/alerts/
const mediumRisk = 2

// ZAP turns the JSON report of ZAP's baseline scan into SARIF for GitHub's code scanning, and returns the alerts of medium or
// high risk. An alert is at the first address that has it. A report without a site is an error: nothing was scanned.
// https://www.zaproxy.org/docs/desktop/addons/report-generation/report-traditional-json/
func ZAP(report []byte, w io.Writer) (severe []string, err error) {
	var parsed struct {
		Sites []struct {
			Alerts []struct {
				ID        string `json:"pluginid"`
				Name      string `json:"alert"`
				Risk      string `json:"riskcode"`
				About     string `json:"desc"`
				Solution  string `json:"solution"`
				Instances []struct {
					URI string `json:"uri"`
				} `json:"instances"`
			} `json:"alerts"`
		} `json:"site"`
	}
	if err := json.Unmarshal(report, &parsed); err != nil {
		return nil, fmt.Errorf("this is no JSON report of ZAP: %w", err)
	}
	if len(parsed.Sites) == 0 {
		return nil, errors.New("ZAP scanned no site: see whether it reached its target")
	}
	var results []result
	for _, site := range parsed.Sites {
		for _, alert := range site.Alerts {
			risk, err := strconv.Atoi(alert.Risk)
			if err != nil || len(alert.Instances) == 0 {
				return nil, fmt.Errorf("alert %s has no risk or no address: has the form of ZAP's report changed?", alert.ID)
			}
			_, address, _ := strings.Cut(alert.Instances[0].URI, "://")
			message := fmt.Sprintf("%s, at %d addresses such as %s", alert.Name, len(alert.Instances), alert.Instances[0].URI)
			results = append(results, result{
				rule: "zap-" + alert.ID, name: alert.Name, help: plain(alert.Solution),
				link:  "https://www.zaproxy.org/docs/alerts/" + alert.ID + "/",
				level: []string{"note", "warning", "error", "error"}[min(max(risk, 0), 3)], message: message + ". " + plain(alert.About),
				file: address, line: 1,
			})
			if risk >= mediumRisk {
				severe = append(severe, message+": "+plain(alert.Solution))
			}
		}
	}
	return severe, writeSARIF(w, "ZAP", results)
}

var tag = regexp.MustCompile(`<[^>]*>`)

// plain is the text of ZAP's HTML.
func plain(text string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tag.ReplaceAllString(text, " "))), " ")
}
