package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// HCLFile is the name of a stack's file when it is synthesized as HCL.
const HCLFile = "cdk.tf"

// wildcards is the one check of tfsec that does not count. What it says of a policy depends on how many references tfsec
// happens to resolve: of seven documents alike it reports one. Checkov judges the same documents (CKV_AWS_107 to 111, 356).
const wildcards = "aws-iam-no-policy-wildcards"

// Tfsec runs the scanner. It reads HCL, because in JSON it does not see nested blocks.
type Tfsec struct {
	Path string // of the program
	HCL  string // the folder with a folder for each stack, synthesized with SYNTH_HCL_OUTPUT=true
}

// Scan runs tfsec on each stack. It scans copies in a folder of its own, so that nobody's settings change the outcome.
func (t Tfsec) Scan(ctx context.Context, stacks []Stack) (Report, error) {
	program, err := program(t.Path, "-tfsec")
	if err != nil {
		return Report{}, err
	}
	work, err := os.MkdirTemp("", "scan-")
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(work)
	report := Report{Scanner: "tfsec", Unparsed: map[string]string{}}
	for _, stack := range stacks {
		if stack.Invalid != "" {
			continue
		}
		text, err := t.hcl(stack)
		if err != nil {
			report.Unparsed[stack.Name] = err.Error()
			continue
		}
		folder := filepath.Join(work, stack.Name)
		if err := os.Mkdir(folder, 0o755); err != nil {
			return Report{}, err
		}
		if err := os.WriteFile(filepath.Join(folder, HCLFile), text, 0o644); err != nil {
			return Report{}, err
		}
		if err := report.addTfsec(ctx, program, folder); err != nil {
			return Report{}, err
		}
	}
	return report, nil
}

// hcl returns the stack's HCL in a form that parses. HCL of other code than the JSON is refused.
func (t Tfsec) hcl(stack Stack) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(t.HCL, stack.Name, HCLFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read its HCL (%w): make scan synthesizes it", err)
	}
	if missing := stack.differs(text); missing != "" {
		return nil, fmt.Errorf("%s is in only one of its JSON and its HCL: make synth, then make scan", missing)
	}
	return escape(text), nil
}

var header = regexp.MustCompile(`(?m)^(?:resource|(data|module)) "([^"]+)"(?: "([^"]+)")? \{`)

// differs returns an address that only one of the stack's JSON and this HCL has, or nothing.
func (s Stack) differs(text []byte) string {
	var inHCL, inJSON []string
	for _, match := range header.FindAllSubmatch(text, -1) {
		inHCL = append(inHCL, strings.Trim(string(bytes.Join(match[1:], []byte("."))), "."))
	}
	for _, element := range s.Elements {
		if !isProvider(element.Address) {
			inJSON = append(inJSON, element.Address)
		}
	}
	for _, pair := range [][2][]string{{inJSON, inHCL}, {inHCL, inJSON}} {
		for _, address := range pair[0] {
			if !slices.Contains(pair[1], address) {
				return address
			}
		}
	}
	return ""
}

var quoted = regexp.MustCompile(`^(\s*(?:(?:"[^"]+"|[\w-]+) = )?")(.*)(",?)$`)

// escape mends what cdktf writes: it leaves a string that holds an expression as it is, quotes and all. Each such string
// is a line of its own; a heredoc, which a string of several lines becomes, is right already.
func escape(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	heredoc := false
	for i, line := range lines {
		switch {
		case heredoc:
			heredoc = line != "EOF"
		case strings.HasSuffix(line, "<<EOF"):
			heredoc = true
		case strings.Contains(line, "${"):
			if part := quoted.FindStringSubmatch(line); part != nil {
				lines[i] = part[1] + escapeTemplate(part[2]) + part[3]
			}
		}
	}
	return []byte(strings.Join(lines, "\n"))
}

// escapeTemplate escapes a template's text, and not its expressions, for use between quotes.
func escapeTemplate(template string) string {
	tokens, diagnostics := hclsyntax.LexTemplate([]byte(template), "", hcl.InitialPos)
	if diagnostics.HasErrors() {
		return template // tfsec says what is wrong with it
	}
	var escaped strings.Builder
	at := 0
	for _, token := range tokens {
		text := string(token.Bytes)
		if token.Type == hclsyntax.TokenStringLit {
			text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		}
		escaped.WriteString(template[at:token.Range.Start.Byte] + text)
		at = token.Range.End.Byte
	}
	return escaped.String()
}

// scanFailed is what tfsec says of a file that does not parse, with the file's name, place and the reason.
var scanFailed = regexp.MustCompile(`scan failed: \S*/(cdk\.tf:.*)`)

// addTfsec scans the stack in this folder.
func (r *Report) addTfsec(ctx context.Context, program, folder string) error {
	stack := filepath.Base(folder)
	cmd := exec.CommandContext(ctx, program, folder, "--format", "json", "--include-passed", "--soft-fail", "--no-ignores",
		"--no-module-downloads", "--no-colour", "--exclude", wildcards)
	cmd.Dir = folder
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return r.parseTfsec(stack, stdout.Bytes())
	}
	if match := scanFailed.FindSubmatch(stdout.Bytes()); match != nil {
		r.Unparsed[stack] = string(match[1])
		return nil
	}
	return fmt.Errorf("%s failed (%w): %s; run make tools to install it again",
		program, err, excerpt(stdout.Bytes(), stderr.Bytes()))
}

// parseTfsec adds the outcomes in tfsec's JSON.
func (r *Report) parseTfsec(stack string, data []byte) error {
	var output struct {
		Results []struct {
			ID       string   `json:"long_id"`
			Name     string   `json:"rule_description"`
			Links    []string `json:"links"`
			Status   int      `json:"status"`
			Resource string   `json:"resource"`
		} `json:"results"`
	}
	if err := json.Unmarshal(data, &output); err != nil {
		return fmt.Errorf("tfsec printed no JSON report of stack %s (%w): %s", stack, err, excerpt(data))
	}
	for _, result := range output.Results {
		outcome := Failed
		if result.Status == 1 {
			outcome = Passed
		}
		check := Check{Stack: stack, Resource: block(result.Resource), ID: result.ID, Name: result.Name, Outcome: outcome}
		if len(result.Links) > 0 {
			check.Link = result.Links[0]
		}
		r.Checks = append(r.Checks, check)
	}
	return nil
}

// block cuts an attribute off an address: aws_db_instance.shop.deletion_protection.
func block(address string) string {
	parts := 2
	if strings.HasPrefix(address, "data.") {
		parts = 3
	}
	all := strings.Split(address, ".")
	return strings.Join(all[:min(parts, len(all))], ".")
}

// program finds a scanner.
func program(path, flag string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return "", fmt.Errorf("no program at %q (%w): run make tools, or name it with %s", path, err, flag)
	}
	return filepath.Abs(found)
}
