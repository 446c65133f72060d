package frontend

import (
	"strings"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/cloudfrontresponseheaderspolicy"

	"aws-microservices/internal/finding"
)

// contentSecurityPolicy lets a page load what it came with and talk to its own host; nothing inline, nobody else's.
// https://developer.mozilla.org/docs/Web/HTTP/Guides/CSP
var contentSecurityPolicy = strings.Join([]string{
	"default-src 'self'",
	"base-uri 'self'",
	"form-action 'self'",
	"frame-ancestors 'none'",
	"img-src 'self' data:",
	"object-src 'none'",
	"upgrade-insecure-requests",
}, "; ")

// headers makes the policy that adds security headers and says how long a browser keeps what it got. CloudFront sets it,
// so it holds however the files were uploaded.
func headers(scope constructs.Construct, props Props, name, cacheControl string) cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicy {
	type (
		config  = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyConfig
		custom  = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCustomHeadersConfig
		item    = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicyCustomHeadersConfigItems
		secure  = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfig
		csp     = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigContentSecurityPolicy
		types   = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigContentTypeOptions
		frame   = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigFrameOptions
		referer = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigReferrerPolicy
		hsts    = cloudfrontresponseheaderspolicy.CloudfrontResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurity
	)
	override := jsii.Bool(true)
	policy := cloudfrontresponseheaderspolicy.NewCloudfrontResponseHeadersPolicy(scope, jsii.String("headers-"+name), &config{
		Name:    jsii.String(props.Name + "-" + name),
		Comment: jsii.String("Security headers and caching of the site's " + name),
		CustomHeadersConfig: &custom{Items: []*item{
			{Header: jsii.String("Cache-Control"), Value: &cacheControl, Override: override},
			{Header: jsii.String("Permissions-Policy"), Value: jsii.String("camera=(), geolocation=(), microphone=(), payment=()"), Override: override},
		}},
		SecurityHeadersConfig: &secure{
			ContentSecurityPolicy:   &csp{ContentSecurityPolicy: &contentSecurityPolicy, Override: override},
			ContentTypeOptions:      &types{Override: override},
			FrameOptions:            &frame{FrameOption: jsii.String("DENY"), Override: override},
			ReferrerPolicy:          &referer{ReferrerPolicy: jsii.String("strict-origin-when-cross-origin"), Override: override},
			StrictTransportSecurity: &hsts{AccessControlMaxAgeSec: jsii.Number(63072000), IncludeSubdomains: jsii.Bool(true), Override: override},
		},
	})
	finding.Except(policy, finding.Exception{
		ID:      "CKV_AWS_259",
		Reason:  "preloading would bind the whole registered domain, names that are not this platform's among them, for years",
		Expires: "2027-11-30",
	})
	return policy
}
