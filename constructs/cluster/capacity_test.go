package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCapacityShares(t *testing.T) {
	for name, test := range map[string]struct {
		capacity Capacity
		want     []Share
	}{
		"on demand by default":        {Capacity{}, []Share{{"FARGATE", 0, 100}}},
		"all on Spot":                 {Capacity{SpotPercent: 100}, []Share{{"FARGATE_SPOT", 0, 100}}},
		"a base on demand, then Spot": {Capacity{OnDemandBase: 1, SpotPercent: 100}, []Share{{"FARGATE", 1, 0}, {"FARGATE_SPOT", 0, 100}}},
		"half and half above a base":  {Capacity{OnDemandBase: 2, SpotPercent: 50}, []Share{{"FARGATE", 2, 50}, {"FARGATE_SPOT", 0, 50}}},
	} {
		if diff := cmp.Diff(test.want, test.capacity.Shares()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}
