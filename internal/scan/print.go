package scan

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns is the width of what is printed.
const columns = 100

// Print writes the verdict for people: a table of the stacks, the exceptions (how many; with list each one), the problems.
func (v Verdict) Print(w io.Writer, list bool) {
	v.printTable(w)
	if count := len(v.Excepted); count > 0 {
		first := v.Excepted[0].Expires
		for _, e := range v.Excepted {
			first = min(first, e.Expires)
		}
		hint := " (-exceptions lists them)"
		if list {
			hint = ""
		}
		fmt.Fprintf(w, "\n%s%s, the first of them until %s\n", plural(count, "exception"), hint, first)
	}
	if list {
		v.printExceptions(w)
	}
	v.printProblems(w)
}

// printExceptions lists the exceptions that hold, those with the same check, reason and date together.
func (v Verdict) printExceptions(w io.Writer) {
	var last Excepted
	for _, e := range v.Excepted {
		if e.ID != last.ID {
			fmt.Fprintln(w)
			wrap(w, "", strings.TrimSpace(e.ID+" "+e.Name))
		}
		if e.Exception != last.Exception {
			wrap(w, "  ", "until "+e.Expires+": "+strings.Join(strings.Fields(e.Reason), " "))
		}
		wrap(w, "    ", e.Stack+": "+e.Construct)
		last = e
	}
}

func (v Verdict) printTable(w io.Writer) {
	width := 0
	for _, t := range v.Tallies {
		width = max(width, utf8.RuneCountInString(t.Stack), utf8.RuneCountInString(t.Scanner))
	}
	row := func(name string, cells ...any) {
		fmt.Fprintf(w, "%-*s  %8v  %8v  %8v\n", append([]any{width, name}, cells...)...)
	}
	var sum Tally
	for i, t := range v.Tallies {
		if t.Scanner != sum.Scanner || i == 0 {
			sum = Tally{Scanner: t.Scanner}
			row(t.Scanner, "passed", "excepted", "failed")
		}
		sum.Passed, sum.Excepted, sum.Failed = sum.Passed+t.Passed, sum.Excepted+t.Excepted, sum.Failed+t.Failed
		row(t.Stack, t.Passed, t.Excepted, t.Failed)
		if i == len(v.Tallies)-1 || v.Tallies[i+1].Scanner != t.Scanner {
			row("all", sum.Passed, sum.Excepted, sum.Failed)
		}
	}
}

// printProblems writes the problems below their rule and construct, so that neither the remedy nor the name is repeated.
func (v Verdict) printProblems(w io.Writer) {
	if len(v.Problems) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", plural(len(v.Problems), "problem"))
	var last Problem
	for _, p := range v.Problems {
		if p.Rule != last.Rule {
			fmt.Fprintf(w, "\n%s\n", p.Rule)
			wrap(w, "  ", "-> "+p.Rule.Remedy())
			last = Problem{Rule: p.Rule}
		}
		where := join(p.Stack, p.Construct)
		if where != "" && where != join(last.Stack, last.Construct) {
			wrap(w, "  ", where)
		}
		if what := join(p.Check, p.Detail); what != "" {
			wrap(w, "    ", what)
		}
		last = p
	}
}

// join puts a colon between what is not empty.
func join(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, ": ")
}

func plural(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

// wrap writes text in lines of no more than the columns; the lines after the first are indented further.
func wrap(w io.Writer, indent, text string) {
	line := indent
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns:
			fmt.Fprintln(w, line)
			line = indent + "   " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(w, line)
}
