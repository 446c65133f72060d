package scan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// Outcome is what became of a check on an element.
type Outcome int

// The outcomes, the worse the later: where one check gives several (on the instances of a counted resource), the worst
// counts.
const (
	Passed  Outcome = iota
	Skipped         // by something other than this gate
	Crashed         // Checkov logs it, leaves the check out of its report and exits with 0
	Failed
)

// Check is one check's outcome on one resource, as the scanner names it.
type Check struct {
	Stack    string
	Resource string
	ID       string
	Name     string
	Link     string // to the check's page
	Outcome  Outcome
}

// Report is what a scanner said about all stacks.
type Report struct {
	Scanner  string // its name and, where it says it, its version
	Checks   []Check
	Unparsed map[string]string // stacks that it could not parse, with what it said
	Errors   []string          // what it logged as an error and is none of the above
}

// policies lists Checkov's checks; without an account of its maker it gives no link of its own to each.
const policies = "https://www.checkov.io/5.Policy%20Index/terraform.html"

// record is a check's outcome in Checkov's JSON.
type record struct {
	ID       string `json:"check_id"`
	Name     string `json:"check_name"`
	File     string `json:"file_path"`
	Resource string `json:"resource"`
}

// output is Checkov's JSON for one framework. A run that found no file prints only a summary, without the key.
type output struct {
	Results struct {
		Passed  []record `json:"passed_checks"`
		Failed  []record `json:"failed_checks"`
		Skipped []record `json:"skipped_checks"`
		Errors  []string `json:"parsing_errors"`
	} `json:"results"`
	Summary struct {
		Version string `json:"checkov_version"`
	} `json:"summary"`
	Version string `json:"checkov_version"`
}

// ParseReport reads the JSON report Checkov wrote to its standard output and the log it wrote to its standard error.
func ParseReport(stdout, log []byte) (Report, error) {
	outputs, err := parseOutputs(stdout)
	if err != nil {
		return Report{}, fmt.Errorf("checkov printed no JSON report (%w): %s", err, excerpt(stdout, log))
	}
	report := Report{Scanner: "checkov", Unparsed: map[string]string{}}
	for _, out := range outputs {
		report.add(out)
	}
	report.addLog(log)
	return report, nil
}

// parseOutputs copes with a list, which Checkov prints when several frameworks had results.
func parseOutputs(data []byte) ([]output, error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '[' {
		var outputs []output
		err := json.Unmarshal(data, &outputs)
		return outputs, err
	}
	outputs := make([]output, 1)
	err := json.Unmarshal(data, &outputs[0])
	return outputs, err
}

func (r *Report) add(out output) {
	for _, version := range []string{out.Version, out.Summary.Version} {
		if version != "" {
			r.Scanner = "checkov " + version
		}
	}
	for _, group := range []struct {
		outcome Outcome
		records []record
	}{
		{Passed, out.Results.Passed}, {Failed, out.Results.Failed}, {Skipped, out.Results.Skipped},
	} {
		for _, rec := range group.records {
			r.Checks = append(r.Checks, Check{
				Stack: stackOf(rec.File), Resource: rec.Resource, ID: rec.ID, Name: rec.Name, Link: policies, Outcome: group.outcome,
			})
		}
	}
	for _, path := range out.Results.Errors {
		r.Unparsed[stackOf(path)] = ""
	}
}

// stackOf returns the stack whose file this is: the folder it lies in.
func stackOf(path string) string {
	return filepath.Base(filepath.Dir(filepath.FromSlash(path)))
}

var (
	errorLine   = regexp.MustCompile(`(?m)\[(?:ERROR|CRITI\w*)\s*\]\s+(.*)$`)
	crashedLine = regexp.MustCompile(`^Failed to run check (\S+) on (\S+?):(\S+)$`)
)

// addLog adds the errors in Checkov's log; for a file that does not parse there is one beside its entry in the report.
func (r *Report) addLog(log []byte) {
	for _, match := range errorLine.FindAllSubmatch(log, -1) {
		text := strings.TrimSpace(string(match[1]))
		if crash := crashedLine.FindStringSubmatch(text); crash != nil {
			r.Checks = append(r.Checks, Check{
				Stack: stackOf(crash[2]), Resource: crash[3], ID: crash[1], Outcome: Crashed,
			})
		} else if !strings.HasPrefix(text, "Failed to parse template") {
			r.Errors = append(r.Errors, text)
		}
	}
}

// excerpt is the first that says something, short enough for a message.
func excerpt(texts ...[]byte) string {
	for _, text := range texts {
		if line := strings.Join(strings.Fields(string(text)), " "); line != "" {
			return shorten(line, 400)
		}
	}
	return "it printed nothing at all"
}

// shorten keeps the end of a text, where a traceback names the error.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return "..." + string(runes[len(runes)-limit:])
}
