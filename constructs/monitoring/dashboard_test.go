package monitoring

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGraphsStandThreeInARowWithoutOverlap(t *testing.T) {
	graphs := make([]Graph, 4)
	for i := range graphs {
		graphs[i] = Graph{Title: "g", Metrics: []Metric{{Namespace: "n", Name: "m", Statistic: "Sum"}}}
	}
	var b body
	if err := json.Unmarshal([]byte(render(graphs, "eu-west-1", "")), &b); err != nil {
		t.Fatal(err)
	}
	var got [][2]int
	for _, w := range b.Widgets {
		got = append(got, [2]int{w.X, w.Y})
	}
	if diff := cmp.Diff([][2]int{{0, 0}, {8, 0}, {16, 0}, {0, 6}}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAMetricIsWrittenAsCloudWatchReadsIt(t *testing.T) {
	got, err := json.Marshal(row(Metric{
		Namespace: "AWS/ECS", Name: "CPUUtilization", Statistic: "Average", Region: "us-east-1",
		Dimensions: map[string]string{"ServiceName": "orders", "ClusterName": "shop-dev"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := `["AWS/ECS","CPUUtilization","ClusterName","shop-dev","ServiceName","orders",` +
		`{"stat":"Average","label":"CPUUtilization","region":"us-east-1"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestADashboardWithoutGraphsIsStillOne(t *testing.T) {
	if got := render(nil, "eu-west-1", ""); got != `{"widgets":[]}` {
		t.Error(got)
	}
}

func TestAFormulaComputesWithNumbersThatAreNoLines(t *testing.T) {
	graph := Graph{Title: "Failures", PeriodSeconds: 3600, Metrics: []Metric{
		{Namespace: "n", Name: "m", Statistic: "Sum", ID: "failed"}, {Expression: "100 * failed", Label: "%"},
	}}
	want := `{"start":"-P28D","widgets":[{"type":"metric","x":0,"y":0,"width":8,"height":6,"properties":{"title":"Failures",` +
		`"region":"eu-west-1","period":3600,"view":"timeSeries","metrics":[["n","m",{"id":"failed","stat":"Sum","label":"m","visible":false}],` +
		`[{"expression":"100 * failed","label":"%"}]]}}]}`
	if got := render([]Graph{graph}, "eu-west-1", "-P28D"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
