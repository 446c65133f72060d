package scan

import (
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// SARIF writes the problems for GitHub's code scanning; without any it writes a report without results, which closes
// the alerts there. A result is at the construct's line in the JSON of its stack, below dir.
// https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
func (v Verdict) SARIF(w io.Writer, dir string) error {
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(sarif.NewToolComponent().WithName("make scan")))
	for _, problem := range v.Problems {
		id, name := problem.rule()
		rule := run.AddRule(id).WithDescription(name).WithFullDescription(text(name)).WithHelp(text(problem.Rule.Remedy()))
		if problem.link != "" {
			rule.WithHelpURI(problem.link)
		}
		file := "cdktf.json" // a result has to be somewhere: what concerns no stack is at the app
		if problem.Stack != "" {
			file = path.Join(filepath.ToSlash(dir), problem.Stack, File)
		}
		run.CreateResultForRule(id).WithLevel("error").
			WithMessage(sarif.NewTextMessage(problem.String())).
			AddLocation(sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
				WithArtifactLocation(sarif.NewSimpleArtifactLocation(file)).
				WithRegion(sarif.NewRegion().WithStartLine(max(problem.line, 1)))))
	}
	report := sarif.NewReport()
	report.AddRun(run)
	return report.PrettyWrite(w)
}

// rule is the id and description of what code scanning groups problems by: the check, or the rule of the gate.
func (p Problem) rule() (id, name string) {
	if p.Rule == Unexcepted {
		id, name, _ = strings.Cut(p.Check, " ")
		return id, name
	}
	return strings.ReplaceAll(string(p.Rule), " ", "-"), string(p.Rule)
}

func text(s string) *sarif.MultiformatMessageString {
	return sarif.NewMultiformatMessageString().WithText(s)
}
