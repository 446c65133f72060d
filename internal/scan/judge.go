package scan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxDays is how far away an exception may expire: somebody looks at each at least once in this time.
	MaxDays = 400
	// MaxVulnerableDays is the same for a vulnerability in an image, which is a debt and not a decision.
	MaxVulnerableDays = 90
	// MinReason is the least number of characters of a reason.
	MinReason = 20
)

// Rule is a rule of the gate, in the words a problem is headed with. Problems are reported in the order of the rules.
type Rule string

// The rules.
const (
	Unread     Rule = "stack that cannot be read"
	Unparsed   Rule = "stack a scanner could not parse"
	Unscanned  Rule = "stack of which nothing passed"
	ToolError  Rule = "error inside a scanner"
	Unexcepted Rule = "finding without an exception"
	Unknown    Rule = "finding that cannot be attributed"
	Malformed  Rule = "exceptions that cannot be read"
	Duplicate  Rule = "exception given twice"
	Stale      Rule = "exception no longer needed"
	Unreasoned Rule = "exception without a real reason"
	BadExpiry  Rule = "exception without a valid date"
	Expired    Rule = "exception expired"
	TooLong    Rule = "exception that expires too late"
)

var rules = []Rule{
	Unread, Unparsed, Unscanned, ToolError, Unexcepted, Unknown, Malformed, Duplicate, Stale, Unreasoned, BadExpiry,
	Expired, TooLong,
}

// Remedy says what to do about a problem of this kind.
func (r Rule) Remedy() string {
	switch r {
	case Unread:
		return "synthesize it again (make synth), or remove its folder when the stack is gone"
	case Unparsed:
		return "look for what the scanner's parser cannot follow, such as a setting where it expects a block"
	case Unscanned:
		return "a scan that judged nothing proves nothing: check that the stack holds resources, of types the scanner knows"
	case ToolError:
		return "its scan is incomplete: run it on the stack by itself to see the whole traceback"
	case Unexcepted:
		return "fix the resource; where it is right as it is, say why beside the construct: " +
			"finding.Except(...), which writes //.exceptions, with id, reason and expires"
	case Unknown:
		return "give each construct an id of its own, so that the name the scanner uses fits exactly one"
	case Malformed:
		return "attach them with finding.Except: //.exceptions is a list of maps with the keys id, reason and expires, all text"
	case Duplicate:
		return "keep one of them"
	case Stale:
		return "delete the exception from the construct"
	case Unreasoned:
		return fmt.Sprintf("say in at least %d characters why this finding is right to ignore here", MinReason)
	case BadExpiry:
		return `write the day from which it counts no longer as year, month and day: "2027-11-30"`
	case Expired:
		return "fix what it is about, or look at the reason again and, where it still holds, set a later date"
	case TooLong:
		return "set an earlier date, so that the exception is looked at again"
	}
	return ""
}

// Problem is one thing that keeps the stacks from passing the gate.
type Problem struct {
	Rule      Rule
	Stack     string
	Construct string // its path and Terraform's address
	Check     string // the check's id and name
	Detail    string // what is peculiar to this one

	line int    // of the construct in the stack's JSON
	link string // to the check's page
}

// String is the whole problem in one line, the remedy included.
func (p Problem) String() string {
	return join(p.Stack, p.Construct, p.Check, string(p.Rule), p.Detail) + "; " + p.Rule.Remedy()
}

// Tally counts a scanner's checks on a stack's constructs; a check on several instances of one resource counts once.
type Tally struct {
	Scanner  string
	Stack    string
	Passed   int
	Excepted int
	Failed   int
}

// Excepted is an exception that was needed and holds.
type Excepted struct {
	Exception
	Name      string // the check's
	Stack     string
	Construct string
}

// Verdict is the gate's decision about all stacks.
type Verdict struct {
	Tallies  []Tally // by scanner
	Excepted []Excepted
	Problems []Problem // none: the stacks pass
}

// Judge holds the scanners' reports of the stacks against their exceptions. The day is that of now, in UTC.
func Judge(stacks []Stack, now time.Time, reports ...Report) Verdict {
	var verdict Verdict
	known := checksByID(reports)
	for _, stack := range stacks {
		j := judge{verdict: &verdict, stack: stack, known: known, today: day(now)}
		j.run(reports)
	}
	for _, report := range reports {
		for _, text := range report.Errors {
			detail := join(report.Scanner, shorten(text, 300))
			verdict.Problems = append(verdict.Problems, Problem{Rule: ToolError, Detail: detail})
		}
	}
	verdict.sort()
	return verdict
}

