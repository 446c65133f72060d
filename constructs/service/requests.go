package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"

	"aws-microservices/constructs/link"
	"aws-microservices/internal/finding"
)

// Requests say how a service answers requests. The zero value suits most.
type Requests struct {
	// HealthPath answers 200 when a task of a Web service can serve. Defaults to "/healthz".
	HealthPath string
	// MaxSeconds is how long answering may take: CloudFront, the load balancer and Service Connect give up after it, and a
	// task that stops may still take as long. Defaults to 30. At most 60, CloudFront's limit.
	// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html#DownloadDistValuesOriginResponseTimeout
	MaxSeconds int
	// SlowMillis is the response time that one request in a hundred may exceed. Above it for five minutes is an alarm.
	// Defaults to 1000.
	SlowMillis int
	// SlowStartSeconds is how long a new task of a Web service gets fewer requests, to warm up.
	// Defaults to 0, not at all. 30 to 900.
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#slow-start-mode
	SlowStartSeconds int
	// StickySeconds is how long a viewer is sent to the same task of a Web service, by a cookie.
	// Defaults to 0: to any. At most 604800, a week.
	StickySeconds int
	// PerMinute is how many requests a minute one task of a Web service answers with ease: more tasks are added above it.
	// Defaults to 0: only CPU and memory count.
	PerMinute int
}

// TimeoutSeconds is MaxSeconds with its default.
func (r Requests) TimeoutSeconds() int {
	if r.MaxSeconds == 0 {
		return 30
	}
	return r.MaxSeconds
}

func (r Requests) withDefaults() Requests {
	if r.HealthPath == "" {
		r.HealthPath = "/healthz"
	}
	r.MaxSeconds = r.TimeoutSeconds()
	if r.SlowMillis == 0 {
		r.SlowMillis = 1000
	}
	return r
}

// target puts the service behind the load balancer.
func (s *Service) target(scope constructs.Construct) {
	p := s.props
	config := &lbtargetgroup.LbTargetGroupConfig{
		Name:       jsii.String(fmt.Sprintf("%s-%s", p.Prefix, p.Name)),
		VpcId:      p.Network.VPCID,
		TargetType: jsii.String("ip"),
		Protocol:   jsii.String("HTTP"),
		Port:       jsii.Number(p.Container.Port),
		// A request that is being answered gets its answer before the task is told to stop.
		DeregistrationDelay: jsii.String(fmt.Sprint(p.Requests.MaxSeconds)),
		// Slow tasks get fewer requests.
		LoadBalancingAlgorithmType: jsii.String("least_outstanding_requests"),
		HealthCheck: &lbtargetgroup.LbTargetGroupHealthCheck{
			Enabled:            jsii.Bool(true),
			Path:               &p.Requests.HealthPath,
			Matcher:            jsii.String("200"),
			Interval:           jsii.Number(10),
			Timeout:            jsii.Number(5),
			HealthyThreshold:   jsii.Number(2),
			UnhealthyThreshold: jsii.Number(3),
		},
	}
	if p.Requests.SlowStartSeconds > 0 {
		config.SlowStart = jsii.Number(p.Requests.SlowStartSeconds)
		// The only algorithm that knows slow start.
		config.LoadBalancingAlgorithmType = jsii.String("round_robin")
	}
	if p.Requests.StickySeconds > 0 {
		config.Stickiness = &lbtargetgroup.LbTargetGroupStickiness{
			Enabled: jsii.Bool(true), Type: jsii.String("lb_cookie"), CookieDuration: jsii.Number(p.Requests.StickySeconds),
		}
	}
	s.TargetGroup = lbtargetgroup.NewLbTargetGroup(scope, jsii.String("target-group"), config)
	finding.Except(s.TargetGroup, finding.Exception{
		ID:      "CKV_AWS_378",
		Reason:  "TLS ends at the load balancer: from there to the task nothing but these two security groups gets through",
		Expires: "2027-11-30",
	})
	p.Ingress.Rule(scope, "listener-rule", p.Name, s.TargetGroup)
	connect(scope, "ingress", link.Peer{Name: "the load balancer", SecurityGroupID: p.Ingress.SecurityGroupID},
		link.Peer{Name: "service " + p.Name, SecurityGroupID: s.SecurityGroupID, Port: p.Container.Port})
}
