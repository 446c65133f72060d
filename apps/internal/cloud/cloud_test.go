package cloud

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// at points the SDK to an endpoint, as the emulator's users do.
func at(t *testing.T, url string) *sqs.Client {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	cfg, err := Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sqs.NewFromConfig(cfg)
}

func TestThreeTries(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, `{"QueueUrls":["http://q"]}`) //nolint:errcheck // of a test
	}))
	defer server.Close()
	began := time.Now()
	queues, err := at(t, server.URL).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	if err != nil || len(queues.QueueUrls) != 1 || time.Since(began) > 5*time.Second {
		t.Errorf("%+v, %v after %s", queues, err, time.Since(began))
	}
}

// serve answers with the head at once, and with the rest a moment later.
func serve(t *testing.T) (url string) {
	t.Helper()
	const rest = `{"QueueUrls":["http://q"]}`
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	answer := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n", len(rest))
			time.Sleep(2 * time.Millisecond)
			if _, err := io.WriteString(conn, rest); err != nil {
				return
			}
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestAnswersThatComeAtOnceAreNotLost(t *testing.T) {
	client := at(t, serve(t))
	var lost atomic.Int32
	var wg sync.WaitGroup
	for range 8 { // with more of them than cores, every order of things comes up
		wg.Go(func() {
			for range 200 {
				_, err := client.ListQueues(t.Context(), &sqs.ListQueuesInput{}, func(o *sqs.Options) { o.Retryer = aws.NopRetryer{} })
				if err != nil {
					lost.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of 1600 answers were lost", lost.Load())
	}
}
