// Package databasetest gives tests a real PostgreSQL: a server of their own for each package, thrown away at its end, with TLS,
// the schema and the roles as migrate makes them. It needs PostgreSQL 15 or newer on the machine.
//
// The server lets everybody in with any password: only RDS can check a token of IAM. What a role may do once it is in is real.
package databasetest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"shop/internal/database"
	"shop/migrate/schema"
)

const (
	superuser = "postgres"
	template  = "template_shop"
	// Owner is the role that owns the databases. Like RDS's master it is no superuser.
	Owner = "master"
	// Proxied is the one role whose password the server checks. It is not made here.
	Proxied = "proxied"
)

// Roles are the services', as stacks/platform.go links them.
var Roles = []schema.Role{
	{Name: "catalog", Access: schema.ReadWrite},
	{Name: "mailer", Access: schema.ReadWrite},
	{Name: "orders", Access: schema.ReadWrite},
	{Name: "report", Access: schema.ReadOnly},
	{Name: "shipping", Access: schema.ReadWrite},
}

// server is the package's, made by Main.
var server *postgres

// Main runs a package's tests with a server: func TestMain(m *testing.M) { databasetest.Main(m) }.
func Main(m *testing.M) {
	code, err := withServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "databasetest:", err)
		code = 1
	}
	os.Exit(code)
}

func withServer(m *testing.M) (code int, err error) {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what migrate says
	dir, err := os.MkdirTemp("", "databasetest")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if server, err = initialize(dir); err != nil {
		return 1, err
	}
	if err := server.start(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := server.prepare(); err != nil {
		return 1, err
	}
	slog.SetDefault(log)
	return m.Run(), nil
}

// Database is a test's own.
type Database struct{ name string }

var count atomic.Int64

// New makes a database with the schema, the twelve products and the roles.
func New(t testing.TB) *Database {
	t.Helper()
	d := &Database{name: fmt.Sprintf("test_%d", count.Add(1))}
	server.admin(t, "CREATE DATABASE "+d.name+" TEMPLATE "+template+" OWNER "+Owner)
	t.Cleanup(func() { server.admin(t, "DROP DATABASE "+d.name+" WITH (FORCE)") })
	return d
}

// Empty makes a database in which nothing has been done yet, owned by Owner.
func Empty(t testing.TB) *Database {
	t.Helper()
	d := &Database{name: fmt.Sprintf("test_%d", count.Add(1))}
	server.admin(t, "CREATE DATABASE "+d.name+" OWNER "+Owner)
	t.Cleanup(func() { server.admin(t, "DROP DATABASE "+d.name+" WITH (FORCE)") })
	return d
}

// Config is how a role reaches the database.
func (d *Database) Config(role string) database.Config { return server.config(d.name, role) }

// Pool logs in as a role of a service, with what it may do. It is closed at the test's end.
func (d *Database) Pool(t testing.TB, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := database.Open(context.WithoutCancel(t.Context()), d.Config(role), anyPassword)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Admin is the pool of the database's owner, for what a test needs to be there.
func (d *Database) Admin(t testing.TB) *pgxpool.Pool { return d.Pool(t, Owner) }

// Stop ends the server as a failing machine would: every connection is cut. Start brings it back; a test that does not gets it
// back at its end.
func Stop(t testing.TB) {
	t.Helper()
	if err := server.stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Start(t) })
}

// Start brings the server back, at the same address, with what was committed.
func Start(t testing.TB) {
	t.Helper()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
}

// RootFile is the CA of the server's certificate, for PGSSLROOTCERT.
func RootFile() string { return server.rootFile }

// Port is the server's, on localhost.
func Port() int { return server.port }

func anyPassword(context.Context) (string, error) { return "any", nil }

// postgres is a server. It runs below a shell that ends it when its own standard input ends, so that it never outlives the
// tests, however these end.
type postgres struct {
	bin, data, rootFile string
	port                int
	roots               *x509.CertPool

	shell *exec.Cmd
	stdin io.Closer
}

const install = "install PostgreSQL 15 or newer, e.g. `apt-get install postgresql` or `brew install postgresql@17`"

