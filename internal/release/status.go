package release

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"aws-microservices/stacks"
)

// Status is how an environment's services are.
type Status struct {
	Environment string `json:"environment"`
	AccountID   string `json:"accountId"`
	Region      string `json:"region"`
	Services    []Row  `json:"services"`
}

// Row is one service.
type Row struct {
	Service string    `json:"service"`
	Kind    string    `json:"kind"`
	Version string    `json:"version"`
	Digest  string    `json:"digest,omitempty"`
	Commit  string    `json:"commit,omitempty"`
	Since   time.Time `json:"since"`
	By      string    `json:"by"`
	Running int       `json:"running"`
	Desired int       `json:"desired"`
	// State is one word; Problems say what is wrong, and what to do about it.
	State    string   `json:"state"`
	Problems []string `json:"problems,omitempty"`
}

// Status looks at every service of an environment.
func (r Releaser) Status(ctx context.Context, environment string) (Status, error) {
	t, err := r.Enter(ctx, environment)
	if err != nil {
		return Status{}, err
	}
	s := Status{Environment: t.Name, AccountID: t.AccountID, Region: t.Region}
	for _, one := range r.Config.Platform.Services {
		seen, err := observe(ctx, openCloud(t, one), one)
		if err != nil {
			return s, err
		}
		s.Services = append(s.Services, seen.row(one, t.Name))
	}
	if HasSite(r.Config.Platform) {
		page, err := r.openSite(t).Current(ctx)
		if err != nil {
			return s, err
		}
		s.Services = append(s.Services, pageRow(page))
	}
	return s, nil
}

// sight is a service with its ledger and its task definition, seen at one time.
type sight struct {
	history []Entry
	// newest is the newest revision, running the one that the service is on.
	newest, running revision
	state           state
}

func observe(ctx context.Context, w world, s stacks.Service) (seen sight, err error) {
	if seen.history, err = w.history(ctx); err != nil {
		return seen, err
	}
	if seen.newest, err = w.newest(ctx); err != nil {
		return seen, err
	}
	seen.running = seen.newest
	if !s.Kind.LongRunning() {
		return seen, nil
	}
	if seen.state, err = w.look(ctx); err != nil {
		return seen, err
	}
	if arn := seen.state.primary().Revision; arn != "" && arn != seen.newest.ARN {
		seen.running, err = w.revision(ctx, arn)
	}
	return seen, err
}

// disagreements are what ledger, task definition and service do not agree on, and what brings them together.
func (s sight) disagreements(one stacks.Service, environment string) []string {
	ledger, name := last(s.history), one.Name
	runs := "the service runs"
	if !one.Kind.LongRunning() {
		runs = "what starts next is"
	}
	running := labelled(s.history, s.running.Image)
	switch {
	case s.running.Image != ledger.Value:
		return []string{fmt.Sprintf("the ledger says %s (%s), %s %s (%s): ./deploy.sh deploy %s %s %s",
			ledger.name(), short(ledger.Value), runs, running.name(), short(s.running.Image), environment, name, ledger.name())}
	case s.newest.Image != s.running.Image:
		return []string{fmt.Sprintf("%s, the newest revision, has another image than the service runs: ./deploy.sh deploy %s %s %s",
			tail(s.newest.ARN), environment, name, ledger.name())}
	case s.newest.ARN != s.running.ARN && !s.state.deploys():
		return []string{fmt.Sprintf("the service runs %s and not the newest, %s: a change of Terraform was rolled back",
			tail(s.running.ARN), tail(s.newest.ARN))}
	}
	return nil
}

func (s sight) row(one stacks.Service, environment string) Row {
	ledger := last(s.history)
	row := Row{
		Service: one.Name, Kind: string(one.Kind), Version: ledger.name(), Commit: ledger.Commit, Since: ledger.At, By: person(ledger.By),
		Running: s.state.Running, Desired: s.state.Desired, State: string(one.Kind),
	}
	if released(ledger.Value) {
		row.Digest = digest(ledger.Value)
	}
	primary := s.state.primary()
	if one.Kind.LongRunning() {
		switch {
		case s.state.Status != "ACTIVE":
			row.State = strings.ToLower(s.state.Status)
			row.Problems = append(row.Problems, "the service is "+row.State)
		case s.state.deploys():
			row.State = "deploys"
		case primary.Rollout == failedRollout:
			row.State = "failed"
			row.Problems = append(row.Problems, fmt.Sprintf("deployment %s failed: %s", primary.ID, primary.Reason))
		case !released(ledger.Value) && s.state.Desired == 0:
			row.State = "unreleased"
		case s.state.Running < s.state.Desired:
			row.State = "short"
			row.Problems = append(row.Problems, fmt.Sprintf("%d of %d tasks run", s.state.Running, s.state.Desired))
		case s.state.Desired == 0:
			row.State = "at zero"
		default:
			row.State = string(Serves)
		}
	}
	if !s.state.deploys() {
		row.Problems = append(row.Problems, s.disagreements(one, environment)...)
	}
	return row
}

