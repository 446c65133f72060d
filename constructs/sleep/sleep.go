// Package sleep says when an environment that nobody uses at night costs nothing.
//
//	Hours -> scheduled scaling of services to zero tasks, EventBridge schedules that stop and start databases
package sleep

// Hours are when an environment sleeps. An environment can be woken before by `make wake`.
type Hours struct {
	// Sleep and Wake are EventBridge cron expressions, e.g. "cron(0 19 ? * MON-FRI *)" and "cron(0 7 ? * MON-FRI *)", which
	// sleep through the weekend as well.
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
	Sleep, Wake string
	// TimeZone is what the expressions mean, e.g. "Europe/Dublin": it follows daylight saving time. Defaults to UTC.
	TimeZone string
}

// Zone returns the time zone with its default.
func (h Hours) Zone() string {
	if h.TimeZone == "" {
		return "UTC"
	}
	return h.TimeZone
}
