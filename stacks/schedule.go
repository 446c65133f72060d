package stacks

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var ratePattern = regexp.MustCompile(`^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$`)

// cronFields are the six fields of an EventBridge cron expression.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
var cronFields = []struct {
	name        string
	least, most int
	words       []string
	extra       *regexp.Regexp
}{
	{name: "minutes", least: 0, most: 59},
	{name: "hours", least: 0, most: 23},
	{name: "day of month", least: 1, most: 31, extra: regexp.MustCompile(`^(\?|L|LW|\d{1,2}W)$`)},
	{name: "month", least: 1, most: 12, words: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "day of week", least: 1, most: 7, words: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, extra: regexp.MustCompile(`^(\?|L|[1-7]L|[1-7]#[1-5])$`)},
	{name: "year", least: 1970, most: 2199},
}

// checkSchedule refuses what EventBridge Scheduler would refuse.
func checkSchedule(expression string) error {
	if m := ratePattern.FindStringSubmatch(expression); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n < 1 {
			return fmt.Errorf("a rate is at least 1")
		}
		if (n == 1) == strings.HasSuffix(m[2], "s") {
			return fmt.Errorf("write rate(1 hour) for one and rate(2 hours) for more")
		}
		return nil
	}
	inner, found := strings.CutPrefix(expression, "cron(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !found || !closed {
		return fmt.Errorf("write rate(1 hour) or cron(minutes hours day-of-month month day-of-week year)")
	}
	values := strings.Fields(inner)
	if len(values) != len(cronFields) {
		return fmt.Errorf("a cron expression has 6 fields, minutes hours day-of-month month day-of-week year: this has %d", len(values))
	}
	for i, f := range cronFields {
		if f.extra != nil && f.extra.MatchString(values[i]) {
			continue
		}
		for part := range strings.SplitSeq(values[i], ",") {
			if !cronPart(part, f.least, f.most, f.words) {
				return fmt.Errorf("the %s %q is not within %d to %d", f.name, values[i], f.least, f.most)
			}
		}
	}
	if (values[2] == "?") == (values[4] == "?") {
		return fmt.Errorf("exactly one of day of month and day of week is ?")
	}
	return nil
}

// cronPart accepts *, a value, a range, and each of them with a step.
func cronPart(part string, least, most int, words []string) bool {
	part, step, stepped := strings.Cut(part, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
		return false
	}
	if part == "*" {
		return true
	}
	from, to, ranged := strings.Cut(part, "-")
	ends := []string{from}
	if ranged {
		ends = append(ends, to)
	}
	var numbers []int
	for _, end := range ends {
		n, err := strconv.Atoi(end)
		for i, w := range words {
			if w == end {
				n, err = i+1, nil
			}
		}
		if err != nil || n < least || n > most {
			return false
		}
		numbers = append(numbers, n)
	}
	return !ranged || numbers[0] <= numbers[1]
}
