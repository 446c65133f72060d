package stacks

import (
	"strings"
	"testing"
)

func TestSchedulesThatEventBridgeTakes(t *testing.T) {
	for _, s := range []string{
		"rate(1 minute)", "rate(5 minutes)", "rate(1 day)",
		"cron(0 4 * * ? *)", "cron(0/15 8-18 ? * MON-FRI *)", "cron(0 0 1,15 JAN,JUL ? 2027-2030)",
		"cron(0 12 L * ? *)", "cron(0 12 15W * ? *)", "cron(0 12 ? * 6L *)", "cron(0 12 ? * 2#1 *)",
	} {
		if err := checkSchedule(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestSchedulesThatEventBridgeRefuses(t *testing.T) {
	for s, want := range map[string]string{
		"":                       "write rate(1 hour) or cron(",
		"every day":              "write rate(1 hour) or cron(",
		"rate(0 minutes)":        "at least 1",
		"rate(1 hours)":          "rate(1 hour) for one",
		"rate(2 hour)":           "rate(1 hour) for one",
		"cron(0 4 * * *)":        "has 6 fields",
		"cron(60 4 * * ? *)":     `minutes "60" is not within 0 to 59`,
		"cron(0 24 * * ? *)":     `hours "24" is not within 0 to 23`,
		"cron(0 4 32 * ? *)":     `day of month "32" is not within 1 to 31`,
		"cron(0 4 * 13 ? *)":     `month "13" is not within 1 to 12`,
		"cron(0 4 ? * 8 *)":      `day of week "8" is not within 1 to 7`,
		"cron(0 4 ? * MONDAY *)": `day of week "MONDAY"`,
		"cron(0 4 * * ? 1969)":   `year "1969"`,
		"cron(0 18-8 * * ? *)":   `hours "18-8"`,
		"cron(0/0 4 * * ? *)":    `minutes "0/0"`,
		"cron(0 4 * * * *)":      "exactly one of day of month and day of week is ?",
		"cron(0 4 ? * ? *)":      "exactly one of day of month and day of week is ?",
	} {
		err := checkSchedule(s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", s, err, want)
		}
	}
}
