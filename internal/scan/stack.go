package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// File is the name of the file in each stack's folder that is scanned.
const File = "cdk.tf.json"

// Exception says why a finding of one check, or one vulnerability, is right to ignore, and until when.
type Exception struct {
	ID      string `json:"id"`
	Reason  string `json:"reason"`
	Expires string `json:"expires"` // the day from which it counts no longer, as 2027-11-30
}

// Element is a block of a stack that scanners judge: a resource, a data source, a module, or all providers of a type.
type Element struct {
	Address    string // Terraform's: aws_s3_bucket.logs, data.aws_iam_policy_document.read, provider.aws, module.vpc
	Path       string // the construct's; the address where the JSON holds none
	Exceptions []Exception
	Malformed  string // why its exceptions could not be read; empty when they were

	names []string // what a scanner may call it
	line  int      // where it begins in the JSON
}

// label is the element as messages name it.
func (e Element) label() string {
	if e.Path == e.Address {
		return e.Address
	}
	return e.Path + " (" + e.Address + ")"
}

// Stack is the synthesized JSON of one stack and what the gate needs of it.
type Stack struct {
	Name     string
	Elements []Element // by address
	Invalid  string    // why the stack could not be read; empty when it was

	json []byte
}

// LoadStacks reads the stacks below dir, a folder for each. A stack that cannot be read is returned with the reason, so
// that it is reported together with all other problems; an error means that there is nothing to scan at all.
func LoadStacks(dir string) ([]Stack, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no folder %s: synthesize the stacks (make synth) or name their folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the stacks: %w", err)
	}
	var stacks []Stack
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			stacks = append(stacks, loadStack(dir, entry.Name()))
		}
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("no stack in %s: synthesize the stacks (make synth) or name their folder", dir)
	}
	return stacks, nil
}

func loadStack(dir, name string) Stack {
	data, err := os.ReadFile(filepath.Join(dir, name, File))
	if errors.Is(err, fs.ErrNotExist) {
		return Stack{Name: name, Invalid: "it holds no " + File}
	}
	if err != nil {
		return Stack{Name: name, Invalid: err.Error()}
	}
	stack, err := ParseStack(name, data)
	if err != nil {
		return Stack{Name: name, Invalid: err.Error()}
	}
	return stack
}

// ParseStack reads a stack's JSON.
func ParseStack(name string, data []byte) (Stack, error) {
	var document struct {
		Resource map[string]map[string]json.RawMessage `json:"resource"`
		Data     map[string]map[string]json.RawMessage `json:"data"`
		Module   map[string]json.RawMessage            `json:"module"`
		Provider map[string]blocks                     `json:"provider"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return Stack{}, fmt.Errorf("%s is not a stack's JSON: %w", File, err)
	}
	stack := Stack{Name: name, json: data}
	add := func(address string, names []string, bodies ...json.RawMessage) {
		stack.Elements = append(stack.Elements, newElement(address, names, bodies))
	}
	// Checkov's graph checks name a block type.name, its other checks name it by the kind of block and the name alone.
	for kind, byName := range document.Resource {
		for name, body := range byName {
			add(kind+"."+name, []string{kind + "." + name, "resource." + name}, body)
		}
	}
	for kind, byName := range document.Data {
		for name, body := range byName {
			address := "data." + kind + "." + name
			add(address, []string{address, kind + "." + name, "data." + name}, body)
		}
	}
	for name, body := range document.Module {
		add("module."+name, []string{"module." + name}, body)
	}
	// Providers of a type, with whatever alias, all have the same name.
	for kind, bodies := range document.Provider {
		add("provider."+kind, []string{"provider." + kind}, bodies...)
	}
	for i, element := range stack.Elements {
		stack.Elements[i].line = lineOf(data, element.Address)
	}
	sort.Slice(stack.Elements, func(i, j int) bool { return stack.Elements[i].Address < stack.Elements[j].Address })
	return stack, nil
}

// lineOf returns the line of the JSON on which an element begins, the first where the name is not found. The name, which is
// unique in what cdktf writes, is looked for as a key.
func lineOf(data []byte, address string) int {
	name := address[strings.LastIndex(address, ".")+1:]
	before, _, found := bytes.Cut(data, []byte(`"`+name+`": `))
	if !found {
		return 1
	}
	return 1 + bytes.Count(before, []byte("\n"))
}

// blocks are written as a list, or as the one block alone.
type blocks []json.RawMessage

// UnmarshalJSON implements json.Unmarshaler.
func (b *blocks) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, (*[]json.RawMessage)(b))
	}
	*b = blocks{slices.Clone(data)}
	return nil
}

func newElement(address string, names []string, bodies []json.RawMessage) Element {
	element := Element{Address: address, Path: address, names: names}
	for _, body := range bodies {
		var block struct {
			Comment struct {
				Metadata struct {
					Path string `json:"path"`
				} `json:"metadata"`
				Exceptions json.RawMessage `json:"exceptions"`
			} `json:"//"`
		}
		if err := json.Unmarshal(body, &block); err != nil {
			element.Malformed = err.Error()
			continue
		}
		if block.Comment.Metadata.Path != "" {
			element.Path = block.Comment.Metadata.Path
		}
		exceptions, err := parseExceptions(block.Comment.Exceptions)
		if err != nil {
			element.Malformed = err.Error()
		}
		element.Exceptions = append(element.Exceptions, exceptions...)
	}
	return element
}

func parseExceptions(data json.RawMessage) ([]Exception, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var exceptions []Exception
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&exceptions); err != nil {
		return nil, err
	}
	for _, exception := range exceptions {
		if exception.ID == "" {
			return nil, errors.New("an exception has no id")
		}
	}
	return exceptions, nil
}

// scannable returns the stack's JSON without what Checkov's parser stumbles over and has no check for: settings of the
// terraform block that are no blocks (required_version), and the top-level lists that move, import and remove resources.
func (s Stack) scannable() ([]byte, error) {
	var document map[string]json.RawMessage
	if err := json.Unmarshal(s.json, &document); err != nil {
		return nil, err
	}
	for _, list := range []string{"moved", "import", "removed"} {
		delete(document, list)
	}
	var settings map[string]json.RawMessage
	if json.Unmarshal(document["terraform"], &settings) == nil {
		for key, value := range settings {
			if value[0] != '{' {
				delete(settings, key)
			}
		}
		stripped, err := json.Marshal(settings)
		if err != nil {
			return nil, err
		}
		document["terraform"] = stripped
	}
	// Checkov quotes the lines of a block beside each of its checks, so each setting has to have a line of its own.
	return json.MarshalIndent(document, "", " ")
}
