// Package network makes a VPC with three tiers of subnets in each zone.
//
//	internet - internet gateway - public subnets (NAT gateways, nothing else)
//	                                   |
//	                              private subnets (load balancer, tasks, interface endpoints)
//	                                   |
//	                              database subnets (no route out)
package network

import (
	"fmt"

	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/defaultsecuritygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/eip"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/internetgateway"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/kmskey"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/natgateway"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/route"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/routetable"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/routetableassociation"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/securitygroup"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/subnet"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpc"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcendpoint"
	"github.com/cdktf/cdktf-provider-aws-go/aws/v19/vpcsecuritygroupingressrule"
	"github.com/hashicorp/terraform-cdk-go/cdktf"
)

// NAT says how private subnets reach the internet.
type NAT string

const (
	// NATNone gives no way out: AWS's services are reached through endpoints, nothing else is.
	NATNone NAT = "none"
	// NATSingle is one gateway for all zones: cheaper, and gone with its zone.
	NATSingle NAT = "single"
	// NATPerZone is one gateway in each zone.
	NATPerZone NAT = "per-zone"
)

// Props describe a network.
type Props struct {
	// Name prefixes the names of what is made, e.g. "shop-dev".
	Name string
	// AccountID and Region are where the network is.
	AccountID, Region string
	// CIDR is the network's range, between /16 and /20.
	CIDR string
	// Zones are the Availability Zones, e.g. "eu-west-1a". Plain configuration and not looked up, so that the loops over
	// them are in Go and a new zone in the region changes nothing.
	Zones []string
	// NAT is how private subnets reach the internet. Defaults to NATNone.
	NAT NAT
	// Endpoints are the AWS services that are reached inside the network, by the last part of their service name, e.g.
	// "ecr.api". Each costs by the hour and zone. https://aws.amazon.com/privatelink/pricing/
	Endpoints []string
	// Key encrypts the flow logs.
	Key kmskey.KmsKey
	// LogRetentionDays is how long flow logs are kept.
	LogRetentionDays int
}

// Network is a VPC and its subnets, by zone.
type Network struct {
	VPC             vpc.Vpc
	InternetGateway internetgateway.InternetGateway
	PublicSubnets   []subnet.Subnet
	PrivateSubnets  []subnet.Subnet
	DatabaseSubnets []subnet.Subnet
	// VPCID and PrivateSubnetIDs are attributes, read once: each reading is a round trip to jsii.
	VPCID            *string
	PrivateSubnetIDs *[]*string
	S3Endpoint       vpcendpoint.VpcEndpoint
	EndpointSecurity securitygroup.SecurityGroup
	// Routes are the ways out: what starts tasks depends on them.
	Routes []cdktf.ITerraformDependable
}

// New makes a network. Its range and zones must be such that Cut accepts them.
func New(scope constructs.Construct, id string, props Props) *Network {
	scope = constructs.NewConstruct(scope, &id)
	layout, err := Cut(props.CIDR, len(props.Zones))
	if err != nil {
		panic(fmt.Errorf("network %s: %w", props.Name, err))
	}
	n := &Network{}
	n.VPC = vpc.NewVpc(scope, jsii.String("vpc"), &vpc.VpcConfig{
		CidrBlock:          &props.CIDR,
		EnableDnsHostnames: jsii.Bool(true),
		EnableDnsSupport:   jsii.Bool(true),
		Tags:               named(props.Name),
	})
	n.VPCID = n.VPC.Id()
	// The group every resource without a group of its own gets: emptied, so that nothing works by accident.
	defaultsecuritygroup.NewDefaultSecurityGroup(scope, jsii.String("default-security-group"), &defaultsecuritygroup.DefaultSecurityGroupConfig{
		VpcId: n.VPCID,
		Tags:  named(props.Name + "-default-unused"),
	})
	for i, zone := range props.Zones {
		n.PublicSubnets = append(n.PublicSubnets, n.subnet(scope, props, "public", zone, layout.Public[i].String()))
		n.PrivateSubnets = append(n.PrivateSubnets, n.subnet(scope, props, "private", zone, layout.Private[i].String()))
		n.DatabaseSubnets = append(n.DatabaseSubnets, n.subnet(scope, props, "database", zone, layout.Database[i].String()))
	}
	n.PrivateSubnetIDs = SubnetIDs(n.PrivateSubnets)
	tables := n.routes(scope, props)
	n.endpoints(scope, props, tables)
	flowLogs(scope, props, n.VPC)
	return n
}

// SubnetIDs returns the ids of subnets, as arguments want them.
func SubnetIDs(subnets []subnet.Subnet) *[]*string {
	ids := make([]*string, len(subnets))
	for i, s := range subnets {
		ids[i] = s.Id()
	}
	return &ids
}

func named(name string) *map[string]*string {
	return &map[string]*string{"Name": &name}
}

// letter is the part of a zone's name behind its region: ids hold it, so that they are the same in every region.
func letter(zone, region string) string {
	return zone[len(region):]
}

func (n *Network) subnet(scope constructs.Construct, props Props, tier, zone, cidr string) subnet.Subnet {
	id := tier + "-" + letter(zone, props.Region)
	return subnet.NewSubnet(scope, &id, &subnet.SubnetConfig{
		VpcId:               n.VPCID,
		AvailabilityZone:    &zone,
		CidrBlock:           &cidr,
		MapPublicIpOnLaunch: jsii.Bool(false),
		Tags:                named(props.Name + "-" + id),
	})
}

