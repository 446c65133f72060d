package stacks

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/network"
	"aws-microservices/constructs/sleep"
)

// Dev is where changes are tried: the smallest of everything, on Spot, asleep when nobody works, gone without regret.
var Dev = Environment{
	Name:      "dev",
	AccountID: "444455556666",
	Region:    "eu-west-1",
	Network: Network{
		CIDR:  "10.10.0.0/16",
		Zones: []string{"eu-west-1a", "eu-west-1b"},
		NAT:   network.NATSingle,
	},
	Capacity: cluster.Capacity{SpotPercent: 100},
	Sleep: &sleep.Hours{
		Sleep:    "cron(0 20 ? * MON-FRI *)",
		Wake:     "cron(0 7 ? * MON-FRI *)",
		TimeZone: "Europe/Dublin",
	},
	Size: Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 2},
	Database: DatabaseSize{
		InstanceClass:       "db.t4g.micro",
		StorageGiB:          20,
		MaxStorageGiB:       50,
		BackupRetentionDays: 1,
	},
	LogRetentionDays: 30,
}