func pageRow(e Entry) Row {
	row := Row{Service: Web, Kind: "page", State: "page", Version: e.name(), Commit: e.Commit, Since: e.At, By: person(e.By)}
	if e.Value == "" {
		row.State = "unreleased"
	}
	return row
}

// width is the columns of a terminal that Print fits into.
const width = 80

// Print writes the status as a table.
func (s Status) Print(w io.Writer) {
	fmt.Fprintf(w, "%s: account %s, %s\n\n", s.Environment, s.AccountID, s.Region)
	rows := [][]string{{"SERVICE", "VERSION", "DIGEST", "COMMIT", "SINCE (UTC)", "BY", "TASKS", "STATE"}}
	for _, r := range s.Services {
		tasks, since := "-", "-"
		if r.Desired > 0 || r.Running > 0 {
			tasks = fmt.Sprintf("%d/%d", r.Running, r.Desired)
		}
		version, by := r.Version, r.By
		switch {
		case r.State == "unreleased", r.Digest == "" && r.Kind != "page":
			version, by = "-", "-"
		case !r.Since.IsZero():
			since = r.Since.UTC().Format("01-02 15:04")
		}
		mark := ""
		if len(r.Problems) > 0 {
			mark = " !"
		}
		rows = append(rows, []string{
			r.Service, shortCommit(version), short("@" + r.Digest), firstOf(r.Commit[:min(len(r.Commit), 7)], "-"), since, firstOf(by, "-"),
			tasks, r.State + mark,
		})
	}
	// What is too wide is cut where most is to be had: at the names of versions and people.
	table(w, rows, []int{12, 14, 7, 7, 11, 10, 5, 12})
	for _, r := range s.Services {
		for _, problem := range r.Problems {
			fmt.Fprint(w, "\n"+wrap("! "+r.Service+": "+problem, width))
		}
		if r.State == "unreleased" {
			fmt.Fprint(w, "\n"+wrap(fmt.Sprintf("%s waits for its first release: ./deploy.sh deploy %s %s VERSION", r.Service, s.Environment, r.Service), width))
		}
	}
	fmt.Fprintln(w)
}

// shortCommit cuts the hash in a version's name.
func shortCommit(version string) string {
	if hash, found := strings.CutPrefix(version, "commit-"); found {
		return "commit-" + hash[:min(len(hash), 7)]
	}
	return version
}

// table writes rows in columns, each as wide as it needs and no wider than most, without blanks at the ends of lines.
func table(w io.Writer, rows [][]string, most []int) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = min(max(widths[i], utf8.RuneCountInString(cell)), most[i])
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if utf8.RuneCountInString(cell) > widths[i] {
				cell = string([]rune(cell)[:widths[i]-1]) + "…"
			}
			fmt.Fprintf(&line, "%s%*s ", cell, widths[i]-utf8.RuneCountInString(cell), "")
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// wrap breaks a text into lines of a width, all but the first indented. A word that is longer stands alone.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+utf8.RuneCountInString(word) > width:
			b.WriteString("\n  ")
			column = 2
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += utf8.RuneCountInString(word)
	}
	b.WriteByte('\n')
	return b.String()
}

// PrintHistory writes what was released as a table, newest first.
func PrintHistory(w io.Writer, history []Entry) {
	rows := [][]string{{"ENTRY", "WHEN (UTC)", "VERSION", "DIGEST", "COMMIT", "BY", "NOTE"}}
	for _, e := range history {
		commit := e.Commit[:min(len(e.Commit), 7)]
		rows = append(rows, []string{
			fmt.Sprint(e.Number), e.At.UTC().Format("2006-01-02 15:04"), shortCommit(e.name()), short(e.Value), firstOf(commit, "-"),
			firstOf(person(e.By), "-"), e.Note,
		})
	}
	table(w, rows, []int{5, 16, 14, 7, 7, 14, 200})
}