func day(t time.Time) time.Time {
	return t.UTC().Truncate(24 * time.Hour)
}

// checksByID returns a check of each id that says the check's name.
func checksByID(reports []Report) map[string]Check {
	known := map[string]Check{}
	for _, report := range reports {
		for _, check := range report.Checks {
			if check.Name != "" {
				known[check.ID] = check
			}
		}
	}
	return known
}

func (v *Verdict) sort() {
	slices.SortFunc(v.Tallies, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Scanner, b.Scanner), cmp.Compare(a.Stack, b.Stack))
	})
	slices.SortFunc(v.Excepted, func(a, b Excepted) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Expires, b.Expires), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(a.Stack, b.Stack), cmp.Compare(a.Construct, b.Construct))
	})
	slices.SortFunc(v.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(slices.Index(rules, a.Rule), slices.Index(rules, b.Rule)), cmp.Compare(a.Stack, b.Stack),
			cmp.Compare(a.Construct, b.Construct), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Detail, b.Detail))
	})
}

// finding identifies a check on an element of the stack, or on a name that fits none or several (element -1).
type finding struct {
	element int
	name    string
	id      string
}

// judge is the work on one stack.
type judge struct {
	verdict *Verdict
	stack   Stack
	known   map[string]Check
	today   time.Time

	outcomes map[finding]Outcome // of all scanners: no two have a check of the same id
}

func (j *judge) run(reports []Report) {
	tallies := make([]Tally, len(reports))
	defer func() { j.verdict.Tallies = append(j.verdict.Tallies, tallies...) }()
	for i, report := range reports {
		tallies[i] = Tally{Scanner: report.Scanner, Stack: j.stack.Name}
	}
	if j.stack.Invalid != "" {
		j.problem(Unread, -1, "", j.stack.Invalid)
		return
	}
	scans, complete := make([]map[finding]Outcome, len(reports)), true
	for i, report := range reports {
		var scanned bool
		scans[i], scanned = j.scan(report)
		complete = complete && scanned
	}
	if !complete {
		return // without all outcomes no exception can be judged
	}
	j.outcomes = map[finding]Outcome{}
	for _, scan := range scans {
		maps.Copy(j.outcomes, scan)
	}
	excepted := map[finding]bool{}
	for i := range j.stack.Elements {
		j.exceptions(i, excepted)
	}
	for i, scan := range scans {
		j.count(scan, excepted, &tallies[i])
	}
}

// scan returns a scanner's outcomes and whether it judged the stack.
func (j *judge) scan(report Report) (map[finding]Outcome, bool) {
	if detail, unparsed := report.Unparsed[j.stack.Name]; unparsed {
		j.problem(Unparsed, -1, "", join(report.Scanner, detail))
		return nil, false
	}
	outcomes := j.collect(report.Checks)
	if !j.scanned(outcomes) {
		j.problem(Unscanned, -1, "", fmt.Sprintf("%s, %d resources, data sources and modules", report.Scanner, j.judged()))
		return nil, false
	}
	return outcomes, true
}

// problem reports something about an element, or about the whole stack (-1), and a check's id, if there is one.
func (j *judge) problem(rule Rule, element int, id, detail string) {
	problem := Problem{Rule: rule, Stack: j.stack.Name, Check: j.check(id), Detail: detail, line: 1, link: j.known[id].Link}
	if element >= 0 {
		problem.Construct = j.stack.Elements[element].label()
		problem.line = j.stack.Elements[element].line
	}
	j.verdict.Problems = append(j.verdict.Problems, problem)
}

// collect attributes the outcomes of checks to the stack's elements.
func (j *judge) collect(checks []Check) map[finding]Outcome {
	index := map[string][]int{}
	for i, element := range j.stack.Elements {
		for _, name := range element.names {
			index[name] = append(index[name], i)
		}
	}
	outcomes := map[finding]Outcome{}
	for _, check := range checks {
		if check.Stack != j.stack.Name {
			continue
		}
		// aws_s3_bucket.logs[0] and aws_s3_bucket.logs["a"] are instances of one construct.
		name, _, _ := strings.Cut(check.Resource, "[")
		key := finding{element: -1, name: name, id: check.ID}
		if elements := index[name]; len(elements) == 1 {
			key = finding{element: elements[0], id: check.ID}
		}
		outcomes[key] = max(outcomes[key], check.Outcome)
	}
	return outcomes
}

