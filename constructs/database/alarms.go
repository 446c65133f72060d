package database

import (
	"fmt"

	"aws-microservices/constructs/monitoring"
)

// server is what reports metrics of its own: the instance, each replica, or the cluster.
type server struct {
	// id and title tell its alarms apart, e.g. "shop-database-replica-1" and "Replica 1 of database shop".
	id, title string
	// label names its line in a graph; the instance's lines have the metrics' names.
	label     string
	dimension [2]string
}

func (d *Database) servers() []server {
	name := d.props.Name
	first := server{id: name + "-database", title: "Database " + name, dimension: [2]string{"DBInstanceIdentifier", d.identifier()}}
	if d.props.Serverless != nil {
		first.dimension[0] = "DBClusterIdentifier"
		return []server{first}
	}
	all := []server{first}
	for i := range d.props.Replicas {
		all = append(all, server{
			id:        fmt.Sprintf("%s-database-replica-%d", name, i+1),
			title:     fmt.Sprintf("Replica %d of database %s", i+1, name),
			label:     fmt.Sprintf("replica %d", i+1),
			dimension: [2]string{"DBInstanceIdentifier", d.replicaIdentifier(i + 1)},
		})
	}
	return all
}

func (s server) metric(name, statistic string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/RDS", Name: name, Statistic: statistic, Label: s.label,
		Dimensions: map[string]string{s.dimension[0]: s.dimension[1]},
	}
}

// Alarms are the database's: it is busy, full, or out of memory, a copy falls behind, the proxy lets nobody in.
func (d *Database) Alarms() []monitoring.Alarm {
	var alarms []monitoring.Alarm
	servers := d.servers()
	for _, s := range servers {
		alarms = append(alarms, d.serverAlarms(s)...)
	}
	for _, s := range servers[1:] {
		alarms = append(alarms, monitoring.Alarm{
			ID:          s.id + "-lag",
			Description: s.title + " is ten minutes behind: look for a long query on it, or for more writes than its class can follow",
			Metric:      s.metric("ReplicaLag", "Maximum"),
			// Without any writes, a replica that follows well shows up to five minutes.
			// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.Monitor.html
			Comparison: monitoring.Above, Threshold: 600,
		})
	}
	if d.props.Serverless != nil && d.props.readers() > 0 {
		alarms = append(alarms, monitoring.Alarm{
			ID:          servers[0].id + "-lag",
			Description: "A reader of database " + d.props.Name + " is ten seconds behind: look for a long query on it",
			Metric:      servers[0].metric("AuroraReplicaLagMaximum", "Maximum"),
			Comparison:  monitoring.Above, Threshold: 10_000,
		})
	}
	if len(d.props.proxied()) > 0 {
		alarms = append(alarms, monitoring.Alarm{
			ID: d.props.Name + "-database-proxy-refuses",
			Description: "The proxy of database " + d.props.Name + " refuses logins: " +
				"run the task that owns the database, which makes the services' roles and their passwords",
			Metric:     d.proxyMetric("ClientConnectionsSetupFailedAuth"),
			Comparison: monitoring.Above, Threshold: 0,
		})
	}
	return alarms
}

func (d *Database) serverAlarms(s server) []monitoring.Alarm {
	const gib = 1 << 30
	memory := monitoring.Alarm{
		ID:          s.id + "-memory",
		Description: s.title + " is nearly out of memory: choose a larger instance class",
		Metric:      s.metric("FreeableMemory", "Minimum"),
		Comparison:  monitoring.Below, Threshold: gib / 16,
	}
	if d.props.Serverless != nil {
		memory.Description = s.title + " is nearly out of memory: raise MaxACU"
		return []monitoring.Alarm{
			{
				// How far it has grown towards MaxACU.
				// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.viewing.monitoring
				ID:          s.id + "-capacity",
				Description: s.title + " can hardly grow any further: look for slow statements in Performance Insights, or raise MaxACU",
				Metric:      s.metric("ACUUtilization", "Maximum"),
				Comparison:  monitoring.Above, Threshold: 90, Periods: 15,
			},
			memory,
		}
	}
	return []monitoring.Alarm{
		{
			ID:          s.id + "-cpu",
			Description: s.title + " is busy: look for slow statements in Performance Insights",
			Metric:      s.metric("CPUUtilization", "Average"),
			Comparison:  monitoring.Above, Threshold: 80, Periods: 15,
		},
		{
			ID:          s.id + "-storage",
			Description: s.title + " has less than 2 GiB left: storage autoscaling has reached its limit or cannot keep up",
			Metric:      s.metric("FreeStorageSpace", "Minimum"),
			Comparison:  monitoring.Below, Threshold: 2 * gib,
		},
		memory,
	}
}

// Graphs are the database's part of the dashboard.
func (d *Database) Graphs() []monitoring.Graph {
	servers, title := d.servers(), "Database "+d.props.Name+": "
	all := func(metric, statistic string, of []server) []monitoring.Metric {
		var rows []monitoring.Metric
		for _, s := range of {
			rows = append(rows, s.metric(metric, statistic))
		}
		return rows
	}
	busy := monitoring.Graph{Title: title + "CPU %", Metrics: all("CPUUtilization", "Average", servers)}
	if d.props.Serverless != nil {
		busy = monitoring.Graph{Title: title + "capacity, % of MaxACU", Metrics: all("ACUUtilization", "Maximum", servers)}
	}
	connections := monitoring.Graph{Title: title + "connections", Metrics: all("DatabaseConnections", "Maximum", servers)}
	if len(d.props.proxied()) > 0 {
		connections.Metrics = append(connections.Metrics, d.proxyMetric("ClientConnections"))
	}
	graphs := []monitoring.Graph{busy, connections}
	if len(servers) > 1 {
		graphs = append(graphs, monitoring.Graph{Title: title + "replicas' lag, s", Metrics: all("ReplicaLag", "Maximum", servers[1:])})
	}
	if d.props.Serverless != nil && d.props.readers() > 0 {
		graphs = append(graphs, monitoring.Graph{Title: title + "readers' lag, ms", Metrics: all("AuroraReplicaLagMaximum", "Maximum", servers)})
	}
	return graphs
}

// proxyMetric is one of the proxy's, which are sums.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.monitoring.html
func (d *Database) proxyMetric(name string) monitoring.Metric {
	return monitoring.Metric{
		Namespace: "AWS/RDS", Name: name, Statistic: "Sum", Label: "clients of the proxy",
		Dimensions: map[string]string{"ProxyName": d.identifier()},
	}
}
