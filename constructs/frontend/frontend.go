// Package frontend serves a single-page application and, under the same name, the services' API.
//
//	                        /assets/*, everything else -> private S3 bucket (origin access control)
//	viewer -> WAF -> CloudFront <
//	                        /api/* -> load balancer inside the VPC (VPC origin)
package frontend

import (
	_ "embed"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontdistribution"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontfunction"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontoriginaccesscontrol"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontvpcorigin"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/ssmparameter"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/iam"
	"aws-microservices/constructs/ingress"
	"aws-microservices/constructs/key"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/internal/finding"
)

//go:embed spa.js
var spa string

const (
	siteOrigin = "site"
	apiOrigin  = "api"
	// APIPath is where the services begin.
	APIPath = "/api"
	// assetsPath is where the build puts files whose names hold a hash of their content.
	assetsPath = "/assets/*"
)

// CloudFront's managed policies, which have the same ids in every account.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
const (
	cachingOptimized    = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	cachingDisabled     = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	allViewer           = "216adef6-5c7f-47e4-b989-5492eafa07d3"
	securityHeadersOnly = "67f7725c-6f97-4210-82d7-5512b31e9d03"
)

// Domain is the names viewers use.
type Domain struct {
	// Names are the hosts, e.g. "shop.example.com", the site's first.
	Names []string
	// CertificateARN is their ACM certificate in us-east-1, the only region CloudFront takes them from.
	CertificateARN *string
}

// Props describe a frontend.
type Props struct {
	// Name prefixes the names of what is made, e.g. "shop-dev".
	Name string
	// BucketName is the site bucket's, unique in all of AWS.
	BucketName string
	// ReleaseParameter is the SSM parameter that says which release the site serves, e.g. "/shop/dev/web/release".
	ReleaseParameter string
	// AccountID is where the frontend is.
	AccountID string
	// Domain is the names viewers use. Defaults to the one CloudFront gives.
	Domain *Domain
	// Ingress is the services' load balancer.
	Ingress *ingress.Ingress
	// TimeoutSeconds is how long the slowest service may take to answer, 1 to 60.
	TimeoutSeconds int
	// Root is set when a service answers everything: then there is no site. Defaults to false.
	Root bool
	// Key encrypts the site bucket; its policy must let CloudFront use it.
	Key kmskey.KmsKey
	// AccessLogs receives the site bucket's access logs.
	AccessLogs *bucket.Bucket
	// Global is the provider of us-east-1, where CloudFront's logs and firewall live.
	Global cdktf.TerraformProvider
	// LogRetentionDays is how long the logs are kept.
	LogRetentionDays int
	// PreventDestroy makes Terraform refuse to destroy the site bucket. Defaults to false.
	PreventDestroy bool
}

// Frontend is a distribution and its bucket.
type Frontend struct {
	// Bucket is nil where a service answers everything.
	Bucket       *bucket.Bucket
	Distribution cloudfrontdistribution.CloudfrontDistribution
	// Host is the name viewers use.
	Host string
}

// New makes a frontend.
func New(scope constructs.Construct, id string, props Props) *Frontend {
	scope = constructs.NewConstruct(scope, &id)
	f := &Frontend{}
	edgeKey := key.New(scope, "edge-key", key.Props{
		Name:        props.Name + "-edge",
		Description: "Logs of CloudFront and its firewall",
		AccountID:   props.AccountID,
		Grants:      []key.Grant{key.Logs(props.AccountID, "us-east-1")},
		Provider:    props.Global,
	})
	config := f.services(scope, props, edgeKey)
	if !props.Root {
		f.site(scope, props, config)
	}
	f.Distribution = cloudfrontdistribution.NewCloudfrontDistribution(scope, jsii.String("distribution"), config)
	finding.Except(f.Distribution, exceptions(props)...)
	if f.Bucket != nil {
		f.Bucket.Allow(iam.Statement{
			Sid:        "CloudFront",
			Principals: iam.Service("cloudfront.amazonaws.com"),
			Actions:    []string{"s3:GetObject"},
			Resources:  []string{f.Bucket.ObjectsARN("")},
			Conditions: []iam.Condition{{Test: "StringEquals", Variable: "aws:SourceArn", Values: []string{*f.Distribution.Arn()}}},
		})
	}
	accessLogs(scope, props, f.Distribution, edgeKey)
	f.Host = *f.Distribution.DomainName()
	if props.Domain != nil {
		f.Host = props.Domain.Names[0]
	}
	return f
}

