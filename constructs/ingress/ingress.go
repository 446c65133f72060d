// Package ingress makes the load balancer in front of the web services.
//
//	CloudFront -(VPC origin)-> internal aws_lb -> listener -> a rule for each web service -> its target group
//
// The load balancer has no public address: CloudFront reaches it inside the VPC, so its WAF and its TLS cannot be passed by.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html
package ingress

import (
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/dataawsec2managedprefixlist"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lb"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lblistener"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lblistenerrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupingressrule"
	"github.com/hashicorp/terraform-cdk-go/cdktf"

	"aws-microservices/constructs/bucket"
	"aws-microservices/constructs/monitoring"
	"aws-microservices/constructs/network"
	"aws-microservices/internal/finding"
)

// Props describe a load balancer.
type Props struct {
	// Name of the load balancer, e.g. "shop-dev". At most 32 characters.
	Name string
	// Network holds the private subnets it stands in.
	Network *network.Network
	// NetworkCIDR is the network's range: where plain HTTP is redirected from.
	NetworkCIDR string
	// CertificateARN is the ACM certificate, in the load balancer's region, of the name that viewers use. With one the
	// listener speaks TLS and HTTP is redirected. Defaults to nil: HTTP, inside the VPC only.
	CertificateARN *string
	// Routes are the web services' by service name. No request fits two of them.
	Routes map[string]Route
	// TimeoutSeconds is how long the slowest service may take to answer. At most 4000.
	TimeoutSeconds int
	// DeletionProtection makes AWS refuse to delete the load balancer. Defaults to false.
	DeletionProtection bool
	// AccessLogs receives a line for each request.
	AccessLogs *bucket.Bucket
}

// Route says which requests reach a web service.
type Route struct {
	// Path is what the service answers under, itself and everything below it. Root is what no other route takes.
	Path string
	// Hosts are the only host names it answers for. Defaults to any.
	Hosts []string
}

// Root is the path of everything.
const Root = "/"

// Ingress is a load balancer whose listener waits for the services' rules.
type Ingress struct {
	LoadBalancer  lb.Lb
	Listener      lblistener.LbListener
	SecurityGroup securitygroup.SecurityGroup
	// SecurityGroupID is its id, read once: each reading is a round trip to jsii.
	SecurityGroupID *string
	// Port and TLS say how the listener is reached.
	Port int
	TLS  bool

	props      Props
	priorities map[string]int
}

// New makes a load balancer.
func New(scope constructs.Construct, id string, props Props) *Ingress {
	scope = constructs.NewConstruct(scope, &id)
	i := &Ingress{props: props, Port: 80, TLS: props.CertificateARN != nil}
	if i.TLS {
		i.Port = 443
	}
	i.priorities = Priorities(props.Routes)

	i.securityGroup(scope)
	i.LoadBalancer = lb.NewLb(scope, jsii.String("load-balancer"), &lb.LbConfig{
		Name:                     &props.Name,
		LoadBalancerType:         jsii.String("application"),
		Internal:                 jsii.Bool(true),
		Subnets:                  props.Network.PrivateSubnetIDs,
		SecurityGroups:           &[]*string{i.SecurityGroupID},
		DropInvalidHeaderFields:  jsii.Bool(true),
		DesyncMitigationMode:     jsii.String("defensive"),
		IdleTimeout:              jsii.Number(max(idleTimeoutSeconds, props.TimeoutSeconds)),
		EnableDeletionProtection: jsii.Bool(props.DeletionProtection),
		AccessLogs: &lb.LbAccessLogs{
			Bucket: props.AccessLogs.Resource.Id(), Prefix: jsii.String("alb"), Enabled: jsii.Bool(true),
		},
		// Creating a load balancer tries to write to the bucket; CloudFront's way in needs an internet gateway at the VPC,
		// although nothing passes through it.
		DependsOn: &[]cdktf.ITerraformDependable{props.AccessLogs.Policy, props.Network.InternetGateway},
	})
	finding.Except(i.LoadBalancer, i.exceptions()...)
	i.listeners(scope)
	return i
}

