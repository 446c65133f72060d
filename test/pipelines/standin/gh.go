package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"aws-microservices/test/pipelines/github"
)

// gh is GitHub's command, as far as the workflows use it.
func gh(arguments []string) error {
	if os.Getenv("GH_TOKEN") == "" {
		return errors.New("set the GH_TOKEN environment variable")
	}
	if len(arguments) == 0 {
		return errors.New("name a command")
	}
	if arguments[0] == "api" {
		return api(arguments[1:])
	}
	if len(arguments) < 2 {
		return fmt.Errorf("gh %s: name a command", arguments[0])
	}
	command := arguments[0] + " " + arguments[1]
	do, known := map[string]func(*call) error{
		"pr comment":         prComment,
		"pr view":            prView,
		"run list":           runList,
		"run download":       runDownload,
		"issue list":         issueList,
		"issue create":       issueCreate,
		"issue edit":         issueEdit,
		"issue close":        issueClose,
		"attestation verify": attestationVerify,
	}[command]
	if !known {
		return fmt.Errorf("the stand-in knows no gh %s", command)
	}
	return do(&call{FlagSet: flag.NewFlagSet("gh "+command, flag.ContinueOnError), given: arguments[2:]})
}

// call is one use of gh: flags may stand before and after what they are about.
type call struct {
	*flag.FlagSet
	given []string
	args  []string
}

// parse reads the flags, between which stand as many arguments as are wanted.
func (c *call) parse(wanted int) error {
	c.SetOutput(io.Discard)
	// The repository is this one, wherever gh is called.
	repository := c.String("repo", github.Repository, "")
	c.StringVar(repository, "R", github.Repository, "")
	for rest := c.given; len(rest) > 0; {
		if err := c.Parse(rest); err != nil {
			return fmt.Errorf("%s: %w", c.Name(), err)
		}
		rest = c.Args()
		if len(rest) > 0 {
			c.args, rest = append(c.args, rest[0]), rest[1:]
		}
	}
	if len(c.args) != wanted {
		return fmt.Errorf("%s: wants %d arguments, not %q", c.Name(), wanted, c.args)
	}
	if *repository != github.Repository {
		return fmt.Errorf("%s: there is no repository %q", c.Name(), *repository)
	}
	return nil
}

// show prints the fields that are asked for, through jq where that is asked for.
func show(value any, fields, jq string) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if fields != "" {
		if text, err = pick(text, strings.Split(fields, ",")); err != nil {
			return err
		}
	}
	return printJSON(text, jq)
}

func printJSON(text []byte, jq string) error {
	if jq == "" {
		_, err := fmt.Printf("%s\n", text)
		return err
	}
	cmd := exec.Command("jq", "--raw-output", "--compact-output", jq)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), os.Stdout, os.Stderr
	return cmd.Run()
}

