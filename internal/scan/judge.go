package scan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxDays is how far away an exception may expire: somebody looks at each at least once in this time.
	MaxDays = 400
	// MinReason is the least number of characters of a reason.
	MinReason = 20
)

// Rule is a rule of the gate, in the words a problem is headed with. Problems are reported in the order of the rules.
type Rule string

// The rules.
const (
	Unread     Rule = "stack that cannot be read"
	Unparsed   Rule = "stack checkov could not parse"
	Unscanned  Rule = "stack of which nothing passed"
	ToolError  Rule = "error inside checkov"
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
		return "look for JSON that Checkov's parser cannot follow: a setting where it expects a block"
	case Unscanned:
		return "a scan that judged nothing proves nothing: check that the stack holds resources, of types Checkov knows"
	case ToolError:
		return "its scan is incomplete: run checkov on the stack by itself to see the whole traceback"
	case Unexcepted:
		return "fix the resource; where it is right as it is, say why beside the construct: " +
			"finding.Except(...), which writes //.exceptions, with id, reason and expires"
	case Unknown:
		return "give each construct an id of its own, so that the name Checkov uses fits exactly one"
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
		return "fix the resource, or look at the reason again and, where it still holds, set a later date"
	case TooLong:
		return fmt.Sprintf("set a date within %d days, so that the exception is looked at again", MaxDays)
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
}

// String is the whole problem in one line, the remedy included.
func (p Problem) String() string {
	return join(p.Stack, p.Construct, p.Check, string(p.Rule), p.Detail) + "; " + p.Rule.Remedy()
}

// Tally counts the checks on a stack's constructs; a check on several instances of one resource counts once.
type Tally struct {
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
	Version  string // of Checkov
	Tallies  []Tally
	Excepted []Excepted
	Problems []Problem // none: the stacks pass
}

// Judge holds a report of the stacks against their exceptions. The day is that of now, in UTC.
func Judge(stacks []Stack, report Report, now time.Time) Verdict {
	verdict := Verdict{Version: report.Version}
	names := checkNames(report.Checks)
	for _, stack := range stacks {
		j := judge{verdict: &verdict, stack: stack, names: names, today: day(now), tally: Tally{Stack: stack.Name}}
		j.run(report)
		verdict.Tallies = append(verdict.Tallies, j.tally)
	}
	for _, text := range report.Errors {
		verdict.Problems = append(verdict.Problems, Problem{Rule: ToolError, Detail: shorten(text, 300)})
	}
	verdict.sort()
	return verdict
}

func day(t time.Time) time.Time {
	return t.UTC().Truncate(24 * time.Hour)
}

func checkNames(checks []Check) map[string]string {
	names := map[string]string{}
	for _, check := range checks {
		if check.Name != "" {
			names[check.ID] = check.Name
		}
	}
	return names
}

func (v *Verdict) sort() {
	slices.SortFunc(v.Tallies, func(a, b Tally) int { return cmp.Compare(a.Stack, b.Stack) })
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
	names   map[string]string
	today   time.Time
	tally   Tally

	outcomes map[finding]Outcome
}

func (j *judge) run(report Report) {
	if j.stack.Invalid != "" {
		j.problem(Unread, "", "", j.stack.Invalid)
		return
	}
	if slices.Contains(report.Unparsed, j.stack.Name) {
		j.problem(Unparsed, "", "", "")
		return
	}
	j.collect(report.Checks)
	if !j.scanned() {
		j.problem(Unscanned, "", "", fmt.Sprintf("%d resources, data sources and modules", j.judged()))
		return
	}
	excepted := map[finding]bool{}
	for i := range j.stack.Elements {
		j.exceptions(i, excepted)
	}
	j.count(excepted)
}

func (j *judge) problem(rule Rule, construct, check, detail string) {
	j.verdict.Problems = append(j.verdict.Problems, Problem{
		Rule: rule, Stack: j.stack.Name, Construct: construct, Check: check, Detail: detail,
	})
}

// collect attributes the outcomes of checks to the stack's elements.
func (j *judge) collect(checks []Check) {
	index := map[string][]int{}
	for i, element := range j.stack.Elements {
		for _, name := range element.names {
			index[name] = append(index[name], i)
		}
	}
	j.outcomes = map[finding]Outcome{}
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
		j.outcomes[key] = max(j.outcomes[key], check.Outcome)
	}
}

// judged counts what Checkov is there for; the check on providers passes whatever else was lost.
func (j *judge) judged() int {
	count := 0
	for _, element := range j.stack.Elements {
		if !isProvider(element.Address) {
			count++
		}
	}
	return count
}

func (j *judge) scanned() bool {
	wanted := j.judged() > 0
	for key, outcome := range j.outcomes {
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
		j.problem(Malformed, element.label(), "", element.Malformed)
	}
	times := map[string]int{}
	for _, exception := range element.Exceptions {
		times[exception.ID]++
		if times[exception.ID] == 2 {
			j.problem(Duplicate, element.label(), j.check(exception.ID), "")
		}
		if times[exception.ID] > 1 {
			continue
		}
		key := finding{element: index, id: exception.ID}
		holds := j.exception(element, exception, key)
		excepted[key] = holds
		if holds {
			j.verdict.Excepted = append(j.verdict.Excepted, Excepted{
				Exception: exception, Name: j.names[exception.ID], Stack: j.stack.Name, Construct: element.label(),
			})
		}
	}
}

// exception reports what is wrong with an exception and whether it holds.
func (j *judge) exception(element Element, exception Exception, key finding) bool {
	report := func(rule Rule, detail string) {
		j.problem(rule, element.label(), j.check(exception.ID), detail)
	}
	outcome, ran := j.outcomes[key]
	switch {
	case !ran:
		report(Stale, "no check of this id judged this construct")
		return false
	case outcome == Passed:
		report(Stale, "the check passes")
		return false
	}
	holds := true
	if reason := strings.Join(strings.Fields(exception.Reason), " "); utf8.RuneCountInString(reason) < MinReason {
		report(Unreasoned, fmt.Sprintf("%q", exception.Reason))
		holds = false
	}
	expires, err := time.Parse(time.DateOnly, exception.Expires)
	switch {
	case err != nil:
		report(BadExpiry, fmt.Sprintf("%q", exception.Expires))
	case !expires.After(j.today):
		report(Expired, "it counts no longer since "+exception.Expires)
	case expires.After(j.today.AddDate(0, 0, MaxDays)):
		report(TooLong, exception.Expires+" is later than "+j.today.AddDate(0, 0, MaxDays).Format(time.DateOnly))
	default:
		return holds
	}
	return false
}

// count fills the tally and reports the findings that have no exception.
func (j *judge) count(excepted map[finding]bool) {
	for key, outcome := range j.outcomes {
		holds, given := excepted[key]
		switch {
		case outcome == Passed:
			j.tally.Passed++
		case holds:
			j.tally.Excepted++
		default:
			j.tally.Failed++
			if !given {
				j.unexcepted(key, outcome)
			}
		}
	}
}

func (j *judge) unexcepted(key finding, outcome Outcome) {
	if key.element < 0 {
		j.problem(Unknown, "", j.check(key.id), key.name+" fits "+j.fits(key.name))
		return
	}
	detail := map[Outcome]string{
		Skipped: "checkov was told to skip it by something other than an exception",
		Crashed: "the check crashed, so nothing is known",
	}[outcome]
	j.problem(Unexcepted, j.stack.Elements[key.element].label(), j.check(key.id), detail)
}

// fits names the elements that Checkov may have meant.
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
	return strings.TrimSpace(id + " " + j.names[id])
}