// judged counts what a scanner is there for; Checkov's check on providers passes whatever else was lost.
func (j *judge) judged() int {
	count := 0
	for _, element := range j.stack.Elements {
		if !isProvider(element.Address) {
			count++
		}
	}
	return count
}

func (j *judge) scanned(outcomes map[finding]Outcome) bool {
	wanted := j.judged() > 0
	for key, outcome := range outcomes {
		provider := key.element >= 0 && isProvider(j.stack.Elements[key.element].Address)
		if outcome == Passed && (!wanted || !provider) {
			return true
		}
	}
	return false
}

func isProvider(address string) bool {
	return strings.HasPrefix(address, "provider.")
}

// exceptions judges the exceptions of an element. Those that hold are added to the verdict; every finding with an
// exception is marked, with true where the exception holds.
func (j *judge) exceptions(index int, excepted map[finding]bool) {
	element := j.stack.Elements[index]
	if element.Malformed != "" {
		j.problem(Malformed, index, "", element.Malformed)
	}
	times := map[string]int{}
	for _, exception := range element.Exceptions {
		times[exception.ID]++
		if times[exception.ID] == 2 {
			j.problem(Duplicate, index, exception.ID, "")
		}
		if times[exception.ID] > 1 {
			continue
		}
		key := finding{element: index, id: exception.ID}
		holds := j.exception(exception, key)
		excepted[key] = holds
		if holds {
			j.verdict.Excepted = append(j.verdict.Excepted, Excepted{
				Exception: exception, Name: j.known[exception.ID].Name, Stack: j.stack.Name, Construct: element.label(),
			})
		}
	}
}

// exception reports what is wrong with an exception and whether it holds.
func (j *judge) exception(exception Exception, key finding) bool {
	report := func(rule Rule, detail string) { j.problem(rule, key.element, exception.ID, detail) }
	outcome, ran := j.outcomes[key]
	switch {
	case !ran:
		report(Stale, "no check of this id judged this construct")
		return false
	case outcome == Passed:
		report(Stale, "the check passes")
		return false
	}
	flaws := exception.flaws(j.today, MaxDays)
	for _, flaw := range flaws {
		report(flaw.rule, flaw.detail)
	}
	return len(flaws) == 0
}

// flaw is something wrong with an exception itself.
type flaw struct {
	rule   Rule
	detail string
}

// flaws returns what is wrong with the reason and with the date, which may be so many days away.
func (e Exception) flaws(today time.Time, days int) []flaw {
	var flaws []flaw
	if reason := strings.Join(strings.Fields(e.Reason), " "); utf8.RuneCountInString(reason) < MinReason {
		flaws = append(flaws, flaw{Unreasoned, fmt.Sprintf("%q", e.Reason)})
	}
	last := today.AddDate(0, 0, days)
	switch expires, err := time.Parse(time.DateOnly, e.Expires); {
	case err != nil:
		flaws = append(flaws, flaw{BadExpiry, fmt.Sprintf("%q", e.Expires)})
	case !expires.After(today):
		flaws = append(flaws, flaw{Expired, "it counts no longer since " + e.Expires})
	case expires.After(last):
		flaws = append(flaws, flaw{TooLong, e.Expires + " is later than " + last.Format(time.DateOnly)})
	}
	return flaws
}

// count fills a scanner's tally and reports its findings that have no exception.
func (j *judge) count(scan map[finding]Outcome, excepted map[finding]bool, tally *Tally) {
	for key, outcome := range scan {
		holds, given := excepted[key]
		switch {
		case outcome == Passed:
			tally.Passed++
		case holds:
			tally.Excepted++
		default:
			tally.Failed++
			if !given {
				j.unexcepted(key, outcome)
			}
		}
	}
}

func (j *judge) unexcepted(key finding, outcome Outcome) {
	if key.element < 0 {
		j.problem(Unknown, -1, key.id, key.name+" fits "+j.fits(key.name))
		return
	}
	detail := map[Outcome]string{
		Skipped: "the scanner was told to skip it by something other than an exception",
		Crashed: "the check crashed, so nothing is known",
	}[outcome]
	j.problem(Unexcepted, key.element, key.id, detail)
}

// fits names the elements that the scanner may have meant.
func (j *judge) fits(name string) string {
	var labels []string
	for _, element := range j.stack.Elements {
		if slices.Contains(element.names, name) {
			labels = append(labels, element.label())
		}
	}
	if len(labels) == 0 {
		return "nothing in the stack"
	}
	return strings.Join(labels, " and ")
}

// check is a check's id with its name.
func (j *judge) check(id string) string {
	return strings.TrimSpace(id + " " + j.known[id].Name)
}