// idleTimeoutSeconds is AWS's default of how long a connection may stay silent.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
const idleTimeoutSeconds = 60

// Rule makes the rule that sends a web service's requests to its target group.
func (i *Ingress) Rule(scope constructs.Construct, id, service string, target lbtargetgroup.LbTargetGroup) {
	route := i.props.Routes[service]
	patterns := []string{route.Path, route.Path + "/*"}
	if route.Path == Root {
		patterns = []string{"/*"}
	}
	conditions := []*lblistenerrule.LbListenerRuleCondition{{
		PathPattern: &lblistenerrule.LbListenerRuleConditionPathPattern{Values: jsii.Strings(patterns...)},
	}}
	if len(route.Hosts) > 0 {
		conditions = append(conditions, &lblistenerrule.LbListenerRuleCondition{
			HostHeader: &lblistenerrule.LbListenerRuleConditionHostHeader{Values: jsii.Strings(route.Hosts...)},
		})
	}
	lblistenerrule.NewLbListenerRule(scope, &id, &lblistenerrule.LbListenerRuleConfig{
		ListenerArn: i.Listener.Arn(),
		Priority:    jsii.Number(i.priorities[service]),
		Condition:   conditions,
		Action: []*lblistenerrule.LbListenerRuleAction{{
			Type: jsii.String("forward"), TargetGroupArn: target.Arn(),
		}},
		Tags: &map[string]*string{"Name": &service},
	})
}

func (i *Ingress) securityGroup(scope constructs.Construct) {
	i.SecurityGroup = securitygroup.NewSecurityGroup(scope, jsii.String("security-group"), &securitygroup.SecurityGroupConfig{
		Name:        jsii.String(i.props.Name + "-ingress"),
		Description: jsii.String("Load balancer: from CloudFront to the web services"),
		VpcId:       i.props.Network.VPCID,
		Tags:        &map[string]*string{"Name": jsii.String(i.props.Name + "-ingress")},
	})
	i.SecurityGroupID = i.SecurityGroup.Id()
	cloudfront := dataawsec2managedprefixlist.NewDataAwsEc2ManagedPrefixList(scope, jsii.String("cloudfront"), &dataawsec2managedprefixlist.DataAwsEc2ManagedPrefixListConfig{
		Name: jsii.String("com.amazonaws.global.cloudfront.origin-facing"),
	})
	rule := vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(scope, jsii.String("ingress-cloudfront"), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
		SecurityGroupId: i.SecurityGroupID,
		Description:     jsii.String("CloudFront"),
		PrefixListId:    cloudfront.Id(),
		IpProtocol:      jsii.String("tcp"),
		FromPort:        jsii.Number(i.Port),
		ToPort:          jsii.Number(i.Port),
	})
	if !i.TLS {
		finding.Except(rule, finding.Exception{
			ID:      "CKV_AWS_260",
			Reason:  "the rule is open to CloudFront's prefix list, not to everybody; the check reads no prefix lists",
			Expires: "2027-11-30",
		})
	}
	if i.TLS {
		// CloudFront's list counts as 55 of the 60 rules a group may have: it fits once, so HTTP is open to the VPC only.
		vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(scope, jsii.String("ingress-redirect"), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
			SecurityGroupId: i.SecurityGroupID,
			Description:     jsii.String("HTTP from the network, to be redirected"),
			CidrIpv4:        &i.props.NetworkCIDR,
			IpProtocol:      jsii.String("tcp"),
			FromPort:        jsii.Number(80),
			ToPort:          jsii.Number(80),
		})
	}
}

