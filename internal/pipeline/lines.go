package pipeline

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// What CloudWatch takes with one request, and adds to the size of each event.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	mostEvents = 10_000
	mostBytes  = 1 << 20
	overhead   = 26
	// longestSpan is a day in milliseconds.
	longestSpan = 24 * 60 * 60 * 1000
	// longestLine is less than an event may have: a console is no better with more.
	longestLine = 256<<10 - overhead
)

type event = types.InputLogEvent

// events are the lines of a job's log, at the time that GitHub wrote before each. A line without one belongs to the line before,
// the first of all to since. What is too long for one event is several; an empty line cannot be one.
func events(text string, since time.Time) []event {
	var all []event
	at := since.UnixMilli()
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.ToValidUTF8(strings.TrimRight(line, "\r\n"), string(utf8.RuneError))
		stamp, rest, _ := strings.Cut(line, " ")
		if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			at, line = t.UnixMilli(), rest
		}
		for line != "" {
			end := len(line)
			if end > longestLine {
				for end = longestLine; !utf8.RuneStart(line[end]); end-- {
				}
			}
			all = append(all, event{Message: aws.String(line[:end]), Timestamp: aws.Int64(at)})
			line = line[end:]
		}
	}
	// Two streams of output may be written down a little out of order.
	slices.SortStableFunc(all, func(a, b event) int { return int(*a.Timestamp - *b.Timestamp) })
	return all
}

// batches are the events, as many together as CloudWatch takes.
func batches(all []event) [][]event {
	var batches [][]event
	size, first := 0, 0
	for i, e := range all {
		cost := len(*e.Message) + overhead
		if i > first && (i-first == mostEvents || size+cost > mostBytes || *e.Timestamp-*all[first].Timestamp >= longestSpan) {
			batches = append(batches, all[first:i])
			size, first = 0, i
		}
		size += cost
	}
	if first < len(all) {
		batches = append(batches, all[first:])
	}
	return batches
}
