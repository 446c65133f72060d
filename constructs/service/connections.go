package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lblistenerrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/lbtargetgroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupegressrule"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupingressrule"

	"aws-microservices/constructs/link"
	"aws-microservices/internal/finding"
)

// connections makes the service's security group and a pair of rules for each connection it may open. Nothing else gets
// through.
func (s *Service) connections(scope constructs.Construct) {
	p := s.props
	name := fmt.Sprintf("%s-%s", p.Prefix, p.Name)
	s.SecurityGroup = securitygroup.NewSecurityGroup(scope, jsii.String("security-group"), &securitygroup.SecurityGroupConfig{
		Name:        jsii.String(name + "-service"),
		Description: jsii.String("Tasks of " + p.Name),
		VpcId:       p.Network.VPCID,
		Tags:        &map[string]*string{"Name": jsii.String(name + "-service")},
	})
	s.SecurityGroupID = s.SecurityGroup.Id()
	if p.Kind == Job {
		finding.Except(s.SecurityGroup, finding.Exception{
			ID:      "CKV2_AWS_5",
			Reason:  "the schedule attaches the group to each task it starts; the check does not follow schedules",
			Expires: "2027-11-30",
		})
	}
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("egress-endpoints"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId:           s.SecurityGroupID,
		Description:               jsii.String("AWS services, by their endpoints"),
		ReferencedSecurityGroupId: p.Network.EndpointSecurity.Id(),
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(443),
		ToPort:                    jsii.Number(443),
	})
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("egress-s3"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId: s.SecurityGroupID,
		Description:     jsii.String("S3, which holds the layers of images"),
		PrefixListId:    p.Network.S3Endpoint.PrefixListId(),
		IpProtocol:      jsii.String("tcp"),
		FromPort:        jsii.Number(443),
		ToPort:          jsii.Number(443),
	})
	if p.Internet {
		vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String("egress-internet"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
			SecurityGroupId: s.SecurityGroupID,
			Description:     jsii.String("TLS to the internet"),
			CidrIpv4:        jsii.String("0.0.0.0/0"),
			IpProtocol:      jsii.String("tcp"),
			FromPort:        jsii.Number(443),
			ToPort:          jsii.Number(443),
		})
	}
	for _, l := range p.Links {
		if l.Peer != nil {
			connect(scope, l.Name, link.Peer{Name: p.Name, SecurityGroupID: s.SecurityGroupID}, *l.Peer)
		}
	}
}

// connect lets one end open connections to the other: out of the one, into the other.
func connect(scope constructs.Construct, name string, from, to link.Peer) {
	vpcsecuritygroupegressrule.NewVpcSecurityGroupEgressRule(scope, jsii.String(name+"-egress"), &vpcsecuritygroupegressrule.VpcSecurityGroupEgressRuleConfig{
		SecurityGroupId:           from.SecurityGroupID,
		Description:               jsii.String("To " + to.Name),
		ReferencedSecurityGroupId: to.SecurityGroupID,
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(to.Port),
		ToPort:                    jsii.Number(to.Port),
	})
	vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(scope, jsii.String(name+"-ingress"), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
		SecurityGroupId:           to.SecurityGroupID,
		Description:               jsii.String("From " + from.Name),
		ReferencedSecurityGroupId: from.SecurityGroupID,
		IpProtocol:                jsii.String("tcp"),
		FromPort:                  jsii.Number(to.Port),
		ToPort:                    jsii.Number(to.Port),
	})
}

// target puts the service behind the load balancer.
func (s *Service) target(scope constructs.Construct) {
	p := s.props
	s.TargetGroup = lbtargetgroup.NewLbTargetGroup(scope, jsii.String("target-group"), &lbtargetgroup.LbTargetGroupConfig{
		Name:                jsii.String(fmt.Sprintf("%s-%s", p.Prefix, p.Name)),
		VpcId:               p.Network.VPCID,
		TargetType:          jsii.String("ip"),
		Protocol:            jsii.String("HTTP"),
		Port:                jsii.Number(p.Port),
		DeregistrationDelay: jsii.String(fmt.Sprint(deregistrationDelaySeconds)),
		// Slow tasks get fewer requests.
		LoadBalancingAlgorithmType: jsii.String("least_outstanding_requests"),
		HealthCheck: &lbtargetgroup.LbTargetGroupHealthCheck{
			Enabled:            jsii.Bool(true),
			Path:               &p.HealthPath,
			Matcher:            jsii.String("200"),
			Interval:           jsii.Number(10),
			Timeout:            jsii.Number(5),
			HealthyThreshold:   jsii.Number(2),
			UnhealthyThreshold: jsii.Number(3),
		},
	})
	finding.Except(s.TargetGroup, finding.Exception{
		ID:      "CKV_AWS_378",
		Reason:  "TLS ends at the load balancer: from there to the task nothing but these two security groups gets through",
		Expires: "2027-11-30",
	})
	patterns, priority := p.Ingress.Rule(p.Name)
	lblistenerrule.NewLbListenerRule(scope, jsii.String("listener-rule"), &lblistenerrule.LbListenerRuleConfig{
		ListenerArn: p.Ingress.Listener.Arn(),
		Priority:    jsii.Number(priority),
		Condition: []*lblistenerrule.LbListenerRuleCondition{{
			PathPattern: &lblistenerrule.LbListenerRuleConditionPathPattern{Values: jsii.Strings(patterns...)},
		}},
		Action: []*lblistenerrule.LbListenerRuleAction{{
			Type: jsii.String("forward"), TargetGroupArn: s.TargetGroup.Arn(),
		}},
		Tags: &map[string]*string{"Name": &p.Name},
	})
	connect(scope, "ingress", link.Peer{Name: "the load balancer", SecurityGroupID: p.Ingress.SecurityGroupID},
		link.Peer{Name: "service " + p.Name, SecurityGroupID: s.SecurityGroupID, Port: p.Port})
}
