package scan

import (
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// result is one finding as GitHub's code scanning shows it, with all that it asks for.
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
type result struct {
	rule, name string // what findings are grouped by
	help, link string // what to do about it, and where to read more; the link may be missing
	level      string // error, warning or note
	message    string
	file       string // below the repository, or at least without a scheme: another one is refused
	line       int
}

// writeSARIF writes a report. Without results it closes the alerts of earlier ones.
func writeSARIF(w io.Writer, tool string, results []result) error {
	text := func(s string) *sarif.MultiformatMessageString { return sarif.NewMultiformatMessageString().WithText(s) }
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(sarif.NewToolComponent().WithName(tool)))
	for _, r := range results {
		rule := run.AddRule(r.rule).WithDescription(r.name).WithFullDescription(text(r.name)).WithHelp(text(r.help))
		if r.link != "" {
			rule.WithHelpURI(r.link)
		}
		run.CreateResultForRule(r.rule).WithLevel(r.level).
			WithMessage(sarif.NewTextMessage(r.message)).
			AddLocation(sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
				WithArtifactLocation(sarif.NewSimpleArtifactLocation(r.file)).
				WithRegion(sarif.NewRegion().WithStartLine(r.line))))
	}
	report := sarif.NewReport()
	report.AddRun(run)
	return report.PrettyWrite(w)
}

// SARIF writes the problems for GitHub's code scanning, each at its construct's line in the JSON of its stack, below dir.
func (v Verdict) SARIF(w io.Writer, dir string) error {
	var results []result
	for _, p := range v.Problems {
		r := result{
			rule: strings.ReplaceAll(string(p.Rule), " ", "-"), name: string(p.Rule), help: p.Rule.Remedy(), link: p.link,
			level: "error", message: p.String(),
			file: "cdktf.json", line: 1, // what concerns no stack is at the app
		}
		if p.Rule == Unexcepted {
			r.rule, r.name, _ = strings.Cut(p.Check, " ")
		}
		if p.Stack != "" {
			r.file, r.line = path.Join(filepath.ToSlash(dir), p.Stack, File), p.line
		}
		results = append(results, r)
	}
	return writeSARIF(w, "make scan", results)
}
