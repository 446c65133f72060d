// Command grypedb writes a database for Grype, so that tests of the image gate need no feed and always find the same.
//
//	go run . DIR
//
// It holds two made-up vulnerabilities of Go's standard library, each with a second name as most have: CVE-2099-0001, high and
// fixed, and CVE-2099-0002, critical and without a fix, which stops nothing.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/spf13/afero"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "grypedb:", err)
		os.Exit(1)
	}
}

// write makes the database in dir, as Grype has it there when GRYPE_DB_CACHE_DIR names it.
func write(dir string) error {
	dir = filepath.Join(dir, strconv.Itoa(v6.ModelVersion))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	db, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	if err != nil {
		return err
	}
	if err := db.SetDBMetadata(); err != nil {
		return err
	}
	for _, v := range []struct {
		id, alias, severity string
		fix                 v6.Fix
	}{
		{"CVE-2099-0001", "GHSA-0000-0000-0001", "high", v6.Fix{Version: "2.0.0", State: v6.FixedStatus}},
		{"CVE-2099-0002", "GHSA-0000-0000-0002", "critical", v6.Fix{State: v6.NotFixedStatus}},
	} {
		if err := add(db, v.id, v.alias, v.severity, v.fix); err != nil {
			return fmt.Errorf("%s: %w", v.id, err)
		}
	}
	if err := db.Close(); err != nil {
		return err
	}
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), dir, "")
	return err
}

// add adds a vulnerability of every version of Go's standard library.
func add(db v6.ReadWriter, id, alias, severity string, fix v6.Fix) error {
	now := time.Now()
	blob := &v6.VulnerabilityBlob{
		ID:         id,
		Aliases:    []string{alias},
		Severities: []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: severity, Rank: 1}},
	}
	handle := &v6.VulnerabilityHandle{
		Name: id, Status: v6.VulnerabilityActive, PublishedDate: &now, ModifiedDate: &now, ProviderID: "test", BlobValue: blob,
		Provider: &v6.Provider{ID: "test", Version: "1", Processor: "grypedb", DateCaptured: &now, InputDigest: "sha256:0"},
	}
	if err := db.AddVulnerabilities(handle); err != nil {
		return err
	}
	return db.AddAffectedPackages(&v6.AffectedPackageHandle{
		VulnerabilityID: handle.ID,
		Vulnerability:   handle,
		Package:         &v6.Package{Ecosystem: "go-module", Name: "stdlib"},
		BlobValue: &v6.PackageBlob{
			CVEs:   []string{id},
			Ranges: []v6.Range{{Version: v6.Version{Type: "golang", Constraint: "<2.0.0"}, Fix: &fix}},
		},
	})
}