// binaries finds PostgreSQL's.
func binaries() (string, error) {
	var candidates []string
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		candidates = append(candidates, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		candidates = append(candidates, filepath.Dir(path))
	}
	debian, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well-formed
	slices.SortFunc(debian, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range append(candidates, debian...) {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil { // pg_config alone comes with libpq
			return dir, nil
		}
	}
	return "", errors.New("there is no PostgreSQL on this machine: " + install)
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // 0 is last
	return n
}

func initialize(dir string) (*postgres, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: bin, data: filepath.Join(dir, "data"), rootFile: filepath.Join(dir, "root.pem")}
	if err := p.certify(dir); err != nil {
		return nil, err
	}
	if err := os.Mkdir(p.data, 0o700); err != nil {
		return nil, err
	}
	if err := giveAway(dir); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", p.data, "--username", superuser, "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	initdb.Dir = dir
	asUnprivileged(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	hba := "hostssl all " + Proxied + " 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 trust\n"
	if err := os.WriteFile(filepath.Join(p.data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.port = listener.Addr().(*net.TCPAddr).Port
	return p, listener.Close()
}

// account is whom the server runs as when the tests run as root, which PostgreSQL refuses.
func account() (uid, gid int, err error) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			return uid, gid, errors.Join(err1, err2)
		}
	}
	return 0, 0, errors.New("tests that run as root need a user postgres or nobody")
}

func giveAway(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := account()
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
}

// asUnprivileged runs a command of root's tests as somebody else: PostgreSQL refuses to be root.
func asUnprivileged(command *exec.Cmd) {
	if os.Getuid() != 0 {
		return
	}
	if uid, gid, err := account(); err == nil { // giveAway has looked before
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}

// certify makes a CA and the server's certificate.
func (p *postgres) certify(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "databasetest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, &key.PublicKey, caKey)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	rootPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})
	p.roots = x509.NewCertPool()
	p.roots.AppendCertsFromPEM(rootPEM)
	return errors.Join(
		os.WriteFile(p.rootFile, rootPEM, 0o644),
		os.WriteFile(filepath.Join(dir, "server.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}), 0o644),
		os.WriteFile(filepath.Join(dir, "server.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600),
	)
}

func (p *postgres) dir() string { return filepath.Dir(p.data) }

// The shell waits for the end of its input or of the server, whichever is first.
const script = `"$@" & server=$!
(cat; kill -QUIT $server) <&3 2>/dev/null &
wait $server`

func (p *postgres) start() error {
	if p.shell != nil {
		return nil
	}
	settings := map[string]string{
		"port": strconv.Itoa(p.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
		"ssl": "on", "ssl_cert_file": filepath.Join(p.dir(), "server.pem"), "ssl_key_file": filepath.Join(p.dir(), "server.key"),
		"fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "32MB",
		"deadlock_timeout": "100ms", "log_min_messages": "fatal", "timezone": "UTC",
	}
	args := []string{"-c", "exec 3<&0; " + script, "sh", filepath.Join(p.bin, "postgres"), "-D", p.data}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	shell := exec.Command("/bin/sh", args...)
	shell.Dir = p.dir()
	asUnprivileged(shell)
	var output strings.Builder
	shell.Stdout, shell.Stderr = &output, &output
	stdin, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return err
	}
	p.shell, p.stdin = shell, stdin
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := p.run(superuser, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("PostgreSQL does not start: %w", err), p.stop(), errors.New(output.String()))
		}
	}
}

func (p *postgres) stop() error {
	if p.shell == nil {
		return nil
	}
	p.stdin.Close()
	err := p.shell.Wait()
	p.shell = nil
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil // told to quit, it does not end with 0
	}
	return err
}

func (p *postgres) config(name, role string) database.Config {
	return database.Config{Host: "localhost", Port: p.port, Name: name, User: role, Roots: p.roots}
}

func (p *postgres) run(role, name string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	config, err := p.config(name, role).Conn()
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (p *postgres) admin(t testing.TB, statement string) {
	t.Helper()
	if err := p.run(superuser, "postgres", statement); err != nil {
		t.Fatal(err)
	}
}

// prepare makes what RDS has from the start, and the database that the tests' are copies of.
func (p *postgres) prepare() error {
	if err := p.run(superuser, "postgres",
		"CREATE ROLE rds_iam", "CREATE ROLE "+Owner+" LOGIN CREATEROLE CREATEDB", "GRANT rds_iam TO "+Owner+" WITH ADMIN OPTION",
		"CREATE DATABASE "+template+" OWNER "+Owner,
	); err != nil {
		return err
	}
	config, err := p.config(template, Owner).Conn()
	if err != nil {
		return err
	}
	return schema.Up(context.Background(), config, Roles, nil)
}
