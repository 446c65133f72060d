package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// The two states of a database that last, in the words of RDS.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html
const (
	available = "available"
	stopped   = "stopped"
)

// database is an instance or an Aurora cluster of the environment.
type database struct {
	name, status string
	// replicated says that it has replicas or is one: AWS stops neither.
	// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html
	replicated  bool
	start, stop func(context.Context) error
}

// settle starts or stops the databases and waits until all are available, or all that AWS can stop are stopped.
func (h *hours) settle(ctx context.Context, goal string) error {
	said, asked := map[string]string{}, map[string]bool{}
	return await(ctx, func() (wanting []string, err error) {
		databases, err := h.databases(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range databases {
			status := d.status
			if goal == stopped && d.replicated {
				status += ", and stays so: AWS stops no database with replicas"
			}
			if status != said[d.name] {
				h.Say("database %s: %s", d.name, status)
				said[d.name] = status
			}
			if d.status == goal || goal == stopped && d.replicated {
				continue
			}
			wanting = append(wanting, fmt.Sprintf("database %s: %s, not %s", d.name, d.status, goal))
			change, ready := d.start, d.status == stopped
			if goal == stopped {
				change, ready = d.stop, d.status == available
			}
			// In any other state it is on its way to one of the two, and AWS would refuse.
			if !ready || asked[d.name] {
				continue
			}
			if err := change(ctx); err != nil {
				return nil, fmt.Errorf("database %s: %w", d.name, err)
			}
			asked[d.name] = true
		}
		return wanting, nil
	})
}

// databases are the environment's, by their names.
func (h *hours) databases(ctx context.Context) ([]database, error) {
	var all []database
	instances := rds.NewDescribeDBInstancesPaginator(h.rds, &rds.DescribeDBInstancesInput{})
	for instances.HasMorePages() {
		page, err := instances.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("databases of %s: %w", h.Prefix, err)
		}
		for _, i := range page.DBInstances {
			// An instance of a cluster starts and stops with it.
			if aws.ToString(i.DBClusterIdentifier) != "" || !h.owns(i.DBInstanceIdentifier) {
				continue
			}
			all = append(all, database{
				name: *i.DBInstanceIdentifier, status: aws.ToString(i.DBInstanceStatus),
				replicated: aws.ToString(i.ReadReplicaSourceDBInstanceIdentifier) != "" || len(i.ReadReplicaDBInstanceIdentifiers) > 0,
				start: func(ctx context.Context) error {
					_, err := h.rds.StartDBInstance(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: i.DBInstanceIdentifier})
					return err
				},
				stop: func(ctx context.Context) error {
					_, err := h.rds.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: i.DBInstanceIdentifier})
					return err
				},
			})
		}
	}
	clusters := rds.NewDescribeDBClustersPaginator(h.rds, &rds.DescribeDBClustersInput{})
	for clusters.HasMorePages() {
		page, err := clusters.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("databases of %s: %w", h.Prefix, err)
		}
		for _, c := range page.DBClusters {
			if !h.owns(c.DBClusterIdentifier) {
				continue
			}
			all = append(all, database{
				name: *c.DBClusterIdentifier, status: aws.ToString(c.Status),
				start: func(ctx context.Context) error {
					_, err := h.rds.StartDBCluster(ctx, &rds.StartDBClusterInput{DBClusterIdentifier: c.DBClusterIdentifier})
					return err
				},
				stop: func(ctx context.Context) error {
					_, err := h.rds.StopDBCluster(ctx, &rds.StopDBClusterInput{DBClusterIdentifier: c.DBClusterIdentifier})
					return err
				},
			})
		}
	}
	slices.SortFunc(all, func(a, b database) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// owns tells whether something is the environment's, by its name.
func (h *hours) owns(name *string) bool {
	return strings.HasPrefix(aws.ToString(name), h.Prefix+"-")
}
