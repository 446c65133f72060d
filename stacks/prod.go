package stacks

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/network"
)

// Prod is what customers use.
var Prod = Environment{
	Name:       "prod",
	AccountID:  "123456789012",
	Region:     "eu-west-1",
	Production: true,
	Network: Network{
		CIDR:  "10.30.0.0/16",
		Zones: []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"},
		NAT:   network.NATPerZone,
	},
	Capacity: cluster.Capacity{OnDemandBase: 2, SpotPercent: 50},
	Size:     Size{CPU: 512, MemoryMiB: 1024, MinTasks: 2, MaxTasks: 10},
	Sizes: map[string]Size{
		"catalog": {CPU: 1024, MemoryMiB: 2048, MinTasks: 3, MaxTasks: 20},
	},
	Database: DatabaseSize{
		InstanceClass:       "db.m7g.large",
		StorageGiB:          100,
		MaxStorageGiB:       1000,
		MultiAZ:             true,
		BackupRetentionDays: 35,
	},
	Domain: &Domain{
		Name:                     "shop.example.com",
		CertificateARN:           "arn:aws:acm:eu-west-1:123456789012:certificate/6d1c5ac1-9f3c-4be0-bb0a-1f6bdb0c9a11",
		CloudFrontCertificateARN: "arn:aws:acm:us-east-1:123456789012:certificate/0b2f7a7e-5a54-4c0e-8f57-3f1e5f0f6c22",
	},
	DeletionProtection: true,
	LogRetentionDays:   365,
	AlarmEmails:        []string{"on-call@example.com"},
}
