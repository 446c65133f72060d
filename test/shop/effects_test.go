package shop_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"
)

// keys are those of the objects below a prefix of the bucket that a service writes to, once for each time they were written.
func (w *world) keys(t *testing.T, service, below string) []string {
	t.Helper()
	variables, err := w.Variables(t.Context(), service)
	must(t, err)
	bucket, prefix := variables["BUCKET_MEDIA_NAME"], variables["BUCKET_MEDIA_PREFIX"]
	var names []string
	pages := s3.NewListObjectVersionsPaginator(s3.NewFromConfig(w.Config()), &s3.ListObjectVersionsInput{
		Bucket: &bucket, Prefix: aws.String(prefix + below),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		must(t, err)
		for _, object := range page.Versions {
			names = append(names, strings.TrimPrefix(*object.Key, prefix+below))
		}
	}
	slices.Sort(names)
	return names
}

// mustHaveOneOfEach fails unless an order has had one confirmation and one receipt, each written once, and one parcel.
func (w *world) mustHaveOneOfEach(t *testing.T, o order) {
	t.Helper()
	within(t, time.Minute, func() error {
		mails := w.keys(t, "mailer", o.ID+"/")
		if want := []string{"order-confirmation.eml", "payment-receipt.eml"}; !slices.Equal(mails, want) {
			return fmt.Errorf("order %s: mails %v, want %v", o.ID, mails, want)
		}
		return nil
	})
	if parcels := w.count(t, "SELECT count(*) FROM shipments WHERE order_id = $1", o.ID); parcels != 1 {
		t.Errorf("order %s: %d parcels", o.ID, parcels)
	}
}

// database logs in as the database's owner.
func (w *world) database(t *testing.T) *pgx.Conn {
	t.Helper()
	found, err := rds.NewFromConfig(w.Config()).DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{
		DBInstanceIdentifier: aws.String(w.Cluster() + "-shop"),
	})
	must(t, err)
	instance := found.DBInstances[0]
	kept, err := secretsmanager.NewFromConfig(w.Config()).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{
		SecretId: instance.MasterUserSecret.SecretArn,
	})
	must(t, err)
	var login struct{ Username, Password string }
	must(t, json.Unmarshal([]byte(*kept.SecretString), &login))

	config, err := pgx.ParseConfig("sslmode=require dbname=shop")
	must(t, err)
	config.Host, config.Port = *instance.Endpoint.Address, 5432
	config.User, config.Password = login.Username, login.Password
	config.TLSConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the services' own tests verify the certificate
	if w.Emulator.Engine != nil {
		// The name is known inside the containers' network only.
		name, err := w.Emulator.Engine.Docker(t.Context(), "ps", "--quiet",
			"--filter", "network="+w.Emulator.Engine.Network, "--filter", "name=instance-"+w.Cluster()+"-shop")
		must(t, err)
		config.Host, err = w.Emulator.Engine.Docker(t.Context(), "inspect", "--format",
			"{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
		must(t, err)
	}
	connection, err := pgx.ConnectConfig(t.Context(), config)
	must(t, err)
	t.Cleanup(func() { connection.Close(context.Background()) })
	return connection
}

// count asks the database for a number.
func (w *world) count(t *testing.T, query string, arguments ...any) int {
	t.Helper()
	var n int
	must(t, w.database(t).QueryRow(t.Context(), query, arguments...).Scan(&n))
	return n
}

// kill ends every container, or process, of a service without a chance to finish anything.
func (w *world) kill(t *testing.T, service string) {
	t.Helper()
	if w.Emulator.Engine == nil {
		w.killProcesses(t, service)
		return
	}
	ids, err := w.Emulator.Engine.Docker(t.Context(), "ps", "--quiet", "--filter", "label=com.amazonaws.ecs.container-name="+service,
		"--filter", "network="+w.Emulator.Engine.Network)
	must(t, err)
	if ids == "" {
		t.Fatalf("no container of %s runs", service)
	}
	_, err = w.Emulator.Engine.Docker(t.Context(), append([]string{"kill"}, strings.Fields(ids)...)...)
	must(t, err)
}

// killProcesses finds a service's processes by what they run and the name that the platform gave them.
func (w *world) killProcesses(t *testing.T, service string) {
	t.Helper()
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	must(t, err)
	killed := 0
	for _, link := range programs {
		program, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(program, w.dir) {
			continue // it has ended, or is somebody else's
		}
		environment, err := os.ReadFile(filepath.Join(filepath.Dir(link), "environ"))
		if err != nil || !slices.Contains(strings.Split(string(environment), "\x00"), "SERVICE_NAME="+service) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
		killed++
	}
	if killed == 0 {
		t.Fatalf("no process of %s runs", service)
	}
}
