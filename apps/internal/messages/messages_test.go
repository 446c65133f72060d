package messages

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"shop/internal/logs"
)

var placed = Message{
	ID: "0c5e2c9e-6f5b-4c62-a0a5-6f1d9f3f6f01", Kind: OrderPlaced, At: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC),
	Order: Order{
		ID: "7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02", Email: "a@b.example",
		Lines: []Line{{Product: "oak-desk", Name: "Oak desk", Quantity: 2, Price: Money{24900, "EUR"}}},
		Total: Money{49800, "EUR"},
	},
}

func TestMessageSurvivesJSON(t *testing.T) {
	const text = `{"id":"0c5e2c9e-6f5b-4c62-a0a5-6f1d9f3f6f01","kind":"order-placed","at":"2026-11-24T10:00:00Z","order":{` +
		`"id":"7d0a5ad4-86f5-4bb8-a9a2-0f9c4e2a7c02","email":"a@b.example","lines":[{"product":"oak-desk","name":"Oak desk",` +
		`"quantity":2,"price":{"amount":24900,"currency":"EUR"}}],"total":{"amount":49800,"currency":"EUR"}}}`
	made, err := json.Marshal(placed)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(made)); diff != "" {
		t.Error(diff)
	}
	read, err := Parse(strings.Replace(text, `"kind"`, `"added later":1,"kind"`, 1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(placed, read); diff != "" {
		t.Error(diff)
	}
}

func TestValidateNamesAllProblems(t *testing.T) {
	tests := map[string]struct {
		change func(*Message)
		want   []string
	}{
		"nothing":            {func(*Message) {}, nil},
		"a receipt":          {func(m *Message) { m.Kind, m.Order.Lines = PaymentReceipt, nil }, nil},
		"an order, no lines": {func(m *Message) { m.Order.Lines = nil }, []string{"order.lines is empty"}},
		"a line of none": {
			func(m *Message) { m.Order.Lines = []Line{{Product: "oak-desk"}} }, []string{`order.lines[0] is 0 of "oak-desk"`},
		},
		"spelled otherwise": {func(m *Message) { m.Order.ID = strings.ToUpper(m.Order.ID) }, []string{"order.id"}},
		"a path":            {func(m *Message) { m.Order.ID = "../../reports" }, []string{"order.id"}},
		"everything": {func(m *Message) { *m = Message{Kind: "greeting"} }, []string{
			"id is", `kind is "greeting"`, "at is missing", "order.id is", "order.email", "order.total.currency",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := placed
			test.change(&m)
			err := m.Validate()
			if (err == nil) != (test.want == nil) {
				t.Fatalf("error is %v, want %v", err, test.want)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}

func TestIsEmail(t *testing.T) {
	tests := map[string]bool{
		"a@b.example": true, "first.last+tag@sub.b-c.example": true, "o'neill@b.example": true, "a@localhost": true,
		"": false, "a": false, "@b.example": false, "a@": false, "a b@b.example": false, "a@b..example": false, "a@-b.example": false,
		"a@b.example\r\nBcc: c@d.example": false, "a@b.example\n": false, "Ann <a@b.example>": false, `"a\r\n"@b.example`: false,
		"ä@b.example": false, "a@b.example,c@d.example": false,
		strings.Repeat("a", 245) + "@b.example": false, strings.Repeat("a", 244) + "@b.example": true,
	}
	for address, want := range tests {
		if got := IsEmail(address); got != want {
			t.Errorf("IsEmail(%q) is %t", address, got)
		}
	}
}

func TestMoneyAsAPersonWritesIt(t *testing.T) {
	for want, m := range map[string]Money{
		"249.00 EUR": {24900, "EUR"}, "0.05 EUR": {5, "EUR"}, "0.00 USD": {0, "USD"}, "-1.50 EUR": {-150, "EUR"},
	} {
		if got := m.String(); got != want {
			t.Errorf("%+v is %q, not %q", m, got, want)
		}
	}
}

func TestSendSaysKindAndRequest(t *testing.T) {
	var sent struct {
		QueueUrl, MessageBody string //nolint:staticcheck // AWS's spelling
		MessageAttributes     map[string]struct{ StringValue string }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &sent); err != nil {
			t.Error(err)
		}
		io.WriteString(w, `{"MessageId":"m"}`) //nolint:errcheck // seen by the client
	}))
	defer server.Close()
	client := sqs.New(sqs.Options{
		BaseEndpoint: &server.URL, Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
		DisableMessageChecksumValidation: true, Retryer: aws.NopRetryer{},
	})
	if err := Send(logs.WithRequestID(t.Context(), "r1"), client, "queue", placed); err != nil {
		t.Fatal(err)
	}
	if m, err := Parse(sent.MessageBody); err != nil || !cmp.Equal(m, placed) || sent.QueueUrl != "queue" {
		t.Errorf("sent was %+v (%v)", sent, err)
	}
	attributes := map[string]string{}
	for name, a := range sent.MessageAttributes {
		attributes[name] = a.StringValue
	}
	if diff := cmp.Diff(map[string]string{"kind": "order-placed", "request_id": "r1"}, attributes); diff != "" {
		t.Error(diff)
	}
	sent.MessageAttributes = nil
	if err := Send(t.Context(), client, "queue", placed); err != nil {
		t.Fatal(err)
	}
	if _, has := sent.MessageAttributes["request_id"]; has {
		t.Error("a request id was sent although there is none: SQS refuses an empty one")
	}
	server.Close()
	if err := Send(t.Context(), client, "queue", placed); err == nil || !strings.Contains(err.Error(), placed.ID) {
		t.Errorf("error is %v: want the message's id in it", err)
	}
}