// services configures a distribution that passes every request on to the services.
func (f *Frontend) services(scope constructs.Construct, props Props, edgeKey kmskey.KmsKey) *cloudfrontdistribution.CloudfrontDistributionConfig {
	config := &cloudfrontdistribution.CloudfrontDistributionConfig{
		Comment:       &props.Name,
		Enabled:       jsii.Bool(true),
		IsIpv6Enabled: jsii.Bool(true),
		HttpVersion:   jsii.String("http2and3"),
		PriceClass:    jsii.String("PriceClass_100"),
		WebAclId:      firewall(scope, props, edgeKey).Arn(),
		Origin: []*cloudfrontdistribution.CloudfrontDistributionOrigin{{
			OriginId:   jsii.String(apiOrigin),
			DomainName: props.Ingress.LoadBalancer.DnsName(),
			VpcOriginConfig: &cloudfrontdistribution.CloudfrontDistributionOriginVpcOriginConfig{
				VpcOriginId:       vpcOrigin(scope, props).Id(),
				OriginReadTimeout: jsii.Number(props.TimeoutSeconds),
			},
		}},
		DefaultCacheBehavior: &cloudfrontdistribution.CloudfrontDistributionDefaultCacheBehavior{
			TargetOriginId:          jsii.String(apiOrigin),
			ViewerProtocolPolicy:    jsii.String("redirect-to-https"),
			AllowedMethods:          everyMethod,
			CachedMethods:           jsii.Strings("GET", "HEAD"),
			Compress:                jsii.Bool(true),
			CachePolicyId:           jsii.String(cachingDisabled),
			OriginRequestPolicyId:   jsii.String(allViewer),
			ResponseHeadersPolicyId: jsii.String(securityHeadersOnly),
		},
		Restrictions: &cloudfrontdistribution.CloudfrontDistributionRestrictions{
			GeoRestriction: &cloudfrontdistribution.CloudfrontDistributionRestrictionsGeoRestriction{RestrictionType: jsii.String("none")},
		},
		ViewerCertificate: certificate(props.Domain),
	}
	if props.Domain != nil {
		config.Aliases = jsii.Strings(props.Domain.Names...)
	}
	return config
}