// routes makes a route table for each tier and zone and returns the private and database ones.
func (n *Network) routes(scope constructs.Construct, props Props) []routetable.RouteTable {
	n.InternetGateway = internetgateway.NewInternetGateway(scope, jsii.String("internet-gateway"), &internetgateway.InternetGatewayConfig{
		VpcId: n.VPCID, Tags: named(props.Name),
	})
	public := n.table(scope, props, "public")
	n.Routes = append(n.Routes, route.NewRoute(scope, jsii.String("public-default"), &route.RouteConfig{
		RouteTableId: public.Id(), DestinationCidrBlock: jsii.String("0.0.0.0/0"), GatewayId: n.InternetGateway.Id(),
	}))
	database := n.table(scope, props, "database")
	tables := []routetable.RouteTable{database}

	var nat natgateway.NatGateway
	for i, zone := range props.Zones {
		z := letter(zone, props.Region)
		associate(scope, "public-"+z, n.PublicSubnets[i], public)
		associate(scope, "database-"+z, n.DatabaseSubnets[i], database)
		private := n.table(scope, props, "private-"+z)
		associate(scope, "private-"+z, n.PrivateSubnets[i], private)
		tables = append(tables, private)

		if props.NAT == NATPerZone || props.NAT == NATSingle && i == 0 {
			nat = natGateway(scope, props, z, n.PublicSubnets[i], n.InternetGateway)
		}
		if nat != nil {
			n.Routes = append(n.Routes, route.NewRoute(scope, jsii.String("private-default-"+z), &route.RouteConfig{
				RouteTableId: private.Id(), DestinationCidrBlock: jsii.String("0.0.0.0/0"), NatGatewayId: nat.Id(),
			}))
		}
	}
	return tables
}

func (n *Network) table(scope constructs.Construct, props Props, name string) routetable.RouteTable {
	return routetable.NewRouteTable(scope, jsii.String("routes-"+name), &routetable.RouteTableConfig{
		VpcId: n.VPCID, Tags: named(props.Name + "-" + name),
	})
}

func associate(scope constructs.Construct, name string, s subnet.Subnet, table routetable.RouteTable) {
	routetableassociation.NewRouteTableAssociation(scope, jsii.String("association-"+name), &routetableassociation.RouteTableAssociationConfig{
		SubnetId: s.Id(), RouteTableId: table.Id(),
	})
}

func natGateway(scope constructs.Construct, props Props, zone string, public subnet.Subnet, gateway internetgateway.InternetGateway) natgateway.NatGateway {
	name := "nat-" + zone
	address := eip.NewEip(scope, jsii.String(name+"-address"), &eip.EipConfig{
		Domain: jsii.String("vpc"), Tags: named(props.Name + "-" + name),
	})
	return natgateway.NewNatGateway(scope, &name, &natgateway.NatGatewayConfig{
		AllocationId: address.AllocationId(),
		SubnetId:     public.Id(),
		Tags:         named(props.Name + "-" + name),
		DependsOn:    &[]cdktf.ITerraformDependable{gateway},
	})
}

// endpoints keeps the traffic to AWS's services inside the network.
func (n *Network) endpoints(scope constructs.Construct, props Props, tables []routetable.RouteTable) {
	var tableIDs []*string
	for _, t := range tables {
		tableIDs = append(tableIDs, t.Id())
	}
	n.S3Endpoint = vpcendpoint.NewVpcEndpoint(scope, jsii.String("endpoint-s3"), &vpcendpoint.VpcEndpointConfig{
		VpcId:           n.VPCID,
		ServiceName:     jsii.String(fmt.Sprintf("com.amazonaws.%s.s3", props.Region)),
		VpcEndpointType: jsii.String("Gateway"),
		RouteTableIds:   &tableIDs,
		Tags:            named(props.Name + "-s3"),
	})
	n.Routes = append(n.Routes, n.S3Endpoint)

	n.EndpointSecurity = securitygroup.NewSecurityGroup(scope, jsii.String("endpoint-security-group"), &securitygroup.SecurityGroupConfig{
		Name:        jsii.String(props.Name + "-endpoints"),
		Description: jsii.String("Interface endpoints of AWS services"),
		VpcId:       n.VPCID,
		Tags:        named(props.Name + "-endpoints"),
	})
	vpcsecuritygroupingressrule.NewVpcSecurityGroupIngressRule(scope, jsii.String("endpoint-ingress"), &vpcsecuritygroupingressrule.VpcSecurityGroupIngressRuleConfig{
		SecurityGroupId: n.EndpointSecurity.Id(),
		Description:     jsii.String("TLS from the network"),
		CidrIpv4:        &props.CIDR,
		IpProtocol:      jsii.String("tcp"),
		FromPort:        jsii.Number(443),
		ToPort:          jsii.Number(443),
	})
	for _, service := range props.Endpoints {
		n.Routes = append(n.Routes, vpcendpoint.NewVpcEndpoint(scope, jsii.String("endpoint-"+service), &vpcendpoint.VpcEndpointConfig{
			VpcId:             n.VPCID,
			ServiceName:       jsii.String(fmt.Sprintf("com.amazonaws.%s.%s", props.Region, service)),
			VpcEndpointType:   jsii.String("Interface"),
			PrivateDnsEnabled: jsii.Bool(true),
			SubnetIds:         n.PrivateSubnetIDs,
			SecurityGroupIds:  &[]*string{n.EndpointSecurity.Id()},
			Tags:              named(props.Name + "-" + service),
		}))
	}
}
