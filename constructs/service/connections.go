package service

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
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
	if !p.Kind.LongRunning() {
		finding.Except(s.SecurityGroup, finding.Exception{
			ID:      "CKV2_AWS_5",
			Reason:  "the group is attached to each task that is started; the check sees services only",
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