// pick keeps the fields of an object, or of each in a list, and refuses those that gh does not have.
func pick(text []byte, fields []string) ([]byte, error) {
	if strings.HasPrefix(string(text), "[") {
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		for i := range list {
			picked, err := pick(list[i], fields)
			if err != nil {
				return nil, err
			}
			list[i] = picked
		}
		return json.Marshal(list)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	picked := map[string]json.RawMessage{}
	for _, field := range fields {
		value, known := object[field]
		if !known {
			return nil, fmt.Errorf("Unknown JSON field: %q", field)
		}
		picked[field] = value
	}
	return json.Marshal(picked)
}

// pull is a pull request as gh shows it.
func pull(p github.Pull) map[string]any {
	labels := []map[string]string{}
	for _, label := range p.Labels {
		labels = append(labels, map[string]string{"name": label})
	}
	state := "OPEN"
	var merge any
	if p.Merge != "" {
		state, merge = "MERGED", map[string]string{"oid": p.Merge}
	}
	return map[string]any{
		"number": p.Number, "headRefOid": p.Head, "headRefName": p.HeadRef, "baseRefName": "main", "labels": labels, "state": state, "mergeCommit": merge,
	}
}

func findPull(s *github.State, number string) (*github.Pull, error) {
	for i := range s.Pulls {
		if strconv.Itoa(s.Pulls[i].Number) == number {
			return &s.Pulls[i], nil
		}
	}
	return nil, fmt.Errorf("no pull requests found for %q", number)
}

// longest is what GitHub takes for a comment or an issue.
const longest = 65536

func prComment(c *call) error {
	file := c.String("body-file", "", "")
	last := c.Bool("edit-last", false, "")
	create := c.Bool("create-if-none", false, "")
	if err := c.parse(1); err != nil {
		return err
	}
	body, err := bodyOf(*file)
	if err != nil {
		return err
	}
	return store().Update(func(s *github.State) error {
		p, err := findPull(s, c.args[0])
		switch {
		case err != nil:
			return err
		case *last && len(p.Comments) > 0:
			p.Comments[len(p.Comments)-1] = body
		case *last && !*create:
			return errors.New("no comments found for current user")
		default:
			p.Comments = append(p.Comments, body)
		}
		return nil
	})
}

func bodyOf(file string) (string, error) {
	text, err := os.ReadFile(file)
	if file == "-" {
		text, err = io.ReadAll(os.Stdin)
	}
	if err == nil && (len(text) == 0 || len([]rune(string(text))) > longest) {
		err = fmt.Errorf("the body has %d characters: GitHub takes 1 to %d", len(text), longest)
	}
	return string(text), err
}

func prView(c *call) error {
	fields, jq := c.String("json", "", ""), c.String("jq", "", "")
	if err := c.parse(1); err != nil {
		return err
	}
	s, err := store().Read()
	if err != nil {
		return err
	}
	p, err := findPull(&s, c.args[0])
	if err != nil {
		return err
	}
	return show(pull(*p), *fields, *jq)
}

func runList(c *call) error {
	workflow, commit := c.String("workflow", "", ""), c.String("commit", "", "")
	event, status := c.String("event", "", ""), c.String("status", "", "")
	branch := c.String("branch", "", "")
	fields, jq := c.String("json", "", ""), c.String("jq", "", "")
	limit := c.Int("limit", 20, "")
	// Runs have no times here.
	c.String("created", "", "")
	if err := c.parse(0); err != nil {
		return err
	}
	s, err := store().Read()
	if err != nil {
		return err
	}
	found := []map[string]any{}
	for _, r := range slices.Backward(s.Runs) {
		is := func(wanted, value string) bool { return wanted == "" || wanted == value }
		if is(*workflow, r.Workflow) && is(*commit, r.Commit) && is(*event, r.Event) && is(*status, r.Conclusion) && is(*branch, r.Branch) && len(found) < *limit {
			found = append(found, map[string]any{
				"databaseId": r.ID, "headSha": r.Commit, "event": r.Event, "conclusion": r.Conclusion, "attempt": 1,
			})
		}
	}
	return show(found, *fields, *jq)
}

func runDownload(c *call) error {
	var names []string
	add := func(name string) error { names = append(names, name); return nil }
	c.Func("name", "", add)
	c.Func("n", "", add)
	dir := c.String("dir", ".", "")
	c.StringVar(dir, "D", ".", "")
	if err := c.parse(1); err != nil {
		return err
	}
	id, err := strconv.Atoi(c.args[0])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := fetch(id, name, *dir); err != nil {
			return err
		}
	}
	return nil
}

func issueList(c *call) error {
	label, state := c.String("label", "", ""), c.String("state", "open", "")
	fields, jq := c.String("json", "", ""), c.String("jq", "", "")
	c.Int("limit", 30, "")
	if err := c.parse(0); err != nil {
		return err
	}
	s, err := store().Read()
	if err != nil {
		return err
	}
	found := []map[string]any{}
	for _, i := range s.Issues {
		if (*label == "" || slices.Contains(i.Labels, *label)) && (*state == "all" || i.Open == (*state == "open")) {
			found = append(found, map[string]any{"number": i.Number, "title": i.Title, "body": i.Body})
		}
	}
	return show(found, *fields, *jq)
}

func issueCreate(c *call) error {
	title, file, label := c.String("title", "", ""), c.String("body-file", "", ""), c.String("label", "", "")
	if err := c.parse(0); err != nil {
		return err
	}
	body, err := bodyOf(*file)
	if err != nil {
		return err
	}
	return store().Update(func(s *github.State) error {
		s.Issues = append(s.Issues, github.Issue{
			Number: 100 + len(s.Issues), Title: *title, Body: body, Labels: strings.Split(*label, ","), Open: true,
		})
		return nil
	})
}

// changeIssue changes the issue that the call names.
func changeIssue(c *call, change func(*github.Issue) error) error {
	return store().Update(func(s *github.State) error {
		for i := range s.Issues {
			if strconv.Itoa(s.Issues[i].Number) == c.args[0] {
				return change(&s.Issues[i])
			}
		}
		return fmt.Errorf("there is no issue %s", c.args[0])
	})
}

func issueEdit(c *call) error {
	title, file := c.String("title", "", ""), c.String("body-file", "", "")
	if err := c.parse(1); err != nil {
		return err
	}
	body, err := bodyOf(*file)
	if err != nil {
		return err
	}
	return changeIssue(c, func(i *github.Issue) error {
		i.Body = body
		if *title != "" {
			i.Title = *title
		}
		return nil
	})
}

