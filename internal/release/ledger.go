package release

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"aws-microservices/constructs/service"
)

// longestDescription is how much SSM keeps of a parameter's description.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
const longestDescription = 1024

// Label says what a value of the ledger is. It is the description of the parameter's version.
type Label struct {
	Version string `json:"version,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Note    string `json:"note,omitempty"`
	// RolledBack is the value that was left with this one, because it failed or somebody went back from it.
	RolledBack string `json:"rolledBack,omitempty"`
}

// ParseLabel reads a description. One that is no label, as Terraform's before the first release, is the note.
func ParseLabel(description string) Label {
	var l Label
	if json.Unmarshal([]byte(description), &l) != nil {
		return Label{Note: description}
	}
	return l
}

// String is the label as a description, its note cut where it is too long.
func (l Label) String() string {
	for {
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(l); err != nil {
			panic(err) // only a type that JSON does not know could fail
		}
		description := strings.TrimSpace(text.String())
		note := []rune(l.Note)
		// SSM counts characters; those beyond the first plane count as two somewhere, so bytes are the safe measure.
		if len(description) <= longestDescription || len(note) == 0 {
			return description
		}
		l.Note = string(note[:len(note)*3/4]) + "…"
		if len(note) < 8 {
			l.Note = ""
		}
	}
}

// Entry is one version of a parameter of the ledger.
type Entry struct {
	// Number is AWS's, from 1.
	Number int64 `json:"number"`
	// Value is what was released: an image by digest, or a release of the page.
	Value string `json:"value"`
	Label
	// By is the ARN of who wrote it.
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// released tells whether an image is one that a release wrote: by digest. Before the first release it is a placeholder.
func released(image string) bool { return strings.Contains(image, "@sha256:") }

// placeholder tells whether an image stands for none, until the first release.
func placeholder(image string) bool {
	return strings.HasSuffix(image, strings.TrimPrefix(service.Unreleased("", ""), "/"))
}

// digest is that of an image by digest, or the image itself.
func digest(image string) string {
	_, d, found := strings.Cut(image, "@")
	if !found {
		return image
	}
	return d
}

// short is enough of a digest to tell it from others.
func short(image string) string {
	d, found := strings.CutPrefix(digest(image), "sha256:")
	if !found {
		return "-"
	}
	return d[:min(len(d), 7)]
}

// name is what people call the entry.
func (e Entry) name() string {
	switch {
	case e.Version != "":
		return e.Version
	case released(e.Value):
		return short(e.Value)
	}
	return "no release"
}

// last is the newest entry.
func last(history []Entry) Entry {
	if len(history) == 0 {
		return Entry{}
	}
	return history[len(history)-1]
}

// labelled is the newest entry of a value.
func labelled(history []Entry, value string) Entry {
	for _, e := range slices.Backward(history) {
		if e.Value == value {
			return e
		}
	}
	return Entry{Value: value}
}

// previous is the newest entry before the current value that was not rolled back: where a rollback goes by itself.
func previous(history []Entry) (Entry, bool) {
	current := last(history).Value
	left := map[string]bool{current: true}
	for _, e := range slices.Backward(history) {
		if !left[e.Value] {
			return e, true
		}
		// What was left with this entry came before it, and may have been released anew after it.
		if e.RolledBack != "" {
			left[e.RolledBack] = true
		}
	}
	return Entry{}, false
}

// ledger is the parameter that holds a service's image.
type ledger struct {
	name string
	ssm  *ssm.Client
}

func (l ledger) history(ctx context.Context) ([]Entry, error) {
	var all []Entry
	pages := ssm.NewGetParameterHistoryPaginator(l.ssm, &ssm.GetParameterHistoryInput{Name: &l.name, MaxResults: aws.Int32(50)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isA[*ssmtypes.ParameterNotFound](err) {
			return nil, Refused("there is no parameter %s: Terraform makes it, make deploy", l.name)
		}
		if err != nil {
			return nil, fmt.Errorf("ledger %s: %w", l.name, err)
		}
		for _, p := range page.Parameters {
			all = append(all, Entry{
				Number: p.Version, Value: aws.ToString(p.Value), Label: ParseLabel(aws.ToString(p.Description)),
				By: aws.ToString(p.LastModifiedUser), At: aws.ToTime(p.LastModifiedDate),
			})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return int(a.Number - b.Number) })
	return all, nil
}

func (l ledger) write(ctx context.Context, value string, label Label) (int64, error) {
	written, err := l.ssm.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &l.name, Value: &value, Description: aws.String(label.String()), Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return 0, fmt.Errorf("ledger %s: %w", l.name, err)
	}
	return written.Version, nil
}
