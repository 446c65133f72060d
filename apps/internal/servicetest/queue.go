package servicetest

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// AWS answers as SQS, for one queue, and hands all other requests on.
type AWS struct {
	*httptest.Server

	mu       sync.Mutex
	waiting  []string
	received int
	deleted  []string
	others   http.Handler
}

// NewAWS is an AWS whose queue has some messages. Another request than one of SQS goes to others.
func NewAWS(t *testing.T, others http.Handler, bodies ...string) *AWS {
	t.Helper()
	a := &AWS{waiting: bodies, others: others}
	a.Server = httptest.NewServer(http.HandlerFunc(a.answer))
	t.Cleanup(a.Close)
	return a
}

// Deleted are the messages that the service has deleted.
func (a *AWS) Deleted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string{}, a.deleted...)
}

func (a *AWS) answer(w http.ResponseWriter, r *http.Request) {
	action, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if !ours {
		a.others.ServeHTTP(w, r)
		return
	}
	var in struct{ ReceiptHandle string }
	text, _ := io.ReadAll(r.Body)
	json.Unmarshal(text, &in) //nolint:errcheck // what is not there is empty
	out := map[string]any{}
	switch action {
	case "GetQueueAttributes":
		out["Attributes"] = map[string]string{"VisibilityTimeout": "60"}
	case "ReceiveMessage":
		messages := a.receive()
		out["Messages"] = messages
		if len(messages) == 0 {
			select { // it waits for some
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}
	case "DeleteMessage":
		a.mu.Lock()
		a.deleted = append(a.deleted, in.ReceiptHandle)
		a.mu.Unlock()
	}
	json.NewEncoder(w).Encode(out) //nolint:errcheck // the service has gone
}

func (a *AWS) receive() []map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	messages := []map[string]string{}
	for _, body := range a.waiting {
		a.received++
		id := fmt.Sprint(a.received)
		messages = append(messages, map[string]string{
			"MessageId": id, "ReceiptHandle": body, "Body": body, "MD5OfBody": fmt.Sprintf("%x", md5.Sum([]byte(body))),
		})
	}
	a.waiting = nil
	return messages
}