func issueClose(c *call) error {
	comment := c.String("comment", "", "")
	if err := c.parse(1); err != nil {
		return err
	}
	return changeIssue(c, func(i *github.Issue) error {
		i.Open, i.Comments = false, append(i.Comments, *comment)
		return nil
	})
}

// attestationVerify fails unless this repository said of the image how it was made.
func attestationVerify(c *call) error {
	predicate := c.String("predicate-type", "https://slsa.dev/provenance/v1", "")
	c.String("signer-workflow", "", "")
	c.String("source-ref", "", "")
	c.String("source-digest", "", "")
	c.Bool("bundle-from-oci", false, "")
	if err := c.parse(1); err != nil {
		return err
	}
	image, wanted, is := strings.Cut(strings.TrimPrefix(c.args[0], "oci://"), "@")
	if !is || !digest.MatchString(wanted) {
		return fmt.Errorf("%q names no digest", c.args[0])
	}
	s, err := store().Read()
	if err != nil {
		return err
	}
	for _, a := range s.Attestations {
		if a.Image == image && a.Digest == wanted && a.Predicate == *predicate {
			fmt.Println("Verification succeeded!")
			return nil
		}
	}
	return fmt.Errorf("no attestation of %s with the predicate %s", c.args[0], *predicate)
}

// paths are what gh api is asked for.
var (
	jobsPath    = regexp.MustCompile(`^/?repos/` + github.Repository + `/actions/runs/(\d+)(?:/attempts/1)?/jobs(?:\?.*)?$`)
	logsPath    = regexp.MustCompile(`^/?repos/` + github.Repository + `/actions/jobs/(\d+)/logs$`)
	comparePath = regexp.MustCompile(`^/?repos/` + github.Repository + `/compare/([0-9a-f]{40})\.\.\.([0-9a-f]{40})$`)
	pullsPath   = regexp.MustCompile(`^/?repos/` + github.Repository + `/commits/([0-9a-f]{40})/pulls$`)
)

// compare tells what the second commit is to the first.
func compare(first, second string) (string, error) {
	if first == second {
		return "identical", nil
	}
	base, err := exec.Command("git", "-C", variable("CHECKOUT_SOURCE"), "merge-base", first, second).Output()
	switch strings.TrimSpace(string(base)) {
	case first:
		return "ahead", err
	case second:
		return "behind", err
	}
	return "diverged", err
}

func api(arguments []string) error {
	c := &call{FlagSet: flag.NewFlagSet("gh api", flag.ContinueOnError), given: arguments}
	jq := c.String("jq", "", "")
	c.Bool("paginate", false, "")
	if err := c.parse(1); err != nil {
		return err
	}
	path := c.args[0]
	if m := jobsPath.FindStringSubmatch(path); m != nil {
		id, _ := strconv.Atoi(m[1])
		jobs, err := store().Jobs(id)
		if err != nil {
			return err
		}
		return show(map[string]any{"total_count": len(jobs), "jobs": jobs}, "", *jq)
	}
	if m := logsPath.FindStringSubmatch(path); m != nil {
		id, _ := strconv.Atoi(m[1])
		jobs, err := store().Jobs(id / 1000)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID == id && j.Status == "completed" {
				_, err := os.Stdout.WriteString(j.Log)
				return err
			}
		}
		return errors.New("gh: Not Found (HTTP 404)")
	}
	if m := pullsPath.FindStringSubmatch(path); m != nil {
		s, err := store().Read()
		if err != nil {
			return err
		}
		found := []map[string]any{}
		for _, p := range s.Pulls {
			if p.Merge == m[1] || p.Head == m[1] {
				var labels []map[string]string
				for _, l := range p.Labels {
					labels = append(labels, map[string]string{"name": l})
				}
				found = append(found, map[string]any{
					"number": p.Number, "head": map[string]any{"sha": p.Head, "ref": p.HeadRef}, "merge_commit_sha": p.Merge, "labels": labels,
					"merged_at": map[bool]any{true: "2026-01-01T00:00:00Z", false: nil}[p.Merge != ""],
				})
			}
		}
		return show(found, "", *jq)
	}
	if m := comparePath.FindStringSubmatch(path); m != nil {
		status, err := compare(m[1], m[2])
		if err != nil {
			return err
		}
		return show(map[string]any{"status": status}, "", *jq)
	}
	return fmt.Errorf("the stand-in knows no path %s", path)
}
