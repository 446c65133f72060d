// Package options declares a small system that chooses, wherever there is a choice, what the shop does not: EC2 instances with
// Graviton, Aurora, FIFO, sidecars, sticky sessions, host names, other protocols. The live tests apply it.
package options

import (
	"aws-microservices/constructs/cluster"
	"aws-microservices/constructs/database"
	"aws-microservices/constructs/service"
	"aws-microservices/constructs/sleep"
	"aws-microservices/stacks"
)

// Config is the system in one environment.
var Config = stacks.Config{
	Platform: stacks.Platform{
		Name:         "options",
		Architecture: service.ARM64,
		Databases:    []stacks.Database{{Name: "ledger", MajorVersion: 17}},
		Topics:       []stacks.Topic{{Name: "bookings", Queues: []string{"to-book", "to-audit"}}},
		Queues: []stacks.Queue{
			{Name: "to-book", FIFO: true, VisibilityTimeoutSeconds: 120, RetentionDays: 14, MaxReceives: 3},
			{Name: "to-audit", FIFO: true, VisibilityTimeoutSeconds: 60},
		},
		Buckets: []stacks.Bucket{{Name: "audit", ExpireDays: 400}},
		Secrets: []stacks.Secret{{Name: "session", RotateDays: 7}},
		Services: []stacks.Service{
			{
				Name: "desk", Kind: service.Web, Path: "/api/desk", Hosts: []string{"desk.example.com"},
				Requests: service.Requests{MaxSeconds: 60, SlowStartSeconds: 60, StickySeconds: 3600, PerMinute: 600},
				Container: service.Container{
					StopTimeoutSeconds: 120, OpenFiles: 4096, Writable: []string{"/tmp", "/var/spool"},
					Sidecars: []service.Sidecar{
						{Name: "settings", Image: "settings:1.0", Init: true, Writable: []string{"/var/spool"}},
						{
							Name: "proxy", Image: "proxy:2.1", After: []string{"settings"}, MemoryMiB: 64,
							HealthCommand: []string{"CMD", "/proxy", "-check"}, Writable: []string{"/var/spool"},
						},
					},
				},
				Publishes: []string{"bookings"}, Secrets: []string{"session"}, Calls: []string{"rates", "cache"},
			},
			{Name: "rates", Kind: service.Internal, Container: service.Container{Port: 9000, Protocol: service.GRPC}, Calls: []string{"desk-docs"}},
			{Name: "desk-docs", Kind: service.Web, Path: "/api/docs", Container: service.Container{HealthCommand: service.NoHealthCommand}},
			{
				Name: "cache", Kind: service.Internal,
				Container: service.Container{Port: 6379, Protocol: service.TCP, User: "999:999", Writable: []string{"/data"}, HealthCommand: []string{"CMD-SHELL", "redis-cli ping"}},
			},
			{
				Name: "booker", Kind: service.Worker, Consumes: "to-book", Uses: []string{"ledger"},
				Backlog: service.Backlog{MessageSeconds: 2, MaxWaitSeconds: 900},
			},
			{
				Name: "auditor", Kind: service.Worker, Consumes: "to-audit", Reads: []string{"ledger"},
				ReadsFrom: []string{"audit/"}, WritesTo: []string{"audit/"},
				Backlog: service.Backlog{MessageSeconds: 0.2, MaxWaitSeconds: 3600},
			},
			{Name: "close-day", Kind: service.Job, Schedule: "rate(12 hours)", Uses: []string{"ledger"}},
			{Name: "migrate", Kind: service.Task, Owns: []string{"ledger"}},
		},
	},
	Shared: stacks.Shared{AccountID: "111122223333", Region: "eu-west-1"},
	Environments: []stacks.Environment{{
		Name: "demo", AccountID: "444455556666", Region: "eu-west-1",
		Network: stacks.Network{CIDR: "10.60.0.0/16", Zones: []string{"eu-west-1a", "eu-west-1b"}},
		Capacity: cluster.Capacity{OnDemandBase: 1, SpotPercent: 50, EC2: &cluster.EC2{
			InstanceTypes: []string{"m7g.large", "m6g.large"}, MinInstances: 1, MaxInstances: 4, VolumeGiB: 50,
		}},
		Sleep: &sleep.Hours{Sleep: "cron(0 20 ? * MON-FRI *)", Wake: "cron(0 7 ? * MON-FRI *)", TimeZone: "Europe/Dublin"},
		Size:  stacks.Size{CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 3},
		Sizes: map[string]stacks.Size{
			"cache": {CPU: 256, MemoryMiB: 512, MinTasks: 1, MaxTasks: 1},
			"desk": {CPU: 512, MemoryMiB: 1024, MinTasks: 1, MaxTasks: 4, Scheduled: []service.Scheduled{
				{Name: "noon", Schedule: "cron(0 12 * * ? *)", MinTasks: 2, MaxTasks: 6},
			}},
		},
		Database: stacks.DatabaseSize{
			Serverless: &database.Serverless{MinACU: 0, MaxACU: 2}, MultiAZ: true, BackupRetentionDays: 1,
		},
		LogRetentionDays: 7,
	}},
}
