package live_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"aws-microservices/internal/live"
	"aws-microservices/internal/live/stack"
)

// otherAccount is nobody's.
const otherAccount = "999999999999"

// Somebody logged in to the wrong account, or a role in the wrong account: the provider of every stack refuses before
// anything is made. The provider's settings are those of the JSON, the resource is the test's own, to be quick; so is the
// local state, for whoever has the wrong credentials may not get as far as the bucket.
func TestPlanAgainstTheWrongAccountFails(t *testing.T) {
	begin(t)
	w := emptyWorld(t)
	names, err := stack.Names(w.dir)
	must(t, err)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			s := w.inTheWrongAccount(t, name)
			_, err := s.Diff(t.Context())
			mustRefuse(t, "plan", err)
			mustRefuse(t, "apply", s.Apply(t.Context()))
			if held := state(t, s); len(held.IDs) > 0 {
				t.Errorf("made in the wrong account: %s", strings.Join(held.Addresses(), ", "))
			}
		})
	}
}

// inTheWrongAccount is a stack with the providers of the one called name and a single resource, run with the credentials
// of another account. Where a provider assumes a role, that role is moved to the other account as well.
func (w *world) inTheWrongAccount(t *testing.T, name string) *stack.Stack {
	t.Helper()
	doc := document(t, name)
	for _, provider := range doc["provider"].(map[string]any)["aws"].([]any) {
		if settings := provider.(map[string]any); settings["assume_role"] != nil {
			role := map[string]any{"role_arn": fmt.Sprintf("arn:aws:iam::%s:role/somebody", otherAccount)}
			settings["assume_role"] = []any{role}
		}
	}
	dir := t.TempDir()
	write(t, dir, name, doc, map[string]any{"aws_cloudwatch_log_group": map[string]any{"wrong": map[string]any{"name": "/wrong"}}})
	s := open(t, dir, name, w.emulator.Environ(otherAccount, w.open(t, name).Backend.Region))
	must(t, s.Override(map[string]any{"terraform": map[string]any{
		"backend": map[string]any{"local": map[string]any{"path": "wrong.tfstate"}},
	}}))
	must(t, s.Init(t.Context()))
	return s
}

func mustRefuse(t *testing.T, command string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s in account %s should be refused, but succeeded: set allowed_account_ids in the provider", command, otherAccount)
		return
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if !strings.Contains(text, "AWS account ID not allowed: "+otherAccount) {
		t.Errorf("%s in account %s should be refused by allowed_account_ids, but failed with: %v", command, otherAccount, err)
	}
}

// logGroups asks the emulator, not Terraform, which log groups the shared account holds below a prefix, sorted. The
// emulator reads account, region and service from a request's signature and does not check it.
func (w *world) logGroups(t *testing.T, prefix string) []string {
	t.Helper()
	s := w.open(t, live.Shared)
	body, err := json.Marshal(map[string]string{"logGroupNamePrefix": prefix})
	must(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.emulator.URL(), bytes.NewReader(body))
	must(t, err)
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set("X-Amz-Target", "Logs_20140328.DescribeLogGroups")
	request.Header.Set("Authorization", fmt.Sprintf(
		"AWS4-HMAC-SHA256 Credential=%s/20260101/%s/logs/aws4_request, SignedHeaders=host, Signature=0", s.Account, s.Backend.Region))
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	var answer struct {
		LogGroups []struct {
			Name string `json:"logGroupName"`
		} `json:"logGroups"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("the emulator answers %s: %s", response.Status, text)
	}
	names := []string{}
	for _, group := range answer.LogGroups {
		names = append(names, group.Name)
	}
	slices.Sort(names)
	return names
}
