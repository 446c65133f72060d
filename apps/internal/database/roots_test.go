package database

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

func parse(t *testing.T, text []byte) (all []*x509.Certificate) {
	t.Helper()
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			t.Fatalf("no PEM: %.60q", text)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, certificate)
	}
	return all
}

// It goes by the clock: it is there to fail a year before a service can no longer log in, so that somebody renews the files.
func TestRootsHoldForAYear(t *testing.T) {
	all := append(parse(t, rdsRoots), parse(t, proxyRoots)...)
	seen := map[string]bool{}
	for _, c := range all {
		if !c.IsCA || !c.BasicConstraintsValid {
			t.Errorf("%s is no CA", c.Subject)
		}
		if c.CheckSignatureFrom(c) != nil {
			t.Errorf("%s has not signed itself", c.Subject)
		}
		if time.Now().AddDate(1, 0, 0).After(c.NotAfter) {
			t.Errorf("%s expires %s: renew it from where the comment in database.go says", c.Subject, c.NotAfter)
		}
		if seen[string(c.Raw)] {
			t.Errorf("%s is there twice", c.Subject)
		}
		seen[string(c.Raw)] = true
	}
	if len(all) != 3*27+5 {
		t.Errorf("%d certificates, want three of each of 27 regions and five of Amazon", len(all))
	}
	for _, kind := range []string{"RSA2048", "RSA4096", "ECC384"} {
		if !hasSubject(all, "Amazon RDS eu-west-1 Root CA "+kind+" G1") {
			t.Errorf("eu-west-1 has no %s", kind)
		}
	}
}

func hasSubject(all []*x509.Certificate, name string) bool {
	for _, c := range all {
		if c.Subject.CommonName == name {
			return true
		}
	}
	return false
}
