package sdk

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// answer is what STS says, its head and its rest apart.
const (
	rest = `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n"
)

// serve answers with the head at once, and with the rest a moment later.
func serve(t *testing.T) (url string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
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
					fmt.Fprintf(conn, head, len(rest))
					time.Sleep(2 * time.Millisecond)
					if _, err := io.WriteString(conn, rest); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestAnswersThatComeAtOnceAreNotLost(t *testing.T) {
	cfg, err := Load(t.Context(), "eu-west-1",
		config.WithBaseEndpoint(serve(t)),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("111122223333", "unused", "")),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	)
	if err != nil {
		t.Fatal(err)
	}
	client := sts.NewFromConfig(cfg)
	var mu sync.Mutex
	var lost []error
	var wg sync.WaitGroup
	for range 8 { // with more of them than cores, every order of things comes up
		wg.Go(func() {
			for range 200 {
				if _, err := client.GetCallerIdentity(t.Context(), nil); err != nil {
					mu.Lock()
					lost = append(lost, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if len(lost) > 0 {
		t.Errorf("%d of 1600 answers were lost, one with: %v", len(lost), lost[0])
	}
}