var everyMethod = jsii.Strings("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

// site puts the single-page application before the services, which keep what is below APIPath.
func (f *Frontend) site(scope constructs.Construct, props Props, config *cloudfrontdistribution.CloudfrontDistributionConfig) {
	f.Bucket = bucket.New(scope, "site", bucket.Props{
		Name: props.BucketName, Key: props.Key, AccessLogs: props.AccessLogs, PreventDestroy: props.PreventDestroy,
	})
	access := cloudfrontoriginaccesscontrol.NewCloudfrontOriginAccessControl(scope, jsii.String("access"), &cloudfrontoriginaccesscontrol.CloudfrontOriginAccessControlConfig{
		Name:                          &props.Name,
		Description:                   jsii.String("CloudFront signs its requests to the site bucket"),
		OriginAccessControlOriginType: jsii.String("s3"),
		SigningBehavior:               jsii.String("always"),
		SigningProtocol:               jsii.String("sigv4"),
	})
	fallback := cloudfrontfunction.NewCloudfrontFunction(scope, jsii.String("spa"), &cloudfrontfunction.CloudfrontFunctionConfig{
		Name:    jsii.String(props.Name + "-spa"),
		Comment: jsii.String("Shows index.html for the pages of the application"),
		Runtime: jsii.String("cloudfront-js-2.0"),
		Code:    &spa,
		Publish: jsii.Bool(true),
	})
	release(scope, props)
	config.DefaultRootObject = jsii.String("index.html")
	config.Origin = append([]*cloudfrontdistribution.CloudfrontDistributionOrigin{{
		OriginId:              jsii.String(siteOrigin),
		DomainName:            f.Bucket.Resource.BucketRegionalDomainName(),
		OriginAccessControlId: access.Id(),
	}}, config.Origin.([]*cloudfrontdistribution.CloudfrontDistributionOrigin)...)
	config.DefaultCacheBehavior = &cloudfrontdistribution.CloudfrontDistributionDefaultCacheBehavior{
		TargetOriginId:          jsii.String(siteOrigin),
		ViewerProtocolPolicy:    jsii.String("redirect-to-https"),
		AllowedMethods:          jsii.Strings("GET", "HEAD"),
		CachedMethods:           jsii.Strings("GET", "HEAD"),
		Compress:                jsii.Bool(true),
		CachePolicyId:           jsii.String(cachingOptimized),
		ResponseHeadersPolicyId: headers(scope, props, "pages", "no-cache").Id(),
		FunctionAssociation: []*cloudfrontdistribution.CloudfrontDistributionDefaultCacheBehaviorFunctionAssociation{{
			EventType: jsii.String("viewer-request"), FunctionArn: fallback.Arn(),
		}},
	}
	config.OrderedCacheBehavior = []*cloudfrontdistribution.CloudfrontDistributionOrderedCacheBehavior{
		{
			PathPattern:             jsii.String(APIPath + "/*"),
			TargetOriginId:          jsii.String(apiOrigin),
			ViewerProtocolPolicy:    jsii.String("https-only"),
			AllowedMethods:          everyMethod,
			CachedMethods:           jsii.Strings("GET", "HEAD"),
			Compress:                jsii.Bool(true),
			CachePolicyId:           jsii.String(cachingDisabled),
			OriginRequestPolicyId:   jsii.String(allViewer),
			ResponseHeadersPolicyId: jsii.String(securityHeadersOnly),
		},
		{
			PathPattern:             jsii.String(assetsPath),
			TargetOriginId:          jsii.String(siteOrigin),
			ViewerProtocolPolicy:    jsii.String("redirect-to-https"),
			AllowedMethods:          jsii.Strings("GET", "HEAD"),
			CachedMethods:           jsii.Strings("GET", "HEAD"),
			Compress:                jsii.Bool(true),
			CachePolicyId:           jsii.String(cachingOptimized),
			ResponseHeadersPolicyId: headers(scope, props, "assets", "public, max-age=31536000, immutable").Id(),
		},
	}
}

// Unreleased is what the site's parameter holds until its first release.
const Unreleased = "unreleased"

// release makes the parameter that says which release the site serves. Its history is that of the site's releases: they write
// it, Terraform only reads it.
func release(scope constructs.Construct, props Props) {
	parameter := ssmparameter.NewSsmParameter(scope, jsii.String("release"), &ssmparameter.SsmParameterConfig{
		Name:          &props.ReleaseParameter,
		Description:   jsii.String("The release the site serves; written by releases"),
		Type:          jsii.String("String"),
		InsecureValue: jsii.String(Unreleased),
		Lifecycle:     &cdktf.TerraformResourceLifecycle{IgnoreChanges: jsii.Strings("insecure_value", "description")},
	})
	finding.Except(parameter, finding.Exception{
		ID:      "CKV2_AWS_34",
		Reason:  "the name of a release is no secret, and a reviewer has to see it in the plan",
		Expires: "2027-11-30",
	})
}

func certificate(domain *Domain) *cloudfrontdistribution.CloudfrontDistributionViewerCertificate {
	if domain == nil {
		return &cloudfrontdistribution.CloudfrontDistributionViewerCertificate{CloudfrontDefaultCertificate: jsii.Bool(true)}
	}
	return &cloudfrontdistribution.CloudfrontDistributionViewerCertificate{
		AcmCertificateArn:      domain.CertificateARN,
		SslSupportMethod:       jsii.String("sni-only"),
		MinimumProtocolVersion: jsii.String("TLSv1.2_2021"),
	}
}

// vpcOrigin is CloudFront's way into the VPC.
func vpcOrigin(scope constructs.Construct, props Props) cloudfrontvpcorigin.CloudfrontVpcOrigin {
	protocol := "http-only"
	if props.Ingress.TLS {
		protocol = "https-only"
	}
	return cloudfrontvpcorigin.NewCloudfrontVpcOrigin(scope, jsii.String("api-origin"), &cloudfrontvpcorigin.CloudfrontVpcOriginConfig{
		VpcOriginEndpointConfig: []*cloudfrontvpcorigin.CloudfrontVpcOriginVpcOriginEndpointConfig{{
			Name:                 &props.Name,
			Arn:                  props.Ingress.LoadBalancer.Arn(),
			HttpPort:             jsii.Number(80),
			HttpsPort:            jsii.Number(443),
			OriginProtocolPolicy: &protocol,
			OriginSslProtocols: []*cloudfrontvpcorigin.CloudfrontVpcOriginVpcOriginEndpointConfigOriginSslProtocols{{
				Items: jsii.Strings("TLSv1.2"), Quantity: jsii.Number(1),
			}},
		}},
	})
}

func exceptions(props Props) []finding.Exception {
	const logs = "access logs go to CloudWatch Logs by standard logging v2, which this check does not know; v1 needs a bucket with ACLs"
	rows := []finding.Exception{
		{
			ID:      "CKV_AWS_310",
			Reason:  "neither origin has a second one to fail over to: S3 and the load balancer each span all zones of the region",
			Expires: "2027-11-30",
		},
		{
			ID:      "CKV_AWS_374",
			Reason:  "the site is meant for visitors of every country",
			Expires: "2027-11-30",
		},
		{ID: "CKV_AWS_86", Reason: logs, Expires: "2027-11-30"},
		{ID: "aws-cloudfront-enable-logging", Reason: logs, Expires: "2027-11-30"},
	}
	if props.Domain == nil {
		const reason = "an environment without a domain uses CloudFront's own name and certificate, whose TLS version AWS sets"
		rows = append(rows,
			finding.Exception{ID: "CKV2_AWS_42", Reason: reason, Expires: "2027-11-30"},
			finding.Exception{ID: "CKV_AWS_174", Reason: reason, Expires: "2027-11-30"},
			finding.Exception{ID: "aws-cloudfront-use-secure-tls-policy", Reason: reason, Expires: "2027-11-30"},
		)
	}
	return rows
}

// Graphs are the frontend's part of the dashboard.
func (f *Frontend) Graphs() []monitoring.Graph {
	metric := func(name, statistic string) monitoring.Metric {
		return monitoring.Metric{
			Namespace: "AWS/CloudFront", Name: name, Statistic: statistic, Region: "us-east-1",
			Dimensions: map[string]string{"DistributionId": *f.Distribution.Id(), "Region": "Global"},
		}
	}
	return []monitoring.Graph{
		{Title: "Site: requests", Metrics: []monitoring.Metric{metric("Requests", "Sum")}},
		{Title: "Site: % of errors", Metrics: []monitoring.Metric{metric("4xxErrorRate", "Average"), metric("5xxErrorRate", "Average")}},
	}
}
