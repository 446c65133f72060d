package stacks

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/service"
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
		"catalog": {
			CPU: 1024, MemoryMiB: 2048, MinTasks: 3, MaxTasks: 20,
			Scheduled: []service.Scheduled{
				{Name: "evening", Schedule: "cron(0 17 * * ? *)", TimeZone: "Europe/Dublin", MinTasks: 6, MaxTasks: 20},
				{Name: "night", Schedule: "cron(0 23 * * ? *)", TimeZone: "Europe/Dublin", MinTasks: 3, MaxTasks: 20},
			},
		},
	},
	Database: DatabaseSize{
		InstanceClass:       "db.m7g.large",
		StorageGiB:          100,
		MaxStorageGiB:       1000,
		MultiAZ:             true,
		Replicas:            1,
		Proxy:               true,
		BackupRetentionDays: 35,
	},
	Domain:             &Domain{Name: "shop.example.com", Zone: "example.com"},
	Backup:             &Backup{RetentionDays: 35, CopyRegion: "eu-central-1", CopyRetentionDays: 35},
	DeletionProtection: true,
	LogRetentionDays:   365,
	AlarmEmails:        []string{"on-call@example.com"},
}
