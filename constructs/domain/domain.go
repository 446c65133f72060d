// Package domain makes the certificates of an environment's own host names, and the DNS records that lead to it.
//
//	aws_route53_zone (exists) <- validation records <- aws_acm_certificate, in the region (load balancer) and in us-east-1 (CloudFront)
//	                          <- A and AAAA aliases -> distribution
//
// The zone is not made here: its parent, or the registrar, points at it once, and a zone that a stack makes would wait for
// that with its certificates. A CAA record, if the zone has one, must allow amazon.com.
package domain

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/acmcertificate"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/acmcertificatevalidation"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontdistribution"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsroute53zone"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/route53record"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/monitoring"
)

// Props describe host names.
type Props struct {
	// Names are the hosts, e.g. "shop.example.com"; the first is the certificates' own. At most 10.
	// https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
	Names []string
	// Zone is the public hosted zone they are in, e.g. "example.com". It is in the same account.
	Zone string
	// Global is the provider of us-east-1, the only region CloudFront takes certificates from.
	Global cdktf.TerraformProvider
}

// Domain is host names with their certificates.
type Domain struct {
	// CertificateARN and GlobalCertificateARN are known once ACM has seen the records: who uses them waits until then.
	CertificateARN, GlobalCertificateARN *string

	certificate acmcertificate.AcmCertificate
	zoneID      *string
	props       Props
}

// New makes the certificates, and the records by which ACM sees that the names are ours.
// https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
func New(scope constructs.Construct, id string, props Props) *Domain {
	scope = constructs.NewConstruct(scope, &id)
	zone := dataawsroute53zone.NewDataAwsRoute53Zone(scope, jsii.String("zone"), &dataawsroute53zone.DataAwsRoute53ZoneConfig{
		Name: &props.Zone, PrivateZone: jsii.Bool(false),
	})
	d := &Domain{zoneID: zone.ZoneId(), props: props}
	d.certificate = certificate(scope, "certificate", props, nil)
	global := certificate(scope, "global-certificate", props, props.Global)
	// One record serves the certificates of all regions: it depends on the account and the name alone.
	var records []cdktf.ITerraformDependable
	for i, name := range props.Names {
		records = append(records, d.validation(scope, fmt.Sprintf("validation-%d", i), name))
	}
	d.CertificateARN = validated(scope, "validated", d.certificate, records, nil)
	d.GlobalCertificateARN = validated(scope, "global-validated", global, records, props.Global)
	return d
}

func certificate(scope constructs.Construct, id string, props Props, provider cdktf.TerraformProvider) acmcertificate.AcmCertificate {
	config := &acmcertificate.AcmCertificateConfig{
		DomainName:       &props.Names[0],
		ValidationMethod: jsii.String("DNS"),
		Provider:         provider,
		// In use, it can only be replaced by one that is there already.
		Lifecycle: &cdktf.TerraformResourceLifecycle{CreateBeforeDestroy: jsii.Bool(true)},
	}
	if len(props.Names) > 1 {
		config.SubjectAlternativeNames = jsii.Strings(props.Names[1:]...)
	}
	return acmcertificate.NewAcmCertificate(scope, &id, config)
}

// validation makes the record that ACM asks for.
func (d *Domain) validation(scope constructs.Construct, id, name string) route53record.Route53Record {
	option := func(attribute string) *string {
		// A set, which cannot be indexed.
		return jsii.String(fmt.Sprintf(`${[for o in %s.domain_validation_options : o.%s if o.domain_name == "%s"][0]}`, *d.certificate.Fqn(), attribute, name))
	}
	return route53record.NewRoute53Record(scope, &id, &route53record.Route53RecordConfig{
		ZoneId:  d.zoneID,
		Name:    option("resource_record_name"),
		Type:    option("resource_record_type"),
		Records: &[]*string{option("resource_record_value")},
		Ttl:     jsii.Number(300),
		// It may be there already, for a certificate somebody else made of the name.
		AllowOverwrite: jsii.Bool(true),
	})
}

func validated(scope constructs.Construct, id string, certificate acmcertificate.AcmCertificate, records []cdktf.ITerraformDependable, provider cdktf.TerraformProvider) *string {
	return acmcertificatevalidation.NewAcmCertificateValidation(scope, &id, &acmcertificatevalidation.AcmCertificateValidationConfig{
		CertificateArn: certificate.Arn(), DependsOn: &records, Provider: provider,
	}).CertificateArn()
}

// Alias leads the names to a distribution.
// https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-cloudfront-distribution.html
func (d *Domain) Alias(scope constructs.Construct, id string, distribution cloudfrontdistribution.CloudfrontDistribution) {
	scope = constructs.NewConstruct(scope, &id)
	for i, name := range d.props.Names {
		for _, kind := range []string{"A", "AAAA"} {
			route53record.NewRoute53Record(scope, jsii.String(fmt.Sprintf("%s-%d", kind, i)), &route53record.Route53RecordConfig{
				ZoneId: d.zoneID, Name: jsii.String(name), Type: jsii.String(kind),
				Alias: &route53record.Route53RecordAlias{
					Name: distribution.DomainName(), ZoneId: distribution.HostedZoneId(),
					// CloudFront is where failures would be seen, and it has no other place to send viewers to.
					EvaluateTargetHealth: jsii.Bool(false),
				},
			})
		}
	}
}

// Alarms are the certificate's: ACM renews it two months before it ends, unless the record is gone.
// https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
func (d *Domain) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{{
		ID:          "certificate",
		Description: "The certificate of " + d.props.Names[0] + " ends within 30 days and was not renewed: look for its validation record",
		Metric: monitoring.Metric{
			Namespace: "AWS/CertificateManager", Name: "DaysToExpiry", Statistic: "Minimum",
			Dimensions: map[string]string{"CertificateArn": *d.CertificateARN},
		},
		Comparison: monitoring.Below, Threshold: 30, Periods: 1, PeriodSeconds: 24 * 60 * 60,
	}}
}

// Graphs are none.
func (d *Domain) Graphs() []monitoring.Graph { return nil }