func (i *Ingress) listeners(scope constructs.Construct) {
	notFound := []*lblistener.LbListenerDefaultAction{{
		Type: jsii.String("fixed-response"),
		FixedResponse: &lblistener.LbListenerDefaultActionFixedResponse{
			StatusCode:  jsii.String("404"),
			ContentType: jsii.String("application/json"),
			MessageBody: jsii.String(`{"error":"no service has this path"}`),
		},
	}}
	if !i.TLS {
		i.Listener = lblistener.NewLbListener(scope, jsii.String("http"), &lblistener.LbListenerConfig{
			LoadBalancerArn: i.LoadBalancer.Arn(), Port: jsii.Number(80), Protocol: jsii.String("HTTP"), DefaultAction: notFound,
		})
		finding.Except(i.Listener,
			finding.Exception{ID: "CKV_AWS_2", Reason: withoutTLS, Expires: "2027-11-30"},
			finding.Exception{ID: "CKV_AWS_103", Reason: withoutTLS, Expires: "2027-11-30"},
			finding.Exception{ID: "aws-elb-http-not-used", Reason: withoutTLS, Expires: "2027-11-30"},
		)
		return
	}
	i.Listener = lblistener.NewLbListener(scope, jsii.String("https"), &lblistener.LbListenerConfig{
		LoadBalancerArn: i.LoadBalancer.Arn(),
		Port:            jsii.Number(443),
		Protocol:        jsii.String("HTTPS"),
		CertificateArn:  i.props.CertificateARN,
		// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
		SslPolicy:     jsii.String("ELBSecurityPolicy-TLS13-1-2-2021-06"),
		DefaultAction: notFound,
	})
	lblistener.NewLbListener(scope, jsii.String("http"), &lblistener.LbListenerConfig{
		LoadBalancerArn: i.LoadBalancer.Arn(),
		Port:            jsii.Number(80),
		Protocol:        jsii.String("HTTP"),
		DefaultAction: []*lblistener.LbListenerDefaultAction{{
			Type: jsii.String("redirect"),
			Redirect: &lblistener.LbListenerDefaultActionRedirect{
				Port: jsii.String("443"), Protocol: jsii.String("HTTPS"), StatusCode: jsii.String("HTTP_301"),
			},
		}},
	})
}

// withoutTLS is why a listener may speak HTTP.
const withoutTLS = "without a certificate of its own domain an environment ends TLS at CloudFront, which reaches this " +
	"listener inside the VPC only"

func (i *Ingress) exceptions() []finding.Exception {
	var rows []finding.Exception
	if !i.TLS {
		rows = append(rows, finding.Exception{ID: "CKV2_AWS_20", Reason: withoutTLS, Expires: "2027-11-30"})
	}
	if !i.props.DeletionProtection {
		rows = append(rows, finding.Exception{
			ID:      "CKV_AWS_150",
			Reason:  "this environment is taken down and built again at will",
			Expires: "2027-11-30",
		})
	}
	return rows
}

// Alarms are the load balancer's own: requests it could not pass on.
func (i *Ingress) Alarms() []monitoring.Alarm {
	return []monitoring.Alarm{{
		ID:          "ingress-5xx",
		Description: "The load balancer itself answers with errors: no healthy task behind a rule, or no connection to it",
		Metric:      i.metric("HTTPCode_ELB_5XX_Count", "Sum"),
		Comparison:  monitoring.Above, Threshold: 10,
	}}
}

// Graphs are the load balancer's part of the dashboard.
func (i *Ingress) Graphs() []monitoring.Graph {
	return []monitoring.Graph{
		{Title: "Requests", Metrics: []monitoring.Metric{
			i.metric("RequestCount", "Sum"), i.metric("HTTPCode_Target_4XX_Count", "Sum"),
			i.metric("HTTPCode_Target_5XX_Count", "Sum"), i.metric("HTTPCode_ELB_5XX_Count", "Sum"),
		}},
		{Title: "Response time in seconds", Metrics: []monitoring.Metric{
			i.metric("TargetResponseTime", "p50"), i.metric("TargetResponseTime", "p99"),
		}},
	}
}

func (i *Ingress) metric(name, statistic string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/ApplicationELB", Name: name, Statistic: statistic, Label: name + " " + statistic,
		Dimensions: map[string]string{"LoadBalancer": *i.LoadBalancer.ArnSuffix()},
	}
}
