package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database/databasetest"
	"shop/internal/messages"
	"shop/internal/secret"
	"shop/internal/servicetest"
	"shop/internal/web"
)

func TestMain(m *testing.M) {
	servicetest.Main(main)
	databasetest.Main(m)
}

const topicARN = "arn:aws:sns:eu-west-1:111122223333:order-placed"

// vault is a Secrets Manager with the secret order-signing.
type vault struct {
	mu     sync.Mutex
	stages map[string]string
	err    error
}

func (v *vault) GetSecretValue(
	_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options),
) (*secretsmanager.GetSecretValueOutput, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return nil, v.err
	}
	value, ok := v.stages[*in.VersionStage]
	if !ok {
		return nil, &types.ResourceNotFoundException{}
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: &value}, nil
}

func (v *vault) rotate(value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stages = map[string]string{"AWSCURRENT": value, "AWSPREVIOUS": v.stages["AWSCURRENT"]}
}

// acquirer is a payments service: it keeps what it was asked, and answers by the card unless it is told otherwise.
type acquirer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []payment
	say   func(n int, w http.ResponseWriter) bool // false: go on as usual
}

func newAcquirer(t *testing.T) *acquirer {
	t.Helper()
	a := &acquirer{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in payment
		err, key := json.NewDecoder(r.Body).Decode(&in), r.Header.Get("Idempotency-Key")
		if err != nil || r.URL.Path != "/payments" || key != in.Order {
			t.Errorf("payments was asked %s with the key %q: %v", r.URL, key, err)
		}
		a.mu.Lock()
		a.asked = append(a.asked, in)
		n, say := len(a.asked), a.say
		a.mu.Unlock()
		if say != nil && say(n, w) {
			return
		}
		status := "approved"
		if in.Payment == "card-declined" {
			status = "declined"
		}
		fmt.Fprintf(w, `{"payment":"pay_%s","status":%q,"reason":"r"}`, in.Order, status)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *acquirer) answers(say func(n int, w http.ResponseWriter) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.say = say
}

func (a *acquirer) calls() []payment {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

// topic is an SNS topic: it keeps what was published.
type topic struct {
	*httptest.Server
	mu        sync.Mutex
	published []published
	refuse    func(id string) bool
	delay     time.Duration
}

type published struct {
	messages.Message
	Attributes map[string]string
}

func newTopic(t *testing.T) *topic {
	t.Helper()
	s := &topic{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "PublishBatch" || r.PostForm.Get("TopicArn") != topicARN {
			t.Errorf("SNS was asked %v: %v", r.PostForm, err)
		}
		time.Sleep(s.delay)
		s.mu.Lock()
		defer s.mu.Unlock()
		io.WriteString(w, "<PublishBatchResponse><PublishBatchResult><Successful>") //nolint:errcheck // seen by the client
		var failed bytes.Buffer
		for i := 1; ; i++ {
			entry := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)
			id := r.PostForm.Get(entry + "Id")
			if id == "" {
				break
			}
			if s.refuse != nil && s.refuse(id) {
				fmt.Fprintf(&failed, "<member><Id>%s</Id><Code>InternalError</Code><SenderFault>false</SenderFault></member>", id)
				continue
			}
			p := published{Attributes: map[string]string{}}
			if err := json.Unmarshal([]byte(r.PostForm.Get(entry+"Message")), &p.Message); err != nil || p.ID != id {
				t.Errorf("message %s is not %s: %v", p.ID, id, err)
			}
			for j := 1; ; j++ {
				a := fmt.Sprintf("%sMessageAttributes.entry.%d.", entry, j)
				if r.PostForm.Get(a+"Name") == "" {
					break
				}
				p.Attributes[r.PostForm.Get(a+"Name")] = r.PostForm.Get(a + "Value.StringValue")
			}
			s.published = append(s.published, p)
			fmt.Fprintf(w, "<member><Id>%s</Id><MessageId>m</MessageId></member>", id)
		}
		fmt.Fprintf(w, "</Successful><Failed>%s</Failed></PublishBatchResult></PublishBatchResponse>", failed.String())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *topic) client() *sns.Client {
	return sns.New(sns.Options{
		BaseEndpoint: &s.URL, Region: "eu-west-1", Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("id", "key", ""),
	})
}

func (s *topic) taken() []published {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.published)
}

// task is one running task of the service: several share a database, payments and a topic.
type task struct {
	pool    *pgxpool.Pool
	store   *store
	settler *settler
	relay   *relay
	http.Handler
}

// shop is what the tasks share.
type shop struct {
	*databasetest.Database
	admin    *pgxpool.Pool
	vault    *vault
	acquirer *acquirer
	topic    *topic
}

func newShop(t *testing.T) *shop {
	t.Helper()
	db := databasetest.New(t)
	s := &shop{db, db.Admin(t), &vault{}, newAcquirer(t), newTopic(t)}
	s.vault.rotate("key one")
	return s
}

// task makes a task, without its loops: tests take their steps one by one, or run them.
func (s *shop) task(t *testing.T) *task {
	t.Helper()
	pool := s.Pool(t, "orders")
	store, relay := &store{pool}, newRelay(pool, s.topic.client(), topicARN)
	settler := newSettler(store, newPayments(s.acquirer.URL), relay.wake)
	a := &api{orders: store, tokens: &tokens{secret.New(s.vault, "order-signing")}, placed: settler.wake}
	return &task{pool, store, settler, relay, web.Wrap(routes(a))}
}

// run runs a task's loops until the test ends, or the returned function is called.
func (k *task) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, loop := range []func(context.Context) error{k.settler.Run, k.relay.Run} {
		all.Go(func() {
			if err := loop(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// answer is what came of a request.
type answer struct {
	*httptest.ResponseRecorder
	order   order
	problem web.Problem
}

func (k *task) ask(t *testing.T, r *http.Request) answer {
	t.Helper()
	a := answer{ResponseRecorder: httptest.NewRecorder()}
	k.ServeHTTP(a, r)
	into := any(&a.order)
	if a.Code >= 400 {
		into = &a.problem
		if kind := a.Header().Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("the problem is %q", kind)
		}
	}
	if err := json.Unmarshal(a.Body.Bytes(), into); err != nil {
		t.Errorf("%s: %v", a.Body, err)
	}
	return a
}

func (k *task) post(t *testing.T, key string, content any) answer {
	t.Helper()
	body, ok := content.(string)
	if !ok {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	r := httptest.NewRequest("POST", "/api/orders", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("X-Request-Id", "request-of-"+key)
	return k.ask(t, r)
}

func (k *task) get(t *testing.T, id, token string) answer {
	t.Helper()
	r := httptest.NewRequest("GET", "/api/orders/"+id, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return k.ask(t, r)
}

// number is the one that a query returns.
func (s *shop) number(t *testing.T, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := s.admin.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *shop) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := s.admin.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func (s *shop) stock(t *testing.T, product string) int {
	t.Helper()
	return s.number(t, "SELECT stock FROM products WHERE id = $1", product)
}

// commitsFail makes every transaction that changes a table fail in the last moment: all is written, nothing is kept, as if the
// task had died. What it returns ends that.
func (s *shop) commitsFail(t *testing.T, table string) (mend func()) {
	t.Helper()
	s.exec(t, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''the task died''; END'`)
	s.exec(t, `CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON `+table+` DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION fail()`)
	return func() { s.exec(t, "DROP FUNCTION fail CASCADE") }
}

// eventually waits for something that loops bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not happen", what)
		}
	}
}
